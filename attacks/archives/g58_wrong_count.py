# G58: more entries than the end record says
# ends: refused damaged_zip user
from making import END, archive, patched, zipped


def make(root, _run):
    return archive(root, patched(patched(zipped([("a", "x")]), END, 8, "<H", 2), END, 10, "<H", 2))
