# F57, B16: line feeds in what participants wrote make no events
# ends: accepted - -


def make(root, run):
    return [["run", "watch", str(run), "--json"], ["run", "show", str(run), "--json"]]
