"""What a trial's containers were given, without a word of the host or of official data."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from agentics.model.evidence.trial_evidence import CaseRecord, ContainerRecord, TrialEvidence, Violation
from agentics.model.plan.trial_plan import Plan
from agentics.policy.inventory import state_inventory

GOLDEN = sorted((Path(__file__).parent / "golden").glob("*.*.json"))


def container(**more):
    facts = {
        "stage": "cases", "role": "run", "image_id": "i", "ended": "exited", "exit_code": 0, "signal": None,
        "oom_killed": False, "started_at": "x", "finished_at": "x", "wall_s": 0.1, "cpu_s": None,
        "memory_peak_bytes": None, "pids_peak": None, "timeout_s": 1, "memory_limit_bytes": 1,
    }  # fmt: skip
    return ContainerRecord(**{**facts, **more})


def evidence(plan, **more):
    return TrialEvidence(
        topology=plan.topology, mode=plan.mode, target=plan.target, trust=plan.trust, images={}, **more
    )


def plan_of(path):
    return Plan.model_validate_json(path.read_bytes())


@pytest.mark.parametrize("path", GOLDEN, ids=lambda path: path.stem)
def test_every_mount_of_every_container_is_listed_by_its_place(path):
    plan = plan_of(path)
    said = state_inventory(plan, evidence(plan), "cli_basic")
    planned = [o for stage in plan.stages for o in stage.options.values() if isinstance(o, dict) and "mounts" in o]
    expected = {(m["place"], m["target"], m["writable"], o["role"]) for o in planned for m in o["mounts"]}
    assert {(m.name, m.path, m.writable, m.role) for m in said.mounts} == expected
    assert len(said.mounts) == len(expected) > 0
    assert said.network.by_role.keys() == {option["role"] for option in planned}
    assert (said.sanitization_profile, said.violations.notes) == ("hermetic", ())


def test_a_network_that_a_plan_or_an_operator_opens_is_told():
    plan = plan_of(GOLDEN[0])
    closed = state_inventory(plan, evidence(plan), "cli_basic").network
    document = json.loads(plan.model_dump_json())
    option = next(o for s in document["stages"] for o in s["options"].values() if isinstance(o, dict) and "role" in o)
    for given, expected in (("disabled", closed.mode_requested), ("enabled", "full")):
        option["limits"]["network_access"] = given
        changed = Plan.model_validate(document)
        said = state_inventory(changed, evidence(changed), "cli_basic").network
        assert (said.mode_requested, said.mode_effective) == (expected, expected)
        assert said.enforcement_effective == ("docker_none" if expected == "none" else "unknown")
    opened = state_inventory(plan, evidence(plan, containers=(container(relaxed=("network",)),)), "cli_basic")
    assert opened.network.mode_effective == "full"
    assert opened.sanitization_profile == "relaxed"
    assert opened.violations.profile_invariant_violation
    assert opened.violations.notes == ("relaxed: network",)


def test_what_a_case_left_is_told_by_its_alias_and_kind_alone():
    plan = plan_of(GOLDEN[0])
    case = CaseRecord(
        run_name="private-name", alias="run-0001", interface="stdio", container=container(), place_kind="directory",
        violation=Violation(kind="link", detail="output/private-detail"),
    )  # fmt: skip
    said = state_inventory(plan, evidence(plan, cases=(case,)), "sdk_full")
    assert said.violations.notes == ("run-0001: link",)
    assert "private" not in said.model_dump_json()
    assert said.integration_level == "sdk_full"
