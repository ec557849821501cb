# G59, B13: a bundle with a link to what is beside it
# ends: refused symlink user
from making import bundle


def make(root, _run):
    made = bundle(root)
    (made / "public" / "link").symlink_to(root.parent / "beside" / "secret.txt")
    return ["challenge", "check", str(made), "--json"]
