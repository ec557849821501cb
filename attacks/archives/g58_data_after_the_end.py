# G58: bytes behind the end of the archive
# ends: accepted - -
from making import archive, zipped


def make(root, _run):
    return archive(root, zipped([]) + b"\0" * 70_000)
