# H63: every clock that could be set, and a library that would lie about them
# phase: both
# ends: passed - -
import ctypes
import os
import time

import honest

asked = honest.question() if "AGENTICS_INTERFACE" in os.environ else None
libc = ctypes.CDLL(None, use_errno=True)


def call(name, *arguments):
    if getattr(libc, name)(*arguments) != 0:
        raise OSError(ctypes.get_errno(), name)
    return "done"


class Timex(ctypes.Structure):
    _fields_ = [("modes", ctypes.c_uint), ("rest", ctypes.c_char * 400)]


now = (ctypes.c_long * 2)(int(time.time()) + 3600, 0)
problems = [
    *honest.refused("settimeofday", lambda: call("settimeofday", now, None)),
    *honest.refused("adjtimex", lambda: call("adjtimex", ctypes.byref(Timex(modes=0x4000)))),
    *honest.refused("time namespace", lambda: call("unshare", 0x80)),
    *honest.refused(
        "offsets", lambda: os.write(os.open("/proc/self/timens_offsets", os.O_WRONLY), b"monotonic 86400 0\n")
    ),
    *honest.refused("rtc", lambda: os.open("/dev/rtc0", os.O_RDWR)),
]
for clock in (time.CLOCK_REALTIME, time.CLOCK_MONOTONIC, time.CLOCK_BOOTTIME):
    problems += honest.refused(f"clock {clock}", lambda c=clock: time.clock_settime(c, time.time() + 3600))
for name in ("/etc/ld.so.preload", "/etc/localtime"):
    problems += honest.refused(name, lambda n=name: open(n, "w"))
if problems:
    print("NOT CONTAINED", problems)
elif asked is not None:
    honest.answer(asked)
