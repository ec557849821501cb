# D48: a manifest at an absolute path
# ends: refused * user
from making import changed


def make(root, _run):
    return changed(root, lambda text: text.replace('"public/runs.json"', '"/etc/passwd"'))
