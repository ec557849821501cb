# B13: a blob that is a link to what is beside the run
# ends: refused * infrastructure
from making import copied


def make(root, run):
    made = copied(root, run)
    for path in [path for path in (made / "artifacts").rglob("*") if path.is_file()]:
        path.unlink()
        path.symlink_to(root.parent / "beside" / "secret.txt")
    return [["run", "verify", str(made), "--json"], ["run", "show", str(made)], ["run", "show", str(made), "--json"]]
