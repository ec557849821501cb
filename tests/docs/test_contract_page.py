"""The page on bundles says of arguments, environment and places what plans have: authors write evaluators by it."""

from __future__ import annotations

import json
import re

import pytest

from tests.docs.conftest import ROOT, section

GOLDEN = ROOT / "tests" / "policy" / "golden"
PAGE = (ROOT / "docs" / "bundle-format.md").read_text(encoding="utf-8")
ROWS = {"separated_evaluator": "separated", "piped_stdio": "piped", "coexecuted_benchmark": "coexecuted"}
EVALUATORS = {"separated-evaluator", "interactive-evaluator", "coexecuted-evaluator"}
# Given by the supervisor inside the container, not by the plan.
SUPERVISED = {"AGENTICS_RUN_AS_SOLUTION"}


def containers(node):
    """Every container in a plan, wherever it stands in a stage's options."""
    if isinstance(node, dict):
        yield from ([node] if "argv" in node and "role" in node else [])
        node = list(node.values())
    for each in node if isinstance(node, list) else ():
        yield from containers(each)


def cases():
    for path in sorted(GOLDEN.glob("*.json")):
        plan = json.loads(path.read_text(encoding="utf-8"))
        for container in containers(plan["stages"]):
            if container["role"] in EVALUATORS:
                yield pytest.param(ROWS[plan["topology"]], container, id=path.stem)
            elif container["role"] == "challenge-setup":
                yield pytest.param("a setup", container, id=f"{path.stem}-setup")


def rows(name):
    """The row of a container in the table of arguments, and in that of environment and places."""
    found = re.findall(rf"^\| {name} \|(.*)\|$", section(PAGE, "What your evaluator is given"), re.M)
    assert len(found) == 2, name
    return found


def test_every_topology_has_a_golden_plan_to_compare_with():
    assert {case.values[0] for case in cases()} == {"a setup", *ROWS.values()}


@pytest.mark.parametrize(("name", "container"), list(cases()))
def test_arguments_are_those_of_the_plan_and_in_its_order(name, container):
    given = [word for word in container["argv"] if word.startswith("--")]
    said = re.findall(r"--[a-z-]+", rows(name)[0])
    assert [flag for flag in said if flag in given] == given


@pytest.mark.parametrize(("name", "container"), list(cases()))
def test_environment_is_that_of_the_plan(name, container):
    said = set(re.findall(r"`([A-Z_]+)[`=]", rows(name)[1])) - SUPERVISED
    # The interpreter's own switch tells an author nothing.
    given = set(container["env"]) - {"PYTHONDONTWRITEBYTECODE"}
    assert given <= said
    assert said - given <= {"AGENTICS_EXECUTION_MODE"}  # of coexecuted setups only, as the row says


@pytest.mark.parametrize(("name", "container"), list(cases()))
def test_places_are_those_of_the_plan(name, container):
    said = rows(name)[1]
    for mount in container["mounts"]:
        if mount["place"] == "guest":
            continue
        assert f"`{mount['target']}`" in said
        assert (f"`{mount['target']}` writable" in said) == mount["writable"], mount["target"]
