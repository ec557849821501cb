# D48: an input file that would be written outside
# ends: refused * user
from making import runs


def make(root, _run):
    return runs(
        root,
        lambda run: run.update(interface="file_system", stdin_json=None, input_files=[{"path": "../x", "content": ""}]),
    )
