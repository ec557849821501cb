# G58: an archive in an archive, which nobody unpacks
# ends: accepted - -
from making import archive, zipped


def make(root, _run):
    return archive(root, zipped([("inner.zip", zipped([("zeros", bytes(40 << 20))]))]))
