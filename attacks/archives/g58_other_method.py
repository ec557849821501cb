# G58: a compression that nobody declared
# ends: refused unsupported_compression user
from making import CENTRAL, LOCAL, archive, patched, zipped


def make(root, _run):
    data = zipped([("a", "x" * 100)])
    return archive(root, patched(patched(data, CENTRAL, 10, "<H", 99), LOCAL, 8, "<H", 99))
