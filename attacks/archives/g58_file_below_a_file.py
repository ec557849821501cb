# G58: an entry below an entry that is a file
# ends: refused path_conflict user
from making import archive, zipped


def make(root, _run):
    return archive(root, zipped([("a", "1"), ("a/b", "2")]))
