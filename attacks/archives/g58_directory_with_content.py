# G58: a directory that has a content, which is left out
# ends: accepted - -
from making import archive, named, zipped


def make(root, _run):
    return archive(root, zipped([(named("folder/"), "content")]))
