# E49, E52: SysV memory, POSIX memory and queues, abstract sockets and files, between cases that run side by side
# ends: passed - -
import ctypes
import os
import socket
import time

import honest

asked = honest.question()
libc = ctypes.CDLL(None, use_errno=True)
mine = os.environ["AGENTICS_RUN_NAME"]
problems = []


def listed(kind):
    try:
        return open(f"/proc/sysvipc/{kind}").read().splitlines()[1:]
    except FileNotFoundError:  # under gVisor
        return []


def look():
    shared, queues = listed("shm"), listed("msg")
    names = [line.split("@")[1] for line in open("/proc/net/unix") if "@" in line]
    files = [name for folder in ("/dev/shm", "/tmp", "/var/tmp", "/io/tmp") for name in os.listdir(folder)]
    problems.extend(name for name in names + files if mine not in name)
    problems.extend(shared[1:] + queues[1:])


look()
key = 0x5EC2E7
if libc.shmget(key, 4096, 0) != -1 or libc.msgget(key, 0) != -1:
    problems.append("somebody else's memory")
libc.shmget(key, 4096, 0o1666)
libc.msgget(key, 0o1666)
libc.mq_open(b"/" + mine.encode(), os.O_CREAT | os.O_RDWR, 0o666, None)
listener = socket.socket(socket.AF_UNIX)
listener.bind(f"\0{mine}")
listener.listen()
for folder in ("/dev/shm", "/tmp", "/io/tmp"):
    open(f"{folder}/{mine}", "w").close()
for _ in range(10):
    time.sleep(0.05)
    look()
honest.answer_unless(problems, asked)
