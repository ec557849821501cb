# C29: descriptors, inotify instances, pipes and message queues until no more are to be had
# ends: passed - -
import ctypes
import os

import honest

asked = honest.question()
libc = ctypes.CDLL(None, use_errno=True)
held, problems = [], []
try:
    while len(held) < 100_000:
        held += os.pipe()
except OSError:
    pass
if len(held) >= 100_000:
    problems.append("descriptors")
for one in held[-8:]:
    os.close(one)
watches = [libc.inotify_init1(0) for _ in range(2000)]
if -1 not in watches:
    problems.append("inotify")
for one in watches:
    if one >= 0:
        os.close(one)
honest.answer_unless(problems, asked)
