# G58: an entry that is a symbolic link
# ends: refused symlink user
import stat

from making import archive, named, zipped


def make(root, _run):
    return archive(root, zipped([(named("link", stat.S_IFLNK | 0o777), "/etc/passwd")]))
