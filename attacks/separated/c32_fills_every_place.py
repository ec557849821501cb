# C32: fills every place that can be written to; none may take much more than its limit
# ends: passed - -
import os

import honest

asked = honest.question()
MIB = 1 << 20
problems, block = [], b"x" * (256 << 10)
for folder in (
    "/tmp",
    "/dev/shm",
    "/dev/mqueue",
    "/io",
    "/run",
    "/var/tmp",
    "/var/lib",
    "/home",
    "/root",
    "/",
    "/workspace",
):
    path, written = os.path.join(folder, "filler"), 0
    try:
        with open(path, "wb", buffering=0) as file:
            while written < 200 * MIB:
                written += file.write(block)
    except OSError:
        pass
    if written > 80 * MIB:
        problems.append(f"{folder} took {written}")
    elif folder in ("/tmp", "/dev/shm", "/io") and written < 4 * MIB:
        problems.append(f"{folder} took {written} only")
    if os.path.exists(path):
        os.unlink(path)
honest.answer_unless(problems, asked)
