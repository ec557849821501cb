# G58: sizes that only a ZIP64 field could have, and no such field
# ends: refused archive_too_large user
from making import CENTRAL, archive, patched, zipped


def make(root, _run):
    data = zipped([("a", "x" * 100)])
    return archive(root, patched(patched(data, CENTRAL, 20, "<L", 0xFFFFFFFF), CENTRAL, 24, "<L", 0xFFFFFFFF))
