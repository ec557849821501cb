# A8, D48: a case whose name is a path
# ends: refused * user
from making import runs


def make(root, _run):
    return runs(root, lambda run: run.update(run_name="../../evil"))
