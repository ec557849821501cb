# G58: a million end records, each of which could be the one
# ends: refused damaged_zip user
from making import END, archive


def make(root, _run):
    return archive(root, END * 1_000_000)
