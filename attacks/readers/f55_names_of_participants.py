# F55, F56: solutions whose names are formulas, markup and escape sequences
# ends: refused * user
from making import solution


def make(root, _run):
    fine = solution(root, {})[3]
    names = ("=cmd|' /C calc'!A0", "<script>alert(1)</script>", "\x1b]52;c;ZXZpbA==\x07", "\u202egood")
    return [["plan", str(root / "hostile-separated"), "--solution", f"{name}={fine}", "--json"] for name in names]
