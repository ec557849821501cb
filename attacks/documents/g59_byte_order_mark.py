# G59: a byte order mark before the document
# ends: refused * user
from making import changed


def make(root, _run):
    return changed(root, lambda text: "\ufeff" + text)
