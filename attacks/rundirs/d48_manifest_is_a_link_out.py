# D48, B13: a manifest that is a link to what is beside the run
# ends: refused * infrastructure
from making import copied


def make(root, run):
    made = copied(root, run)
    (made / "manifest.json").unlink()
    (made / "manifest.json").symlink_to(root.parent / "beside" / "secret.txt")
    return ["run", "show", str(made), "--json"]
