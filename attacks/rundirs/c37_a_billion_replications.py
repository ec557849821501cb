# C37: an invocation of 10^9 replications
# ends: refused unsafe_file infrastructure
from agentics.attacks.strangers import INVOCATIONS, relined, started, unattested


def make(root, run):
    made = unattested(run, root / "run")
    relined(made / INVOCATIONS, started(replications=10**9))
    return ["run", "show", str(made), "--json"]
