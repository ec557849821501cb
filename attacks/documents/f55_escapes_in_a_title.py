# F55, G59: escape sequences, bidirectional overrides and zero widths in a title are shown and not obeyed
# ends: accepted - -
from making import changed

STEERING = '"challenge_title": "\\u001b]52;c;ZXZpbA==\\u0007\\u202e\\u200b'


def make(root, _run):
    check = changed(root, lambda text: text.replace('"challenge_title": "', STEERING))
    return [check[:3], check, ["challenge", "show", check[2]], ["challenge", "show", check[2], "--json"]]
