# D48: a variant whose name is a path out of the run
# ends: refused unsafe_name infrastructure
from agentics.attacks.strangers import INVOCATIONS, relined, renamed, unattested


def make(root, run):
    made = unattested(run, root / "run")
    for field in ("variants", "requested"):
        relined(made / INVOCATIONS, renamed(field, "../../beside"))
    return ["run", "rebuild", str(made), "--json"]
