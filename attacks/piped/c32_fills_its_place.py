# C32, C33: fills its place with bytes and names, and answers all the same
# ends: passed - -
# directory: failed all_samples_failed participant
import os

import honest

problems, written = [], 0
try:
    for number in range(100_000):
        os.close(os.open(f"/io/{number}", os.O_CREAT))
    problems.append("names")
except OSError:
    pass
try:
    with open("/io/0", "wb", buffering=0) as file:
        while written < 100 << 20:
            written += file.write(b"x" * 65536)
    problems.append("bytes")
except OSError:
    pass
for name in os.listdir("/io"):
    if os.path.isfile(f"/io/{name}"):
        os.unlink(f"/io/{name}")
if problems:
    print("NOT CONTAINED", problems, flush=True)
honest.converse()
