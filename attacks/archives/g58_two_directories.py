# G58: two end records, each with a directory of its own
# ends: refused two_end_records user
from making import END, archive, patched, zipped


def make(root, _run):
    hidden = zipped([("evil", "2")])
    return archive(root, patched(zipped([("a", "1")]), END, 20, "<H", len(hidden)) + hidden)
