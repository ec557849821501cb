# G58: a name that ends for C where it goes on for Python
# ends: refused bad_path user
from making import archive, named, zipped


def make(root, _run):
    return archive(root, zipped([(named("run.sh\0.txt"), "x")]))
