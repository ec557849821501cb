# G58: an entry that says it is a device, and becomes a plain file
# ends: accepted - -
import stat

from making import archive, named, zipped


def make(root, _run):
    return archive(root, zipped([(named("null", stat.S_IFCHR | 0o666), "")]))
