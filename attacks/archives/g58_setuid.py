# G58: permission bits that would make a root shell
# ends: accepted - -
import stat

from making import archive, named, zipped


def make(root, _run):
    return archive(root, zipped([(named("sh", stat.S_IFREG | 0o6777), "x")]))
