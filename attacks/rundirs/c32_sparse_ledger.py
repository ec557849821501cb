# C32: a ledger that says it has 8 TiB
# ends: refused unsafe_file infrastructure
from agentics.attacks.strangers import INVOCATIONS, unattested


def make(root, run):
    made = unattested(run, root / "run")
    with (made / INVOCATIONS).open("wb") as file:
        file.truncate(1 << 43)
    return ["run", "show", str(made), "--json"]
