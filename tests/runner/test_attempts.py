"""Infrastructure that breaks: tried again, recorded, and never a score."""

from __future__ import annotations

import json

import pytest

from agentics.errors import EngineError
from tests.fake_engine import exited, timed_out
from tests.runner.lab import on_trial, raises


@pytest.fixture
def two(lab):
    lab.bundle("one")
    lab.bundle("two")
    return lab


def lost():
    return EngineError("could not start a container: connection reset", code="engine_lost")


@pytest.mark.parametrize(("policy", "status"), [("relaxed", 0), ("smoke", 5), ("strict", 5)])
def test_a_task_whose_engine_breaks_is_tried_again_and_ends_as_an_infrastructure_fault(two, policy, status):
    two.engine.behaviours["run"] = on_trial("trial_2", raises(lost()))
    assert two.eval("one", "two", "--exit-policy", policy).status == status
    assert two.tasks() == [("passed", None, 1), ("error", "engine_lost", 3)]
    broken = two.outcome()["tasks"]["two.linux-arm64-cpu"]
    assert broken["fault"] == "infrastructure"
    assert broken["primary_metric"] is None
    assert two.outcome()["status"] == "failed"


def test_every_attempt_is_kept_with_its_own_evidence_and_no_metric(two):
    two.engine.behaviours["run"] = on_trial("trial_2", raises(lost()))
    two.eval("one", "two")
    for number in (1, 2, 3):
        attempt = two.read(f"r/trials/trial_2/attempts/{number}/result.json")
        assert (attempt["outcome"], attempt["metrics"], attempt["objective"]) == ("error", {}, None)
        trouble = two.read(f"r/trials/trial_2/attempts/{number}/evidence.json")["trouble"]
        assert (trouble["fault"], trouble["retryable"]) == ("infrastructure", True)
    assert not (two.home / "outputs/r/trials/trial_2/attempts/4").exists()
    assert "two.linux-arm64-cpu" not in two.read("r/mine/run_summary.json")["tasks"]


def test_an_engine_that_recovers_gives_the_result_it_would_have_given_at_once(lab):
    lab.bundle("one")
    lab.engine.failures["start"] = [lost()]
    said = lab.eval("one", "--exit-policy", "strict")
    assert said.status == 0
    assert lab.tasks() == [("passed", None, 2)]
    assert "engine_lost: could not start a container: connection reset; trying again" in said.err


def test_what_cannot_get_better_is_tried_once(lab):
    lab.bundle("one")
    hopeless = EngineError("refused", code="engine_refused", retryable=False)
    lab.engine.behaviours["run"] = raises(hopeless)
    assert lab.eval("one", "--exit-policy", "strict").status == 5
    assert lab.tasks() == [("error", "engine_refused", 1)]


def test_a_participants_failure_is_not_tried_again(lab):
    lab.bundle("one")
    lab.engine.behaviours["run"] = lambda _: timed_out()
    lab.eval("one")
    assert lab.tasks()[0][2] == 1


def test_an_image_that_is_missing_is_the_tasks_own_trouble_and_the_other_task_is_evaluated(two):
    missing = [EngineError("image x is not here", code="image_missing", retryable=False) for _ in range(3)]
    two.engine.failures["image"] = missing
    assert two.eval("one", "two", "--exit-policy", "strict").status == 5
    assert two.tasks() == [("error", "image_missing", 1), ("passed", None, 1)]


def test_an_engine_that_fails_before_the_first_task_leaves_an_outcome_that_says_so(two):
    two.engine.failures["reap"] = [EngineError("could not list containers: gone", code="engine_lost")]
    said = two.eval("one", "two", "--json")
    assert said.status == 5
    assert two.tasks() == [("pending", "not_started", 0)] * 2
    (error,) = two.outcome()["errors"]
    assert (error["stage"], error["error_type"]) == ("pipeline_preflight", "engine_lost")
    assert said.json["outcomes"]["mine"]["exit_code"] == 5


def test_a_broken_first_task_does_not_keep_the_second_from_being_evaluated_unless_asked(two):
    two.engine.behaviours["run"] = on_trial("trial_1", lambda _: exited(1))
    two.engine.behaviours["separated-evaluator"] = on_trial("trial_2", two.engine.behaviours["separated-evaluator"])
    two.eval("one", "two")
    assert [status for status, *_ in two.tasks()] == ["error", "passed"]
    assert two.eval("one", "two", "--fail-fast", run_id="fast").status == 4
    assert two.tasks("fast") == [("error", "result_missing", 1), ("pending", "not_started", 0)]
    assert two.eval("one", "two", "--fail-fast", "--exit-policy", "smoke", run_id="smoke").status == 4


def test_the_ledgers_of_an_attempt_are_whole_lines(lab):
    lab.bundle("one")
    lab.eval("one")
    lines = (lab.home / "outputs/r/trials/trial_1/attempts/1/cases.jsonl").read_text().splitlines()
    assert sorted(json.loads(line)["run_name"] for line in lines) == ["case-1", "case-2", "case-3"]
