"""The catalogue says what the installed LightEval has, and what it does."""

from __future__ import annotations

import json
import os
import subprocess

import pytest

from agentics.lighteval.catalogue import catalogue_of, shipped
from agentics.lighteval.fewshot import examples_split
from tests.lighteval.environment import ROOT, worker_python

pytestmark = pytest.mark.slow
PROGRAM = """
import copy, importlib, json, sys
from pathlib import Path
from agentics.lighteval.entry import catalogue
target = Path(sys.argv[1]).absolute()
catalogue.main(target)
from lighteval.tasks.lighteval_task import LightevalTask
chosen = {}
for name in sorted({about["module"] for about in json.loads(target.read_text())["tasks"].values()}):
    for config in importlib.import_module(name).TASKS_TABLE:
        own = chosen[config.name] = []
        for evaluated in (config.evaluation_splits, *((split,) for split in config.hf_avail_splits), ("nowhere",)):
            for declared in (config.few_shots_split, None, "train"):
                changed = copy.copy(config)
                changed.evaluation_splits, changed.few_shots_split = evaluated, declared
                own.append([declared, list(evaluated), LightevalTask(changed).fewshot_split])
print(json.dumps(chosen))
"""


@pytest.fixture(scope="module")
def made(tmp_path_factory):
    """A catalogue of the worker's LightEval, and the splits that LightEval chooses for the examples of every task."""
    place = tmp_path_factory.mktemp("catalogue")
    env = {"PATH": os.environ["PATH"], "PYTHONPATH": str(ROOT), "PYTHONDONTWRITEBYTECODE": "1", "HOME": str(place)}
    argv = [worker_python(), "-c", PROGRAM, place / "made.json"]
    said = subprocess.run(argv, env=env, cwd=place, capture_output=True, text=True, check=True).stdout
    return (place / "made.json").read_bytes(), json.loads(said.splitlines()[-1])


def test_the_catalogue_that_ships_is_that_of_the_workers_lighteval(made):
    assert made[0] == (ROOT / "agentics" / "lighteval" / "catalogue.json").read_bytes()


def test_the_split_of_the_examples_is_the_one_that_lighteval_chooses(made):
    catalogue = catalogue_of(json.loads(made[0]))
    wrong = {
        (name, declared, tuple(evaluated)): chosen
        for name, told in made[1].items()
        for declared, evaluated, chosen in told
        if examples_split(declared, catalogue.find(name).hf_avail_splits, evaluated) != chosen
    }
    assert (len(made[1]), wrong) == (len(shipped().entries), {})
