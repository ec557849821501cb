# E52, E49: cases in flight at once look for each other: abstract sockets, ports, shared memory, signals
# ends: passed - -
import os
import signal
import socket
import time

import honest

asked, found = honest.question(), []
mine, other = asked["token"], {"token-a": "token-b", "token-b": "token-a"}[asked["token"]]
ports = {"token-a": 40_001, "token-b": 40_002}
listening = socket.socket(socket.AF_UNIX)
listening.bind("\0" + mine)
listening.listen()
port = socket.socket(socket.AF_INET)
port.bind(("0.0.0.0", ports[mine]))
port.listen()
open(f"/dev/shm/{mine}", "w").close()
until = time.monotonic() + 1.5
while time.monotonic() < until and not found:
    found += honest.refused("abstract socket", lambda: socket.socket(socket.AF_UNIX).connect("\0" + other) or "reached")
    found += honest.refused("port", lambda: socket.create_connection(("127.0.0.1", ports[other]), 0.2).getpeername())
    found += ["shared memory"] if os.path.exists(f"/dev/shm/{other}") else []
    time.sleep(0.1)
processes = [int(name) for name in os.listdir("/proc") if name.isdigit()]
strangers = [pid for pid in processes if pid not in (1, os.getpid(), os.getppid())]
found += [
    f"process {pid}" for pid in strangers if not honest.refused("", lambda p=pid: os.kill(p, signal.SIGCONT)) == []
]
honest.answer_unless(found, asked)
