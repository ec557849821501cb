# C37, G59: JSON a hundred thousand deep
# ends: refused * user
from making import changed


def make(root, _run):
    return changed(root, lambda text: "[" * 100_000 + "]" * 100_000)
