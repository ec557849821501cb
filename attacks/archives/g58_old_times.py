# G58: times before 1980 and a user of another system
# ends: accepted - -
from making import CENTRAL, LOCAL, archive, patched, zipped


def make(root, _run):
    data = zipped([("a", "x")])
    return archive(root, patched(patched(data, CENTRAL, 12, "<L", 0), LOCAL, 10, "<L", 0))
