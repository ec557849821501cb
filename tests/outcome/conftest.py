"""Outcome documents to test with, built by the code under test from as few words as possible."""

from collections.abc import Callable

import pytest

from agentics.model.run.outcome import ArtifactPath, Artifacts, Invocation, NoGit, RunOutcome, TaskRecord
from agentics.policy.outcome.run_outcome import RunFacts, build_outcome

NOW = "2026-01-02T03:04:05.000000Z"


def _record(ref, status, fault=None, **more):
    completed = status in {"passed", "degraded", "skipped", "no_samples"}
    return TaskRecord(
        task=ref, status=status, fault=fault, completed=completed, updated_at=NOW, task_output_dir=f"/r/v/{ref}", **more
    )


def _facts(**more):
    place = ArtifactPath(path="/r/v", exists=True)
    names = ("model_output_dir", "run_outcome", "run_summary", "probe_report", "probe_summary", "log_file")
    globs = ("task_status_glob", "task_per_sample_metrics_glob", "task_performance_summary_glob")
    artifacts = Artifacts(**dict.fromkeys(names, place), **dict.fromkeys(globs, "/r/v/*"))
    facts = {
        "model": "v",
        "run_id": "r",
        "agentics_version": "0",
        "written_at": NOW,
        "started_at": NOW,
        "ended_at": NOW,
        "duration_s": 0.5,
        "exit_policy": "strict",
        "invocation": Invocation(argv=("agentics", "eval"), cli_args={}, cwd="/"),
        "git": NoGit(),
        "artifacts": artifacts,
    }
    return RunFacts(**{**facts, **more})


@pytest.fixture
def record() -> Callable[..., TaskRecord]:
    return _record


@pytest.fixture
def outcome() -> Callable[..., RunOutcome]:
    """Of tasks with these statuses, in order: t0, t1, …"""

    def build(*statuses, **facts):
        return build_outcome(_facts(**facts), [_record(f"t{i}", s) for i, s in enumerate(statuses)])

    return build
