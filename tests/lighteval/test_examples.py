"""The JobSpecs and the suite that docs show are in order, but for what only their reader has."""

from __future__ import annotations

import json

import pytest

from agentics.config import Config
from agentics.lighteval.catalogue import shipped
from agentics.lighteval.check import check, surroundings
from agentics.lighteval.suitecheck import rules
from agentics.lighteval.suites import parse_suite
from tests.lighteval.environment import ROOT

FOLDER = ROOT / "docs" / "examples"
EXAMPLES = sorted(FOLDER.glob("jobspec-*.json"))
SUITE = FOLDER / "suite-quick.json"
MISSING = {"jobspec-accelerate.json": {"model_missing"}, "jobspec-endpoint.json": {"secret_missing"}}


def findings(data, name, config=None):
    return {found.code for found in check(data, name, surroundings(FOLDER, config or Config(), {})).findings}


@pytest.mark.parametrize("file", EXAMPLES, ids=lambda file: file.name)
def test_an_example_is_a_job(file):
    assert findings(file.read_bytes(), file.name) == MISSING.get(file.name, set())


def test_no_example_is_excused_that_is_not_there():
    assert MISSING.keys() <= {file.name for file in EXAMPLES}


def test_the_suite_is_one_where_its_plugin_is_known():
    known = parse_suite(SUITE.read_bytes(), SUITE.name, SUITE.name, rules(shipped(), (FOLDER / "plugins",)))
    assert [task.ref for task in known.tasks] == ["quick_capitals|2", "quick_sums|0", "quick_geo|0"]


def test_the_quick_job_is_one_of_the_suite():
    spec = {**json.loads((FOLDER / "jobspec-quick.json").read_bytes()), "benchmark_pack_id": "quick@1"}
    here = Config.model_validate({"lighteval": {"suites": [str(FOLDER)]}})
    assert findings(json.dumps(spec).encode(), "job.json") == {"pack_not_found"}
    assert findings(json.dumps(spec).encode(), "job.json", here) == set()
    part = {**spec, "tasks": spec["tasks"][:1]}
    assert findings(json.dumps(part).encode(), "job.json", here) == {"pack_incomplete"}
