"""The JobSpecs that docs show are in order, but for what only their reader has."""

from __future__ import annotations

import pytest

from agentics.config import Config
from agentics.lighteval.check import check, surroundings
from tests.lighteval.environment import ROOT

EXAMPLES = sorted((ROOT / "docs" / "examples").glob("jobspec-*.json"))
MISSING = {"jobspec-accelerate.json": {"model_missing"}, "jobspec-endpoint.json": {"secret_missing"}}


@pytest.mark.parametrize("file", EXAMPLES, ids=lambda file: file.name)
def test_an_example_is_a_job(file):
    found = check(file.read_bytes(), file.name, surroundings(file.parent, Config(), {}))
    assert {finding.code for finding in found.findings} == MISSING.get(file.name, set())
