"""The same run id again: what is complete is not repeated, what differs is refused, and one process at a time."""

from __future__ import annotations

import json

import pytest

from agentics.errors import EngineError
from tests.fake_engine import exited
from tests.runner.lab import SPEC, evaluator, on_trial, raises, solution

IMAGE = SPEC["targets"][0]["resource_profile"]["solution_image"]["reference"]

PRIOR = {
    "passed": ({}, False),
    "degraded": (
        {"run": on_trial("trial_1", lambda c: exited(int(c.env.get("AGENTICS_RUN_NAME") == "run-0001")))},
        False,
    ),
    "failed": ({"separated-evaluator": evaluator(0)}, True),
    "error": ({"separated-evaluator": lambda _: exited(1)}, True),
    "no_samples": ({"separated-evaluator": evaluator(validation_summary={"score": 0, "passed": 0, "total": 0})}, False),
    "pending": ({}, True),
    "a damaged status file": ({}, True),
    "a missing status file": ({}, True),
}


@pytest.mark.parametrize("prior", PRIOR)
def test_b6_resuming_runs_only_what_is_not_complete(lab, prior):
    behaviours, runs_again = PRIOR[prior]
    lab.bundle("one")
    usual = dict(lab.engine.behaviours)
    lab.engine.behaviours.update(behaviours)
    if prior == "pending":
        lab.engine.failures["reap"] = [EngineError("gone", code="engine_lost")]
    lab.eval("one")
    status = lab.home / "outputs/r/mine/one.linux-arm64-cpu/task_status.json"
    if prior == "a damaged status file":
        status.write_text("{")
    elif prior == "a missing status file":
        status.unlink()
    elif prior != "pending":
        assert json.loads(status.read_bytes())["status"] == prior
    before = lab.cases_run()
    lab.engine.behaviours = {**usual, "run": None}
    said = lab.eval("one")
    assert (lab.cases_run() > before) == runs_again, said.err
    assert ("complete already" in said.err) != runs_again


def test_b5_a_smoke_run_and_a_full_run_of_one_id_do_not_share_results(lab):
    lab.bundle("one", cases=4)
    assert lab.eval("one", "--limit", "2", "--exit-policy", "smoke").status == 0
    assert lab.cases_run() == 2
    assert lab.read("r_LIMITED/trials/trial_1/evidence.json")["cases_expected"] == 2
    assert lab.eval("one", "--exit-policy", "strict").status == 0
    assert lab.cases_run() == 2 + 4
    first = lab.outcome()
    assert lab.eval("one", "--exit-policy", "strict").status == 0
    assert lab.cases_run() == 2 + 4
    assert lab.outcome()["ended_at"] > first["ended_at"]
    assert lab.outcome()["tasks"] == first["tasks"]


def test_a_limit_takes_the_first_cases_of_each_task(lab):
    lab.bundle("one", cases=5)
    lab.bundle("two", cases=5)
    lab.eval("one", "two", "--limit", "2")
    for trial in ("trial_1", "trial_2"):
        evidence = lab.read(f"r_LIMITED/trials/{trial}/evidence.json")
        assert [case["run_name"] for case in evidence["cases"]] == ["case-1", "case-2"]
    assert lab.outcome("r_LIMITED")["run_id"] == "r_LIMITED"


def test_another_solution_under_the_id_of_a_completed_task_is_refused_and_nothing_changes(lab):
    lab.bundle("one")
    lab.eval("one")
    (lab.home / "mine" / "run.sh").write_text("tac\n")
    before = lab.files()
    said = lab.eval("one", "--json")
    assert (said.status, said.json["error"]["code"]) == (7, "run_scope_mismatch")
    assert "solution_digest" in said.json["error"]["message"]
    # But for who had it last, and what its log tells.
    assert {path for path, content in lab.files().items() if before.get(path) != content} <= {
        "outputs/r/runtime/operation.lock",
        "outputs/r/runtime/engine_lease.json",
        "outputs/r/runtime/eval.log",
    }
    assert lab.files().keys() == before.keys()


def test_another_overlay_under_the_id_of_a_completed_task_is_refused(lab):
    lab.bundle("one")
    for name in ("first", "second"):
        (lab.home / name / "private").mkdir(parents=True)
        (lab.home / name / "private" / "key.txt").write_text(name)
    official = ("one", "--mode", "official", "--json", "--overlay")
    assert lab.eval(*official, "first").status == 0
    said = lab.eval(*official, "second")
    assert (said.status, said.json["error"]["code"]) == (7, "run_scope_mismatch")
    assert "overlay_digests" in said.json["error"]["message"]


FAILURES = {
    "failed": evaluator(0),
    "a challenge fault": lambda _: exited(1),
    "an infrastructure fault": raises(EngineError("gone", code="engine_lost")),
}


@pytest.mark.parametrize("way", FAILURES)
def test_another_solution_under_the_same_run_id_is_refused_however_its_task_ended(lab, way):
    lab.bundle("one")
    lab.engine.behaviours["separated-evaluator"] = FAILURES[way]
    lab.eval("one")
    tasks, cases = lab.tasks(), lab.cases_run()
    (lab.home / "mine" / "run.sh").write_text("tac\n")
    said = lab.eval("one", "--json")
    assert (said.status, said.json["error"]["code"]) == (7, "run_scope_mismatch")
    assert "one.linux-arm64-cpu of mine differs in solution_digest" in said.json["error"]["message"]
    assert (lab.tasks(), lab.cases_run()) == (tasks, cases)


def test_another_bundle_for_a_task_that_failed_is_refused_unless_that_task_is_not_asked_for(lab):
    for name in ("one", "two"):
        lab.bundle(name)
    lab.engine.behaviours["separated-evaluator"] = evaluator(0)
    lab.eval("one", "two")
    (lab.home / "one" / "statement.md").write_text("# Something else\n")
    said = lab.eval("one", "two", "--json")
    assert "one.linux-arm64-cpu of mine differs in bundle_digest" in said.json["error"]["message"]
    assert "two" not in said.json["error"]["message"]
    assert lab.eval("one", "two", "--tasks", "two").status == 1


def test_an_image_that_was_missing_may_be_there_the_next_time(lab):
    lab.bundle("one")
    lab.engine.failures["image"] = [EngineError("no such image", code="image_missing", retryable=False)] * 20
    assert lab.eval("one").status == 5
    lab.engine.failures.clear()
    assert lab.eval("one").status == 0
    assert lab.tasks() == [("passed", None, 2)]


def test_an_image_that_was_repaired_after_an_infrastructure_fault_is_taken_and_after_a_verdict_refused(lab):
    lab.bundle("one")
    lab.engine.behaviours["run"] = raises(EngineError("it does not start", code="engine_error"))
    assert lab.eval("one").status == 5
    mapped = ("--image", f"{IMAGE}=repaired:latest")
    lab.engine.behaviours |= {"run": None, "separated-evaluator": evaluator(0)}
    assert lab.eval("one", *mapped).status == 1
    assert lab.eval("one").status == 7


def test_no_resume_runs_everything_again_also_with_another_solution(lab):
    lab.bundle("one")
    lab.eval("one")
    (lab.home / "mine" / "run.sh").write_text("tac\n")
    assert lab.eval("one", "--no-resume", "--exit-policy", "strict").status == 0
    assert lab.cases_run() == 6
    assert lab.tasks() == [("passed", None, 2)]


def test_a_task_that_is_added_later_runs_beside_what_is_complete(lab):
    lab.bundle("one")
    lab.bundle("two")
    lab.eval("one", "two", "--tasks", "one")
    assert list(lab.outcome()["tasks"]) == ["one.linux-arm64-cpu"]
    lab.eval("one", "two", "--exit-policy", "strict")
    assert lab.cases_run() == 6
    assert lab.tasks() == [("passed", None, 1), ("passed", None, 1)]
    assert sorted(lab.read("r/mine/run_summary.json")["tasks"]) == ["one.linux-arm64-cpu", "two.linux-arm64-cpu"]


def test_two_variants_in_one_run_have_an_outcome_each(lab):
    lab.bundle("one")
    solution(lab.home / "other", "theirs")
    lab.engine.behaviours["run"] = on_trial("trial_2", lambda _: exited(1))
    said = lab.eval("one", "--solution", "org/theirs=other/theirs", "--exit-policy", "strict")
    assert said.status == 1
    assert lab.tasks() == [("degraded", "partial_errors", 1)]
    assert lab.tasks(variant="theirs") == [("passed", None, 1)]
    assert lab.outcome(variant="theirs")["model"] == "org/theirs"


def test_the_second_engine_failure_of_a_resumed_run_counts_on_from_the_first(lab):
    lab.bundle("one")
    lab.engine.behaviours["run"] = raises(EngineError("gone", code="engine_lost"))
    lab.eval("one")
    lab.eval("one")
    assert lab.tasks() == [("error", "engine_lost", 6)]
