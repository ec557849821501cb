# D48: an output with a NUL in its name
# ends: refused * user
from making import runs


def make(root, _run):
    return runs(root, lambda run: run.update(interface="file_system", stdin_json=None, output_files=["a\0b"]))
