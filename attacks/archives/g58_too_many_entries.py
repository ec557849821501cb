# G58: ten thousand empty files
# ends: refused too_many_entries user
from making import archive, zipped


def make(root, _run):
    return archive(root, zipped([(f"f{number}", "") for number in range(10_000)]))
