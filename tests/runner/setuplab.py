"""Challenges with a setup, in a user's folder with a fake engine."""

from __future__ import annotations

import json
import os

import pytest

from agentics.sandbox.fingerprint import content
from tests.fake_engine import exited, mounted
from tests.runner.lab import SPEC, evaluator

SETUP = {
    "command": ["python3", "separated-evaluator/generate.py"],
    "result_runs_file": "runs.json",
    "reproducibility_notes": None,
}
EXECUTION = {
    **SPEC["execution"],
    "validation_runs": None,
    "validation_setup": SETUP,
    "official_runs": None,
    "official_evaluation_setup": SETUP,
}
RUN = {"interface": "stdio", "stdin_json": None, "stdin_text": "x", "input_files": None, "output_files": None}


def leaves(cases=2, then=None, **files):
    """A setup that leaves a manifest of so many cases, these files, a link, and a time that no copy has by chance."""

    def behave(container):
        place = mounted(container, "/setup")
        runs = [{"run_name": f"case-{n}", **RUN, "metadata": None} for n in range(1, cases + 1)]
        (place / "runs.json").write_text(json.dumps({"runs": runs}))
        for name, text in files.items():
            (place / name).write_text(text)
        (place / "env").mkdir()
        (place / "env/python").symlink_to("/usr/bin/python3")
        os.utime(place / "env", ns=(1, 1_234_567_890_123_456_789))
        return then or exited()

    return behave


@pytest.fixture
def made(lab):
    """A bundle with a setup, and what its evaluators had at /setup, in their order."""
    bundle(lab)
    lab.engine.behaviours["challenge-setup"] = leaves()
    lab.seen, usual = [], evaluator()

    def behave(container):
        lab.seen.append(content(mounted(container, "/setup")))
        return usual(container)

    lab.engine.behaviours["separated-evaluator"] = behave
    return lab


def bundle(lab, name="one", execution=EXECUTION, **more):
    root = lab.bundle(name, execution=execution, **more)
    (root / "separated-evaluator/generate.py").write_text("# the fake engine leaves what it leaves\n")
    return root


def setups_run(lab):
    return sum(container.role == "challenge-setup" for container in lab.engine.containers)


def record(lab, run_id="r", trial="trial_1", attempt=1):
    """How an attempt came by the product."""
    (found,) = lab.lines(f"trials/{trial}/attempts/{attempt}/setups.jsonl", run_id)
    return found


def settings(lab, text):
    file = lab.home / "agentics.toml"
    file.write_text(f"{file.read_text()}\n{text}\n")
