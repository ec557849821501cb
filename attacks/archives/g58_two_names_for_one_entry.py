# G58: a local header with another name than the directory's
# ends: refused damaged_zip user
from making import LOCAL, archive, patched, zipped


def make(root, _run):
    return archive(root, patched(zipped([("harmless", "x")]), LOCAL, 30, "<8s", b"evil.pth"))
