# G59: a number as text
# ends: refused * user
from making import changed


def make(root, _run):
    return changed(root, lambda text: text.replace('"timeout_sec": 10', '"timeout_sec": "10"'))
