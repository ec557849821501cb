# C34: a tree of 1200 levels among the files of a trial
# ends: refused unsafe_file infrastructure
import os

from agentics.attacks.strangers import unattested


def make(root, run):
    made = unattested(run, root / "run")
    at = os.open(next((made / "trials").iterdir()), os.O_RDONLY)
    for _ in range(1200):
        os.mkdir("deep-directory", dir_fd=at)
        inner = os.open("deep-directory", os.O_RDONLY, dir_fd=at)
        os.close(at)
        at = inner
    os.close(at)
    return [[*words, str(made), "--json"] for words in (["run", "verify"], ["run", "recover"], ["run", "show"])]
