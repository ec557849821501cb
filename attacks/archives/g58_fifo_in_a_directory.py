# G58, C34: a solution directory with a FIFO that nobody writes, which is left out
# ends: accepted - -
import os

from making import solution


def make(root, _run):
    words = solution(root, {"a.txt": "x"})
    os.mkfifo(root / "solution" / "fifo")
    return words
