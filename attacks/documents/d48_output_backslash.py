# D48: an output with backslashes
# ends: refused * user
from making import runs


def make(root, _run):
    return runs(root, lambda run: run.update(interface="file_system", stdin_json=None, output_files=["a\\..\\b"]))
