# G58: thirty mebibytes that say they are ten bytes
# ends: refused size_mismatch user
from making import CENTRAL, archive, patched, zipped


def make(root, _run):
    return archive(root, patched(zipped([("a", bytes(30 << 20))]), CENTRAL, 24, "<L", 10))
