"""The workflow that repositories of challenges copy: every command in it is one, and it is valid YAML."""

from __future__ import annotations

import re
import shlex

import pytest
import yaml

from tests.docs.conftest import ROOT
from tests.docs.test_examples import parse

WORKFLOW = ROOT / "docs" / "examples" / "ci" / "challenges.yml"


def steps():
    (job,) = yaml.safe_load(WORKFLOW.read_text(encoding="utf-8"))["jobs"].values()
    return job["steps"]


def lines():
    scripts = "\n".join(step["run"] for step in steps() if "run" in step)
    return [line.strip() for line in scripts.splitlines() if line.strip().startswith("agentics ")]


def test_each_step_does_one_thing():
    assert [("run" in step) + ("uses" in step) for step in steps()] == [1] * len(steps())


@pytest.mark.parametrize("line", lines())
def test_its_commands_parse(line):
    parse(shlex.join(re.sub(r"[^\w./-]", "x", word) for word in shlex.split(line)))


def test_it_evaluates_strictly_and_checks_every_challenge():
    assert any(line.startswith("agentics challenge check challenges") for line in lines())
    assert any("--exit-policy strict" in line for line in lines())
