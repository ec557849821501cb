# D48, B13: the folder of projections is a link to a folder beside the run
# ends: refused unsafe_file infrastructure
import shutil

from agentics.attacks.strangers import unattested


def make(root, run):
    made = unattested(run, root / "run")
    shutil.rmtree(made / "public")
    (made / "public").symlink_to(root.parent / "beside")
    return ["run", "rebuild", str(made), "--json"]
