# G59: lines that end as on another system
# ends: accepted - -
from making import changed


def make(root, _run):
    return changed(root, lambda text: text.replace(", ", ",\r\n"))
