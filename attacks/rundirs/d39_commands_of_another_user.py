# D39: a run of another user, whose commands would run on this machine
# ends: refused run_untrusted user
from agentics.attacks.strangers import INVOCATIONS, relined, started, unattested


def make(root, run):
    made = unattested(run, root / "run")
    relined(made / INVOCATIONS, started(seal=f"hmac-sha256:{'0' * 64}"))
    return ["run", "continue", str(made), "--json"]
