# G58: an encrypted entry
# ends: refused encrypted_entry user
from making import CENTRAL, archive, patched, zipped


def make(root, _run):
    return archive(root, patched(zipped([("a", "secret")]), CENTRAL, 8, "<H", 1))
