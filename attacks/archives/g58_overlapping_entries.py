# G58: entries that share their bytes, as in a bomb without nesting
# ends: refused overlapping_entries user
from making import CENTRAL, archive, patched, zipped


def make(root, _run):
    data = zipped([("aa", "x" * 50), ("bb", "x" * 50)])
    return archive(root, patched(data, CENTRAL, 20, "<L", 100, which=-2))
