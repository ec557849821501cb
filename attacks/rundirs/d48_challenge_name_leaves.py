# D48: a challenge whose name is a path out of the run, of which a projection is written
# ends: refused unsafe_name infrastructure
from agentics.attacks.strangers import INVOCATIONS, relined, renamed, unattested


def make(root, run):
    made = unattested(run, root / "run")
    relined(made / INVOCATIONS, renamed("public_challenges", "../../../beside/config"))
    return ["run", "rebuild", str(made), "--json"]
