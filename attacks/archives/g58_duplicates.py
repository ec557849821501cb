# G58: two entries of one name
# ends: refused duplicate_entry user
from making import archive, named, zipped


def make(root, _run):
    return archive(root, zipped([("a", "1"), (named("a"), "2")]))
