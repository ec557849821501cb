# G58: names that differ by case only
# ends: accepted - -
from making import archive, zipped


def make(root, _run):
    return archive(root, zipped([("A.txt", "1"), ("a.txt", "2")]))
