# G59: a limit of two to the sixty-fourth
# ends: refused * user
from making import changed


def make(root, _run):
    return changed(root, lambda text: text.replace('"timeout_sec": 10', f'"timeout_sec": {2**64}'))
