# G59: a key that no contract knows
# ends: refused unknown_key user
from making import changed


def make(root, _run):
    return changed(root, lambda text: text.replace('"schema_version": 1', '"schema_version": 1, "reward": 1'))
