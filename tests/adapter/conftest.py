"""A small finished run, made by hand, and adapters that are small programs: good ones, and ones that break a rule."""

from __future__ import annotations

import hashlib
import json
import sys
import threading
from pathlib import Path
from typing import Any

import pytest

from agentics.errors import BenchmarkError
from agentics.model.run.design import AdapterCommand
from agentics.rundir.benchmark import read_benchmark
from agentics.runner.adapter import BenchmarkResult, run_adapter

RUN_ID = "nightly"
AT = "2026-01-31T09:00:00Z"
REFS = (
    "workspace_pre_ref",
    "workspace_post_ref",
    "diff_incremental_ref",
    "diff_cumulative_ref",
    "patch_incremental_ref",
    "patch_cumulative_ref",
)
ROWS = """
import json, os, sys

def read(path):
    with open(path) as file:
        return [json.loads(line) for line in file]

def write(path, *documents):
    with open(path, "w") as file:
        file.writelines(json.dumps(one) + "\\n" for one in documents)

E = os.environ
IDS = [line["ids"] for line in read(E["AGENTICS_EVIDENCE_RECORDS_PATH"])]
NAME = {"adapter_id": "mine", "name": "bench", "split": "test"}
EVALUATOR = {"name": "grader", "mode": "custom"}
MANIFEST = {
    "schema_version": "benchmark_adapter_manifest_v1", "adapter_id": "mine", "adapter_version": "1",
    "benchmark": {"name": "bench", "split": "test"}, "execution_mode": "predict_then_score",
    "record_schemas": {"prediction": "benchmark_prediction_record_v1", "score": "benchmark_score_record_v1"},
    "evaluator": EVALUATOR,
}
PREDICTIONS = [
    {"schema_version": "benchmark_prediction_record_v1", "ids": ids, "benchmark": NAME,
     "prediction": {"kind": "text", "value": "42"}} for ids in IDS
]
SCORES = [
    {"schema_version": "benchmark_score_record_v1", "ids": ids, "benchmark": NAME, "verdict": "pass",
     "primary_metric_name": "accuracy", "primary_metric_value": 0.5, "evaluator": EVALUATOR} for ids in IDS
]
SUMMARY = {
    "schema_version": "benchmark_summary_v1", "run_id": E["AGENTICS_RUN_ID"], "benchmark": NAME,
    "totals": {"trials": 9, "pass": 9, "fail": 0, "missing": 0, "error": 0},
    "variants": [{"variant_id": "a", "total": 9, "pass": 9, "fail": 0, "missing": 0, "error": 0, "pass_rate": 1}],
}
"""
WRITE = """
write(E["AGENTICS_ADAPTER_MANIFEST_PATH"], MANIFEST)
write(E["AGENTICS_PREDICTIONS_PATH"], *PREDICTIONS)
write(E["AGENTICS_SCORES_PATH"], *SCORES)
"""


def store(root: Path, data: bytes) -> str:
    digest = hashlib.sha256(data).hexdigest()
    place = root / "artifacts" / "sha256" / digest
    place.mkdir(parents=True, exist_ok=True)
    (place / "blob").write_bytes(data)
    return f"artifact://sha256/{digest}"


def ids(number: int, variant: str = "a") -> dict[str, Any]:
    return {
        "run_id": RUN_ID,
        "trial_id": f"trial_{number}",
        "variant_id": variant,
        "task_id": f"sums.cpu{number}",
        "repl_idx": 0,
    }


def result(own: dict[str, Any], outcome: str = "success", **more: Any) -> dict[str, Any]:
    """agent_result_v1, with the outcome's status."""
    status = {"success": "passed", "failure": "failed", "missing": "no_samples", "error": "error"}[outcome]
    cause = {"reason": "verdict_fail"} if outcome == "failure" else {}
    if outcome == "error":
        cause = {"reason": "evaluator_crashed", "fault": "challenge"}
    ext = {"status": status, "mode": "validation", "trust": "isolated", "attempt": 1, **cause}
    ext |= {"started_at": AT, "ended_at": AT}
    return {"schema_version": "agent_result_v1", "ids": own, "outcome": outcome, "ext": ext, **more}


def evidence(root: Path, document: dict[str, Any] | bytes, own: dict[str, Any], attempt: int = 1, **refs: Any) -> None:
    """One line of the ledger, with its artifacts."""
    data = document if isinstance(document, bytes) else json.dumps(document).encode()
    line = {
        "schema_version": "evidence_record_v1",
        "ts": AT,
        "ids": own,
        "attempt": attempt,
        "policy": {
            "state_policy": "isolate_per_trial",
            "task_model": "independent",
            "chain_id": own["trial_id"],
            "chain_step_index": 0,
        },
        "runtime": {"executor": "local_docker", "exit_status": "0", "duration_ms": 12.5},
        "evidence": {
            "trial_input_ref": store(root, b"{}"),
            "trial_output_ref": store(root, data),
            **dict.fromkeys(REFS),
            "stdout_ref": None,
            **refs,
        },
        "paths": {"trial_output": f"trials/{own['trial_id']}/result.json"},
        "prev": "sha256:" + "0" * 64,
    }
    ledger = root / "evidence" / "evidence_records.jsonl"
    ledger.parent.mkdir(exist_ok=True)
    with ledger.open("a", encoding="utf-8") as file:
        file.write(json.dumps(line) + "\n")


def trial(root: Path, number: int, outcome: str = "success", *, variant: str = "a", **more: Any) -> dict[str, Any]:
    """A trial that is complete, in its own directory and in the evidence; its ids."""
    own = ids(number, variant)
    document = result(own, outcome, **more)
    place = root / "trials" / own["trial_id"]
    place.mkdir(parents=True)
    (place / "result.json").write_text(json.dumps(document), encoding="utf-8")
    state = {"schema_version": "trial_state_v1", "trial_id": own["trial_id"], "status": "completed"}
    (place / "trial_state.json").write_text(json.dumps(state), encoding="utf-8")
    evidence(root, document, own)
    return own


@pytest.fixture
def root(tmp_path: Path) -> Path:
    """A run without trials."""
    place = tmp_path / RUN_ID
    (place / "runtime").mkdir(parents=True)
    (place / "evidence").mkdir()
    (place / "evidence" / "evidence_records.jsonl").touch()
    return place


@pytest.fixture
def run(root: Path) -> Path:
    """A run with two trials, one of which the evaluator failed."""
    trial(root, 1)
    trial(root, 2, "failure")
    return root


def python(script: str, **more: Any) -> AdapterCommand:
    return AdapterCommand(command=(sys.executable, "-I", "-c", ROWS + script), **more)


def score(
    root: Path, adapter: AdapterCommand | str = WRITE, interrupt: threading.Event | None = None
) -> BenchmarkResult:
    """The adapter, run as `agentics` runs it; a text is a program that has everything of ROWS."""
    command = python(adapter) if isinstance(adapter, str) else adapter
    return run_adapter(root, RUN_ID, command, cwd=root.parent, interrupt=interrupt or threading.Event())


def lines(path: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines()]


def contents(root: Path) -> dict[str, bytes]:
    """Every file below, by its path."""
    return {path.relative_to(root).as_posix(): path.read_bytes() for path in root.rglob("*") if path.is_file()}


def refused(root: Path, adapter: AdapterCommand | str, interrupt: threading.Event | None = None) -> BenchmarkError:
    """The error; and no trial has changed, and no score is to be seen."""
    before = {path: data for path, data in contents(root).items() if path.startswith(("trials/", "evidence/"))}
    with pytest.raises(BenchmarkError) as caught:
        score(root, adapter, interrupt)
    after = contents(root)
    assert {path: after[path] for path in before} == before
    assert read_benchmark(root, RUN_ID) is None
    assert not (root / "benchmark").exists()
    assert caught.value.exit_status == 4
    return caught.value
