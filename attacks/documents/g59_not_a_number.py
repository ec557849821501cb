# G59: NaN and Infinity as limits
# ends: refused * user
from making import changed


def make(root, _run):
    return changed(root, lambda text: text.replace('"timeout_sec": 10', '"timeout_sec": NaN'))
