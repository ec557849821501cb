# G58, C34: a solution directory with a link to what is beside it, which is left out
# ends: accepted - -
from making import solution


def make(root, _run):
    words = solution(root, {"a.txt": "x"})
    (root / "solution" / "link").symlink_to(root.parent / "beside" / "secret.txt")
    return words
