# F55: escape sequences and bidirectional overrides in what a result says
# ends: accepted - -
from making import copied


def make(root, run):
    made = copied(root, run)
    for path in made.rglob("*.json"):
        text = path.read_text()
        path.write_text(text.replace('"all_samples_failed"', '"\\u001b]52;c;ZXZpbA==\\u0007\\u202eall\\rgood"'))
    return [["run", "verify", str(made)], ["run", "show", str(made)], ["run", "show", str(made), "--json"]]
