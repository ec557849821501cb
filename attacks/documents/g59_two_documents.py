# G59: two documents in one file
# ends: refused * user
from making import changed


def make(root, _run):
    return changed(root, lambda text: text + text)
