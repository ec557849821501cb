"""run_outcome.json of a run, however it ended: whole, truthful, and as its JSON Schema says."""

from __future__ import annotations

import json
from datetime import datetime
from pathlib import Path

import pytest
from jsonschema import Draft202012Validator

from agentics.errors import EngineError
from agentics.runner import trial_runner as trials
from tests.fake_engine import exited
from tests.runner.lab import evaluator, on_trial, raises

SCHEMAS = Path(__file__).parents[2] / "schemas"


def broken_first_task(lab):
    lab.engine.behaviours["run"] = on_trial("trial_1", raises(EngineError("gone", code="engine_lost")))


def preflight(lab):
    lab.engine.failures["reap"] = [EngineError("gone", code="engine_lost")]


def complete_already(lab):
    lab.eval("one", "two")


def crash(lab):
    lab.engine.behaviours |= {"run": lambda _: exited(1), "separated-evaluator": evaluator(0)}


WAYS = {way.__name__: way for way in (broken_first_task, preflight, complete_already, crash)} | {
    "clean": lambda _: None
}


def valid(lab, name: str, path: str) -> dict:
    schema = json.loads((SCHEMAS / f"{name}.schema.json").read_text(encoding="utf-8"))
    document = lab.read(path)
    Draft202012Validator(schema, format_checker=Draft202012Validator.FORMAT_CHECKER).validate(document)
    return document


@pytest.mark.parametrize("way", WAYS)
def test_b1_every_ending_leaves_documents_that_their_schemas_accept(lab, way):
    lab.bundle("one")
    lab.bundle("two")
    WAYS[way](lab)
    lab.eval("one", "two", "--exit-policy", "strict")
    outcome = valid(lab, "run-outcome", "r/mine/run_outcome.json")
    valid(lab, "run-summary", "r/mine/run_summary.json")
    valid(lab, "manifest", "r/manifest.json")
    assert list(outcome["tasks"]) == ["one.linux-arm64-cpu", "two.linux-arm64-cpu"]
    for task, record in outcome["tasks"].items():
        status = lab.home / "outputs/r/mine" / task / "task_status.json"
        assert status.exists() == (record["status"] != "pending")
        assert record["completed"] == (record["status"] in ("passed", "degraded", "skipped", "no_samples"))


@pytest.mark.parametrize("way", WAYS)
def test_b11_the_times_of_an_outcome_agree(lab, way):
    lab.bundle("one")
    lab.bundle("two")
    WAYS[way](lab)
    lab.eval("one", "two")
    outcome = lab.outcome()
    began, ended = (datetime.fromisoformat(outcome[key]) for key in ("started_at", "ended_at"))
    assert began.tzinfo is not None
    assert began <= ended
    assert 0 <= outcome["duration_s"] <= (ended - began).total_seconds()
    assert outcome["artifacts"]["run_outcome"]["exists"]


def test_a8_a_bug_in_a_stage_is_that_tasks_error_and_stops_no_other(lab):
    lab.bundle("one")
    lab.bundle("two")
    lab.engine.behaviours["run"] = on_trial("trial_1", raises(ZeroDivisionError("a bug")))
    lab.eval("one", "two")
    assert [(status, reason) for status, reason, _ in lab.tasks()] == [("error", "stage_exception"), ("passed", None)]
    assert lab.outcome()["tasks"]["one.linux-arm64-cpu"]["fault"] == "infrastructure"
    records = lab.lines("trials/trial_1/attempts/1/stages.jsonl")
    assert [(record["name"], record["status"]) for record in records] == [("prepare", "completed"), ("cases", "failed")]
    assert "ZeroDivisionError: a bug" in records[-1]["error"]["traceback"]
    assert lab.read("r/runtime/run_control.json")["status"] == "completed"


def test_a_bug_of_ours_is_written_down_before_it_is_shown(lab, monkeypatch):
    lab.bundle("one")
    lab.bundle("two")
    judge = trials.judge

    def breaks(evidence):
        if lab.cases_run() > 3:  # those of the first trial
            raise ZeroDivisionError("a bug")
        return judge(evidence)

    monkeypatch.setattr(trials, "judge", breaks)
    said = lab.eval("one", "two")
    assert said.status == 1
    assert "ZeroDivisionError: a bug" in said.err
    outcome = lab.outcome()
    assert (outcome["status"], outcome["exit_code"]) == ("failed", 1)
    (error,) = outcome["errors"]
    assert (error["stage"], error["error_type"]) == ("task_execution", "ZeroDivisionError")
    assert "Traceback" in error["traceback"]
    assert [status for status, *_ in lab.tasks()] == ["passed", "pending"]
    monkeypatch.setattr(trials, "judge", judge)
    assert lab.eval("one", "two", "--exit-policy", "strict").status == 0


def test_what_an_invocation_was_is_recorded(lab):
    lab.bundle("one")
    lab.eval("one", "--limit", "1")
    outcome = lab.outcome("r_LIMITED")
    assert outcome["invocation"]["cwd"] == str(lab.home)
    assert outcome["invocation"]["cli_args"]["limit"] == 1
    assert outcome["diagnostics"]["run_samples"] == 1
    task = outcome["tasks"]["one.linux-arm64-cpu"]
    assert task["bundle_digest"].startswith("sha256:")
    assert task["solution_digest"].startswith("sha256:")
