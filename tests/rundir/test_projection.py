"""B1, B11, B13: outcome, summary and task status as projections of the run."""

import json
import shutil
from datetime import datetime

import pytest
from jsonschema import Draft202012Validator

from agentics.errors import UsageError
from agentics.model.run.outcome import DOCUMENTS, ErrorRecord, GitFacts, RunOutcome, RunSummary, TaskStatus
from agentics.policy.outcome.run_outcome import gate
from agentics.rundir.projections.outcome import project, rebuild_outcome
from agentics.rundir.provenance import git_facts
from agentics.rundir.reader import read_run
from agentics.rundir.run import begin, end, open_run, skip


def _check(name: str, path) -> dict:
    document = json.loads(path.read_bytes())
    Draft202012Validator(DOCUMENTS[name].model_json_schema(mode="serialization")).validate(document)
    return document


def _success(driver):
    driver.evaluate({"a@t": "passed", "b@t": "passed"})


def _already_complete(driver):
    _success(driver)
    _success(driver)
    assert driver.ran == ["a@t", "b@t"]


def _one_task_exception(driver):
    driver.evaluate({"a@t": "error", "b@t": "passed"})


def _preflight_fatal(driver):
    with open_run(driver.base, "run") as run:
        invocation = begin(run, driver.request("a@t", "b@t"), {})
        error = ErrorRecord(stage="pipeline_preflight", error_type="EngineMissing", message="no engine answers")
        end(run, invocation, "failed", duration_s=0.1, fatal=5, errors=(error,))
        project(run, "v")


def _signal(driver):
    with open_run(driver.base, "run") as run:
        invocation = begin(run, driver.request("a@t", "b@t"), {})
        driver.trial(run, "a@t", "passed")
        error = ErrorRecord(stage="interrupted", error_type="SIGTERM", message="stopped by SIGTERM")
        end(run, invocation, "interrupted", duration_s=0.1, fatal=143, errors=(error,))
        project(run, "v")


@pytest.mark.parametrize(
    ("happened", "status", "code"),
    [
        (_success, "passed", 0),
        (_already_complete, "passed", 0),
        (_one_task_exception, "failed", 4),
        (_preflight_fatal, "failed", 5),
        (_signal, "failed", 143),
    ],
)
def test_b1_the_outcome_keeps_its_schema_however_the_run_ends(driver, happened, status, code):
    happened(driver)
    outcome = _check("run_outcome", driver.variant / "run_outcome.json")
    _check("run_summary", driver.variant / "run_summary.json")
    for path in driver.variant.glob("*/task_status.json"):
        _check("task_status", path)
    assert (outcome["status"], outcome["exit_code"]) == (status, code)
    assert list(outcome["tasks"]) == ["a@t", "b@t"]
    assert bool(outcome["errors"]) == (happened in (_preflight_fatal, _signal))
    assert gate(outcome, outcome["exit_code"]) == (code == 0)
    assert outcome["artifacts"]["run_outcome"]["exists"] is True
    assert outcome["artifacts"]["run_summary"]["exists"] is True
    assert outcome["artifacts"]["probe_report"]["exists"] is False


def test_b11_times_agree_with_each_other_and_have_a_zone(driver):
    outcome = driver.evaluate({"a@t": "passed"})
    times = [datetime.fromisoformat(t) for t in (outcome.started_at, outcome.ended_at, outcome.timestamp)]
    assert all(t.utcoffset() is not None for t in times)
    assert times == sorted(times)
    assert outcome.duration_s == 0.25


def test_b13_tasks_are_those_of_the_newest_invocation_and_pending_ones_have_no_status_file(driver):
    driver.evaluate({"a@t": "passed", "b@t": "pending"})
    outcome = driver.evaluate({"b@t": "pending", "c@t": "failed"})
    assert list(outcome.tasks) == ["b@t", "c@t"]
    assert outcome.tasks["b@t"].completed is False
    assert sorted(p.parent.name for p in driver.variant.glob("*/task_status.json")) == ["a@t", "c@t"]


def test_the_outcome_can_be_rebuilt_byte_for_byte(driver):
    driver.evaluate({"a@t": "passed", "b@t": "failed", "c@t": "error", "d@t": "no_samples"})
    live = {p: p.read_bytes() for p in driver.variant.rglob("*.json")}
    at = json.loads(live[driver.variant / "run_outcome.json"])["timestamp"]
    assert rebuild_outcome(driver.root, "v", at=at) == RunOutcome.model_validate_json(
        live[driver.variant / "run_outcome.json"]
    )
    shutil.rmtree(driver.variant)
    driver.variant.mkdir()
    with open_run(driver.base, "run") as run:
        project(run, "v", at=at)
    assert {p: p.read_bytes() for p in driver.variant.rglob("*.json")} == live


def test_rebuilding_reads_only(driver):
    driver.evaluate({"a@t": "passed"})
    before = {p: (p.stat().st_mtime_ns, p.stat().st_size) for p in driver.root.rglob("*")}
    rebuild_outcome(driver.root, "v", at="2026-01-02T00:00:00Z")
    assert {p: (p.stat().st_mtime_ns, p.stat().st_size) for p in driver.root.rglob("*")} == before


def test_while_an_invocation_runs_its_outcome_never_passes_the_gate(driver):
    driver.evaluate({"a@t": "passed"}, exit_policy="relaxed")
    with open_run(driver.base, "run") as run:
        begin(run, driver.request("a@t", "b@t", exit_policy="relaxed"), {})
        outcome = project(run, "v")
    assert (outcome.status, outcome.exit_code) == ("failed", 1)
    assert outcome.tasks["a@t"].status == "passed"
    assert outcome.tasks["b@t"].status == "pending"


def test_metrics_survive_a_resume_and_a_worse_attempt(driver):
    with open_run(driver.base, "run") as run:
        invocation = begin(run, driver.request("a@t"), {})
        metrics = {"score": 0.5, "passed_cases": 3, "label": "x", "flag": True, "wall_s": 3.0}
        driver.trial(run, "a@t", "failed", metrics=metrics)
        end(run, invocation, "completed", duration_s=0)
        project(run, "v")
    driver.evaluate({"a@t": "error"})
    driver.evaluate({"b@t": "passed"})
    summary = RunSummary.model_validate_json((driver.variant / "run_summary.json").read_bytes())
    numbers = {k: v for k, v in summary.tasks["a@t"].items() if not isinstance(v, dict)}
    assert numbers == {"score": 0.5, "passed_cases": 3}
    assert summary.tasks["a@t"].keys() - numbers.keys() == {
        "diagnostic_counts",
        "diagnostic_rates",
        "performance_summary",
    }


def test_a_damaged_summary_is_made_anew(driver):
    driver.evaluate({"a@t": "passed"})
    (driver.variant / "run_summary.json").write_bytes(b"{")
    driver.evaluate({"a@t": "passed"})
    _check("run_summary", driver.variant / "run_summary.json")


def test_details_are_given_for_an_error_only(driver):
    driver.evaluate({"a@t": "error", "b@t": "failed"})
    told = {
        ref: TaskStatus.model_validate_json((driver.variant / ref / "task_status.json").read_bytes())
        for ref in ("a@t", "b@t")
    }
    assert told["a@t"].details.error_type == "E"
    assert told["b@t"].details is None
    assert told["a@t"].fault == "challenge"


def test_a_skipped_task_is_replaced_by_a_later_trial(driver):
    with open_run(driver.base, "run") as run:
        invocation = begin(run, driver.request("a@t"), {})
        skip(run, invocation, ("v", "a@t", 0), "no_gpu")
        assert project(run, "v").tasks["a@t"].reason == "no_gpu"
        driver.trial(run, "a@t", "passed")
        assert project(run, "v").tasks["a@t"].status == "passed"
        skip(run, invocation, ("v", "a@t", 0), "no_gpu")
        assert project(run, "v").tasks["a@t"].status == "skipped"


def test_variants_have_outcomes_of_their_own(driver):
    with open_run(driver.base, "run") as run:
        request = driver.request("a@t", variants={"v": "v", "m": "org/m"}, requested={"v": ("a@t",), "m": ("a@t",)})
        invocation = begin(run, request, {})
        driver.trial(run, "a@t", "passed")
        end(run, invocation, "completed", duration_s=0)
        told = {name: project(run, name) for name in ("v", "m")}
    assert (told["v"].status, told["m"].status) == ("passed", "failed")
    assert told["m"].model == "org/m"
    assert read_run(driver.root).variants == {"v": "v", "m": "org/m"}
    with pytest.raises(UsageError) as e:
        rebuild_outcome(driver.root, "absent", at="2026-01-02T00:00:00Z")
    assert e.value.code == "no_such_variant"


def test_git_facts_are_of_the_directory_and_absent_where_there_is_no_repository(tmp_path, monkeypatch):
    assert git_facts(tmp_path).model_dump() == {"available": False}
    assert git_facts(tmp_path / "absent").available is False
    for name, value in {"GIT_CONFIG_GLOBAL": "/dev/null", "GIT_CONFIG_SYSTEM": "/dev/null"}.items():
        monkeypatch.setenv(name, value)
    import subprocess

    def git(*arguments):
        subprocess.run(["git", "-c", "user.name=n", "-c", "user.email=e", *arguments], cwd=tmp_path, check=True)

    git("init", "-q")
    assert git_facts(tmp_path) == GitFacts(repo=str(tmp_path), commit=None, dirty=False)
    (tmp_path / "f").write_text("x")
    git("add", "f")
    git("commit", "-q", "-m", "m")
    clean = git_facts(tmp_path)
    assert (clean.dirty, len(clean.commit)) == (False, 40)
    (tmp_path / "new").write_text("x")
    assert git_facts(tmp_path).dirty is True
