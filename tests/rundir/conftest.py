"""A run directory driven as a runner would drive it, without containers."""

import subprocess
import sys
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from agentics.model.run.directory import ResultError, ResultExt, Scope, TrialInput, TrialResult
from agentics.model.run.outcome import Invocation, NoGit, SampleSummary
from agentics.policy.publish.redact import Redactor
from agentics.rundir.files.atomic import utc_now
from agentics.rundir.projections.outcome import project, tasks_to_run
from agentics.rundir.run import RunRequest, begin, end, open_run
from agentics.rundir.trial import begin_attempt, check_scopes, finish, trial_for
from tests.runner.lab import Lab, evaluator, lab, solution

__all__ = ["lab"]

OUTCOMES = {"passed": "success", "degraded": "success", "failed": "failure", "no_samples": "missing"}
FAULTS = {"error": "challenge"}


@dataclass
class Driver:
    """Evaluates: `ran` says which tasks were really run, across all invocations."""

    base: Path
    run_id: str = "run"
    ran: list[str] = field(default_factory=list)

    @property
    def root(self) -> Path:
        return self.base / self.run_id

    @property
    def variant(self) -> Path:
        return self.root / "v"

    def scope(self, task: str, **more) -> Scope:
        facts = {"bundle_digest": "sha256:b", "solution_digest": "sha256:s", "target": "t", "mode": "validation"}
        return Scope(task=task, **{**facts, **more})

    def request(self, *tasks: str, **more) -> RunRequest:
        facts = {
            "variants": {"v": "v"},
            "requested": {"v": tasks},
            "exit_policy": "strict",
            "invocation": Invocation(argv=("agentics", "eval"), cli_args={}, cwd="/"),
            "git": NoGit(),
            "agentics_version": "0",
            "redactor": Redactor(),
        }
        return RunRequest(**{**facts, **more})

    def result(self, ids, attempt: int, status: str, **more) -> TrialResult:
        now = utc_now()
        bad = status in {"failed", "error", "pending"}
        ext = ResultExt(
            status=status,
            reason=f"because_{status}" if bad else None,
            fault=FAULTS.get(status),
            mode="validation",
            trust="isolated",
            attempt=attempt,
            started_at=now,
            ended_at=now,
            summary=SampleSummary(total_samples=2, valid_samples=2, error_count=0),
        )
        outcome = OUTCOMES.get(status, "error")
        error = ResultError(error_type="E", message="m") if status == "error" else None
        return TrialResult(**{"ids": ids, "outcome": outcome, "ext": ext, "error": error, **more})

    def evaluate(self, statuses: dict[str, str], *, limit=None, fatal=None, **more):
        """One whole invocation over these tasks, each of which comes to the status given; its outcome."""
        with open_run(self.base, self.run_id) as run:
            check_scopes(run, {("v", t, 0): self.scope(t, limit=limit) for t in statuses})
            invocation = begin(run, self.request(*statuses, **more), {"tasks": list(statuses)})
            for task in tasks_to_run(run, "v", tuple(statuses)):
                if statuses[task] != "pending":
                    self.trial(run, task, statuses[task], limit=limit)
            end(run, invocation, "completed", duration_s=0.25, fatal=fatal)
            return project(run, "v")

    def trial(self, run, task: str, status: str, *, limit=None, **more):
        ids = trial_for(run, ("v", task, 0), self.scope(task, limit=limit))
        attempt = begin_attempt(run, ids, TrialInput(ids=ids, task={"ref": task}), {"stages": []})
        self.ran.append(task)
        finish(attempt, self.result(ids, attempt.number, status, **more))
        return attempt


@pytest.fixture
def driver(tmp_path) -> Driver:
    return Driver(tmp_path / "out")


@pytest.fixture
def script():
    """A Python program of its own, its lines read as they come."""
    started = []

    def start(source: str, *arguments: str) -> subprocess.Popen:
        process = subprocess.Popen(
            [sys.executable, "-c", source, *map(str, arguments)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
            bufsize=1,
        )
        started.append(process)
        return process

    yield start
    for process in started:
        process.kill()
        process.wait()
        process.stdin.close()
        process.stdout.close()


@pytest.fixture
def finished(lab: Lab) -> Path:
    """A run that has ended: two variants on two tasks, one of which failed, and a second attempt at the other."""
    lab.bundle("one")
    lab.bundle("two")
    solution(lab.home, "other", **{"run.sh": "cat; true\n"})
    assert lab.eval("one", "--solution", "other").status == 0
    lab.engine.behaviours["separated-evaluator"] = evaluator(2)
    assert lab.eval("two", "one", "--solution", "other", "--no-resume").status == 1
    return lab.home / "outputs" / "r"
