# D48: a manifest whose place leads out of the bundle
# ends: refused * user
from making import changed


def make(root, _run):
    return changed(root, lambda text: text.replace('"public/runs.json"', '"../../beside/secret.txt"'))
