# G59: one key twice
# ends: refused duplicate_key user
from making import changed


def make(root, _run):
    return changed(root, lambda text: text.replace('"schema_version": 1', '"schema_version": 1, "schema_version": 1'))
