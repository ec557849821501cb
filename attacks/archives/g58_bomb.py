# G58: sixty-four mebibytes of zeros
# ends: refused archive_too_large user
from making import archive, zipped


def make(root, _run):
    return archive(root, zipped([("zeros", bytes(64 << 20))]))
