# F55, B13: a FIFO in place of a trial's result
# ends: refused altered user
import os

from making import copied


def make(root, run):
    made = copied(root, run)
    path = next(iter(sorted(made.rglob("result.json"))))
    path.unlink()
    os.mkfifo(path)
    return [["run", "verify", str(made)], ["run", "verify", str(made), "--json"]]
