# G59: half a character in a title
# ends: refused * user
from making import changed


def make(root, _run):
    return changed(root, lambda text: text.replace('"challenge_title": "', '"challenge_title": "\\ud800'))
