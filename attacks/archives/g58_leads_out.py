# G58: an entry whose name leads out of the archive
# ends: refused bad_path user
from making import archive, named, zipped


def make(root, _run):
    return archive(root, zipped([(named("../../beside/secret.txt"), "x")]))
