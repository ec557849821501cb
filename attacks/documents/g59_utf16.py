# G59: a document that is no UTF-8
# ends: refused * user
from making import changed


def make(root, _run):
    return changed(root, lambda text: text.encode("utf-16"))
