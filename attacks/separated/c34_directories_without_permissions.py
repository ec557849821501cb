# C34: what it leaves has no permissions, or odd ones, everything down to its place itself
# ends: passed - -
import os

import honest

honest.answer()
for number, mode in enumerate((0, 0o200, 0o400, 0o600, 0o1000, 0o2070)):
    inner = f"/io/output/{number}/inner"
    os.makedirs(inner)
    open(f"{inner}/file", "w").close()
    for path in (f"{inner}/file", inner, os.path.dirname(inner)):
        os.chmod(path, mode)
for path in ("/io/output/answer.txt", "/io/output", "/io/tmp", "/io"):
    if os.path.exists(path):
        os.chmod(path, 0)
