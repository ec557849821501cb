"""B2, B4, B10, B11, B13: counts, exit policies, the gate, and an outcome that cannot contradict itself."""

import itertools
import json

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pydantic import ValidationError

from agentics.errors import UsageError
from agentics.model.run.outcome import Counts, RunOutcome, RunSummary, TaskRecord
from agentics.policy.outcome.run_outcome import accepts, counts, exit_code, gate, merge_summary, run_status, to_run

STATUSES = ("passed", "degraded", "failed", "error", "no_samples", "skipped", "pending")
COMPLETED = {"passed", "degraded", "skipped", "no_samples"}
ACCEPTED = {"relaxed": set(STATUSES), "smoke": {"passed", "degraded"}, "strict": {"passed"}}


@settings(deadline=None)
@given(st.lists(st.sampled_from(STATUSES), max_size=40))
def test_b2_counts_add_up_for_any_multiset_of_statuses(statuses):
    records = [
        TaskRecord(
            task=str(i), status=s, completed=s in COMPLETED, updated_at="2026-01-01T00:00:00Z", task_output_dir="/"
        )
        for i, s in enumerate(statuses)
    ]
    made = counts(records)
    assert made.requested_tasks == len(statuses) == sum(getattr(made, f"{s}_tasks") for s in STATUSES)
    assert made.non_passing_tasks == len([s for s in statuses if s not in {"passed", "degraded"}])
    assert made.completed_tasks == len([r for r in records if r.completed])


@pytest.mark.parametrize("name", sorted(Counts.model_fields))
def test_b2_counts_that_contradict_each_other_cannot_be_made(outcome, name):
    good = outcome("passed", "degraded", "failed", "skipped").counts.model_dump()
    with pytest.raises(ValidationError):
        Counts(**{**good, name: good[name] - 1 if name == "requested_subtasks" else good[name] + 1})


@pytest.mark.parametrize("policy", ["relaxed", "smoke", "strict"])
@pytest.mark.parametrize("status", STATUSES)
def test_b4_one_task_of_each_status_under_each_policy(policy, status, outcome):
    expected = 0 if status in ACCEPTED[policy] else 1
    assert exit_code(policy, [(status, None)]) == expected
    made = outcome(status, exit_policy=policy)
    assert made.exit_code == expected
    assert made.status == run_status([status])


@pytest.mark.parametrize("policy", ["relaxed", "smoke", "strict"])
@pytest.mark.parametrize("pair", list(itertools.combinations(STATUSES, 2)))
def test_b4_mixed_tasks_are_as_bad_as_the_worst(policy, pair):
    assert exit_code(policy, [(s, None) for s in pair]) == int(not set(pair) <= ACCEPTED[policy])


@pytest.mark.parametrize("policy", ["relaxed", "smoke", "strict"])
@pytest.mark.parametrize("fatal", [1, 2, 5, 7, 130, 143])
def test_b4_a_fatal_end_overrides_every_policy(policy, fatal, outcome):
    made = outcome("passed", exit_policy=policy, fatal=fatal)
    assert (made.exit_code, made.status) == (fatal, "failed")
    assert not gate(made, fatal)


@pytest.mark.parametrize(
    ("policy", "tasks", "code"),
    [
        ("strict", [("error", "challenge")], 4),
        ("strict", [("error", "infrastructure")], 5),
        ("smoke", [("error", "challenge"), ("error", "infrastructure")], 5),
        ("strict", [("failed", "participant"), ("error", "challenge")], 4),
        ("strict", [("failed", "participant")], 1),
        ("strict", [("error", "user")], 1),
        ("relaxed", [("error", "challenge"), ("error", "infrastructure")], 0),
        # What the policy accepts is nobody's fault.
        ("smoke", [("degraded", "challenge")], 0),
        ("strict", [("degraded", "challenge")], 4),
    ],
)
def test_b4_the_exit_code_tells_whose_fault_it_was(policy, tasks, code):
    assert exit_code(policy, tasks) == code


def test_an_unknown_policy_is_refused():
    for policy in ("lax", "", "STRICT"):
        with pytest.raises(UsageError) as e:
            exit_code(policy, [("passed", None)])
        assert (e.value.code, e.value.exit_status) == ("unknown_exit_policy", 2)


def test_an_unknown_status_is_never_success():
    assert run_status(["passed", "great"]) == "failed"
    assert exit_code("smoke", [("great", None)]) == exit_code("strict", [("great", None)]) == 1
    assert not accepts("smoke", "great")
    assert to_run("great")


def test_a_run_of_nothing_is_refused(outcome):
    for attempt in (lambda: run_status([]), lambda: exit_code("relaxed", []), outcome):
        with pytest.raises(UsageError) as e:
            attempt()
        assert e.value.code == "no_tasks"
    assert outcome(fatal=5).status == "failed"


@pytest.mark.parametrize("status", [*STATUSES, None, "garbage"])
def test_b6_completed_tasks_are_not_run_again(status):
    assert to_run(status) == (status not in COMPLETED)
    assert to_run(status, "participant") == (status not in COMPLETED)


@pytest.mark.parametrize("fault", ["infrastructure", "user"])
def test_a_model_some_of_whose_answers_are_missing_is_asked_for_them_when_it_is_run_again(fault):
    assert to_run("degraded", fault)
    assert not to_run("passed", fault)


@pytest.mark.parametrize("status", STATUSES)
@pytest.mark.parametrize("code", [0, 1, 2, 4, 5, 7, 130])
def test_b10_the_gate_opens_only_for_a_clean_run_that_ended_well(outcome, status, code):
    for statuses in ((status,), ("passed", status), (status, "degraded")):
        made = outcome(*statuses, exit_policy="relaxed")
        expected = code == 0 and status in {"passed", "degraded"}
        assert gate(made, code) is expected
        assert gate(json.loads(made.model_dump_json()), code) is expected


GOOD = {"failed_tasks": 0, "error_tasks": 0, "pending_tasks": 0, "no_samples_tasks": 0, "skipped_tasks": 0}


@pytest.mark.parametrize("name", GOOD)
@pytest.mark.parametrize("value", [1, -1, None, "0", 0.0, False])
def test_b10_every_blocking_count_must_be_the_number_zero(name, value):
    assert gate({"status": "passed", "counts": GOOD}, 0)
    assert not gate({"status": "passed", "counts": {**GOOD, name: value}}, 0)
    assert not gate({"status": "passed", "counts": {k: v for k, v in GOOD.items() if k != name}}, 0)


@pytest.mark.parametrize("document", [{}, {"status": "passed"}, {"counts": GOOD}, {"status": "passed", "counts": None}])
def test_b10_a_document_without_the_facts_closes_the_gate(document):
    assert not gate(document, 0)


def test_b10_an_exit_status_that_is_no_number_closes_the_gate():
    assert not gate({"status": "passed", "counts": GOOD}, False)


def test_b11_an_end_before_the_start_is_not_written(outcome):
    made = outcome("passed", started_at="2026-01-02T00:00:01.000000Z", ended_at="2026-01-02T00:00:00.000000Z")
    assert made.ended_at == made.started_at
    with pytest.raises(ValidationError, match="after ended_at"):
        RunOutcome(**{**made.model_dump(), "ended_at": "2026-01-02T00:00:00.000000Z"})


@pytest.mark.parametrize(
    "time", ["2026-01-02T00:00:00", "2026-01-02T00:00:00+02:00", "yesterday", "2026-01-02 00:00:00Z"]
)
def test_b11_only_utc_times_with_z_are_times(outcome, time):
    with pytest.raises(ValidationError):
        RunOutcome(**{**outcome("passed").model_dump(), "started_at": time})


def test_b13_tasks_are_exactly_the_requested_ones_and_pending_is_not_completed(outcome):
    made = outcome("passed", "pending", "skipped")
    assert list(made.tasks) == ["t0", "t1", "t2"]
    assert [t.completed for t in made.tasks.values()] == [True, False, True]
    lied = made.model_dump()
    lied["tasks"]["t1"]["completed"] = True
    with pytest.raises(ValidationError, match="contradicts"):
        RunOutcome(**lied)


def test_cases_of_an_official_evaluation_cannot_be_shown(record):
    with pytest.raises(ValidationError, match="official"):
        record("t", "passed", mode="official", subtasks={"case": {"status": "passed"}})


def _summary(**tasks):
    return RunSummary(model="v", run_id="r", timestamp="2026-01-02T00:00:00Z", tasks=tasks)


def test_metrics_of_an_earlier_invocation_survive():
    older = _summary(a={"score": 1}, b={"score": 2}, c={})
    newer = _summary(a={}, b={"score": 3}, d={})
    assert merge_summary(older, newer).tasks == {"a": {"score": 1}, "b": {"score": 3}, "d": {}}
    assert merge_summary(None, newer) == newer


def test_the_outcome_has_every_key_of_the_contract(outcome):
    made = json.loads(outcome("passed").model_dump_json())
    assert made.keys() >= {
        "schema_version", "benchy_version", "model", "run_id", "timestamp", "started_at", "ended_at", "duration_s",
        "status", "exit_policy", "exit_code", "counts", "tasks", "invocation", "git", "artifacts", "errors",
        "diagnostics",
    }  # fmt: skip
    assert made["schema_version"] == "1.0"
    assert made["git"] == {"available": False}
    assert made["tasks"]["t0"].keys() >= {
        "task", "status", "completed", "task_output_dir", "reason", "summary", "subtasks", "updated_at"
    }  # fmt: skip
    assert made["tasks"]["t0"]["summary"].keys() == {
        "total_samples", "valid_samples", "error_count", "error_rate", "invalid_response_rate",
        "connectivity_error_rate", "response_rate",
    }  # fmt: skip
