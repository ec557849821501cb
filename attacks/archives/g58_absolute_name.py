# G58: an entry with an absolute name
# ends: refused bad_path user
from making import archive, named, zipped


def make(root, _run):
    return archive(root, zipped([(named("/etc/cron.d/evil"), "x")]))
