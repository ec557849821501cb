# G58: names that are one after Unicode normalisation
# ends: accepted - -
from making import archive, zipped


def make(root, _run):
    return archive(root, zipped([("caf\u00e9", "1"), ("cafe\u0301", "2")]))
