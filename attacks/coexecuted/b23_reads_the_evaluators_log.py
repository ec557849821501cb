# B23: the evaluator's log, through its FIFO, the descriptors that it inherited, and every process of the container
# ends: passed - -
import os

import honest

asked, problems = honest.question(), []


def tapped(path):
    """What there is to read of a stream of the evaluator's, without waiting for it."""
    descriptor = os.open(path, os.O_RDONLY | os.O_NONBLOCK)
    try:
        return os.read(descriptor, 4096) or b"(nothing yet)"
    except BlockingIOError:
        return b"(nothing yet)"


for name in ("out", "err", "report", "gate", "ready", "in"):
    problems += honest.refused(f"/.io/{name}", lambda n=name: tapped(f"/.io/{n}"))
    problems += honest.refused(f"write /.io/{name}", lambda n=name: os.open(f"/.io/{n}", os.O_WRONLY | os.O_NONBLOCK))
problems += honest.refused("/.io", lambda: os.listdir("/.io"))
for pid in honest.others():
    for descriptor in range(10):
        problems += honest.refused(f"{pid} {descriptor}", lambda p=f"/proc/{pid}/fd/{descriptor}": tapped(p))
kinds = {os.readlink(f"/proc/self/fd/{name}") for name in os.listdir("/proc/self/fd") if name in "012"}
if any("/.io" in kind for kind in kinds) or os.path.exists("/proc/self/fd/3"):
    problems.append(f"descriptors: {kinds}")
try:
    said = tapped("/proc/self/fd/2")  # its own stream may be its own, but what is in it is not the evaluator's
except OSError:
    said = b""
if b"cnry" in said or b"[42, 8]" in said:
    problems.append(f"own stderr: {said!r}")
honest.answer_unless(problems, asked)
