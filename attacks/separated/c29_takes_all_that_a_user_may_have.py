# C29: what the kernel counts for each user: inotify instances, message queues, pipe pages; another case wants them too
# ends: passed - -
# needs: root
import ctypes
import fcntl
import os
import resource
import struct
import time

import honest

MEBIBYTE, QUEUE_BYTES, QUEUE_MESSAGES = 1 << 20, 8192, 10
asked = honest.question()
libc = ctypes.CDLL(None, use_errno=True)


def setting(name):
    """What the kernel allows each user; 0 where it is not to be seen."""
    path = f"/proc/sys/fs/{name}"
    return int(open(path).read()) if os.path.exists(path) else 0


allowed = {
    "inotify instances": setting("inotify/max_user_instances"),
    "message queues": resource.getrlimit(resource.RLIMIT_MSGQUEUE)[1] // (QUEUE_BYTES * (QUEUE_MESSAGES + 1)),
    "large pipes": setting("pipe-user-pages-soft") * resource.getpagesize() // MEBIBYTE,
}


def inotify(number):
    return libc.inotify_init1(0)


def queue(number):
    attributes = struct.pack("8l", 0, QUEUE_MESSAGES, QUEUE_BYTES, 0, 0, 0, 0, 0)
    return libc.mq_open(f"/{number}".encode(), os.O_CREAT | os.O_RDWR, 0o600, attributes)


def pipe(number):
    reading, _ = os.pipe()
    return fcntl.fcntl(reading, fcntl.F_SETPIPE_SZ, MEBIBYTE)


def taken(take, most):
    """How many are to be had, up to the limit, and not so many that descriptors run out."""
    for number in range(min(most, 200)):
        try:
            if take(number) < 0:
                return number
        except OSError:
            return number
    return min(most, 200)


found = dict(zip(allowed, (taken(take, allowed[name]) for take, name in zip((inotify, queue, pipe), allowed))))
time.sleep(1)  # the other case finds what this one has left
few = [f"{found[name]} of {most} {name}" for name, most in allowed.items() if found[name] < min(most, 200) * 3 // 4]
honest.answer_unless(few, asked)
