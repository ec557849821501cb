"""Tasks in, outcome and exit code out. The only place that knows exit policies.

Exit codes of a run: 0 accepted by the policy; 1 policy not met, or a fatal exception of no other kind; 4 a challenge's
fault; 5 an infrastructure fault; 8 paused or killed by a controller; the codes of a fatal exception (2, 5, 7) and of a
signal (129, 130, 143).
Precedence: fatal, then `relaxed` gives 0, then 5, 4, 1, 0. Only tasks that the policy does not accept are looked at
for their fault: what was accepted is nobody's fault.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import get_args

from pydantic import JsonValue

from agentics.errors import UsageError
from agentics.model.document.record import Fault, Status
from agentics.model.run.outcome import (
    COMPLETED,
    NON_PASSING,
    Artifacts,
    Counts,
    Diagnostics,
    ErrorRecord,
    ExitPolicy,
    GitFacts,
    Invocation,
    NoGit,
    RunOutcome,
    RunSummary,
    RunVerdict,
    TaskRecord,
)

EXIT_POLICY_NOT_MET = 1
EXIT_CHALLENGE = 4
EXIT_INFRASTRUCTURE = 5
EXIT_CONTROLLED = 8

_BLOCKING_COUNTS = ("failed_tasks", "error_tasks", "pending_tasks", "no_samples_tasks", "skipped_tasks")

Judged = tuple[str, Fault | None]
"""Status and fault of one task."""


def to_run(status: str | None, fault: Fault | None = None) -> bool:
    """Whether a task with this status in its task_status.json is run (again) under the same run id. None: there is no
    such file, or it cannot be read."""
    return status not in COMPLETED or lacks_answers(status, fault)


def lacks_answers(status: str | None, fault: Fault | None) -> bool:
    """Whether answers are missing of a model that answered in part, and the model is not to blame: they are asked for
    when the task is run again. A solution that did not pass some cases has its result."""
    return status == "degraded" and fault in ("infrastructure", "user")


def run_status(statuses: Iterable[str]) -> RunVerdict:
    """Raises UsageError (no_tasks) for an empty list: a run of nothing is not a success."""
    told = set(statuses)
    if not told:
        raise _no_tasks()
    if told - COMPLETED:
        return "failed"
    return "passed" if told == {"passed"} else "degraded"


def check_policy(policy: str) -> ExitPolicy:
    """Raises UsageError (unknown_exit_policy)."""
    for known in get_args(ExitPolicy):
        if policy == known:
            return known  # type: ignore[no-any-return] # get_args cannot tell mypy what it returns
    msg = f"unknown exit policy {policy!r}"
    raise UsageError(msg, code="unknown_exit_policy", hint="relaxed, smoke or strict")


def accepts(policy: ExitPolicy, status: str) -> bool:
    """Whether the policy is content with a task of this status; a word that is no status pleases only `relaxed`."""
    if policy == "relaxed":
        return True
    return status == "passed" or (policy == "smoke" and status == "degraded")


def exit_code(policy: str, tasks: Sequence[Judged], *, fatal: int | None = None) -> int:
    """The exit code of a run. `fatal`: the exit status of the exception or signal that stopped it."""
    chosen = check_policy(policy)
    if fatal is not None:
        return fatal
    if not tasks:
        raise _no_tasks()
    blocking = [fault for status, fault in tasks if not accepts(chosen, status)]
    if "infrastructure" in blocking:
        return EXIT_INFRASTRUCTURE
    if "challenge" in blocking:
        return EXIT_CHALLENGE
    return EXIT_POLICY_NOT_MET if blocking else 0


def gate(outcome: RunOutcome | Mapping[str, object], exit_status: int) -> bool:
    """Whether an agent may go on: the process ended with 0, the run passed or degraded, and no task is missing from
    that. A document without the facts closes the gate."""
    document = outcome.model_dump(mode="json") if isinstance(outcome, RunOutcome) else outcome
    numbers = document.get("counts")
    if not isinstance(numbers, Mapping) or isinstance(exit_status, bool) or exit_status != 0:
        return False
    clear = all(type(numbers.get(name)) is int and numbers[name] == 0 for name in _BLOCKING_COUNTS)
    return clear and document.get("status") in ("passed", "degraded")


def counts(tasks: Iterable[TaskRecord]) -> Counts:
    records = tuple(tasks)
    told = {status: sum(r.status == status for r in records) for status in get_args(Status)}
    subtasks = [subtask for record in records for subtask in record.subtasks.values()]
    return Counts(
        requested_tasks=len(records),
        completed_tasks=sum(told[status] for status in COMPLETED),
        non_passing_tasks=sum(told[status] for status in NON_PASSING),
        requested_subtasks=len(subtasks),
        passed_subtasks=sum(subtask.status == "passed" for subtask in subtasks),
        **{f"{status}_tasks": number for status, number in told.items()},
    )


@dataclass(frozen=True, kw_only=True)
class RunFacts:
    """What an outcome says beside its tasks; all of it observed elsewhere. Times are RFC 3339 with `Z`."""

    model: str
    run_id: str
    agentics_version: str
    written_at: str
    started_at: str
    ended_at: str
    duration_s: float
    exit_policy: ExitPolicy
    invocation: Invocation
    git: GitFacts | NoGit
    artifacts: Artifacts
    fatal: int | None = None
    errors: tuple[ErrorRecord, ...] = field(default=())
    limit: int | None = None


def build_outcome(facts: RunFacts, tasks: Sequence[TaskRecord]) -> RunOutcome:
    """The outcome of one variant. Its tasks are the requested ones, in the order given."""
    judged = [(task.status, task.fault) for task in tasks]
    status: RunVerdict = "failed" if facts.fatal is not None else run_status(task.status for task in tasks)
    return RunOutcome(
        agentics_version=facts.agentics_version,
        model=facts.model,
        run_id=facts.run_id,
        timestamp=facts.written_at,
        started_at=facts.started_at,
        # A host's clock may be set back while a run goes on.
        ended_at=max(facts.started_at, facts.ended_at, key=datetime.fromisoformat),
        duration_s=round(max(0.0, facts.duration_s), 6),
        status=status,
        exit_policy=facts.exit_policy,
        exit_code=exit_code(facts.exit_policy, judged, fatal=facts.fatal),
        counts=counts(tasks),
        tasks={task.task: task for task in tasks},
        invocation=facts.invocation,
        git=facts.git,
        artifacts=facts.artifacts,
        errors=facts.errors,
        diagnostics=diagnostics(tasks, facts.limit),
    )


def diagnostics(tasks: Iterable[TaskRecord], limit: int | None) -> Diagnostics:
    """Sums over the tasks that know their samples; a rate only where there are samples. `doubtful_load`: tasks whose
    results the load of the machine makes doubtful; only where that is known of one."""
    tasks = tuple(tasks)
    loads = [load for task in tasks if isinstance(load := (task.diagnostics or {}).get("load"), dict)]
    known = [load["doubtful"] for load in loads if load["doubtful"] or load["foreign_share"] is not None]
    doubtful = {"doubtful_load": sum(map(bool, known))} if known else {}
    summaries = [task.summary for task in tasks if task.summary.total_samples is not None]
    total = sum(s.total_samples or 0 for s in summaries)
    errors = sum(s.error_count or 0 for s in summaries)
    sums = {"total_samples": total, "valid_samples": sum(s.valid_samples or 0 for s in summaries)}
    rates = {"error_rate": round(errors / total, 6)} if total else {}
    return Diagnostics(counts={**sums, "error_count": errors, **doubtful}, run_samples=limit, rates=rates)


def merge_summary(older: RunSummary | None, newer: RunSummary) -> RunSummary:
    """The newer summary, and the metrics of tasks that only the older one knows: measured is never blanked."""
    if older is None:
        return newer
    kept: dict[str, dict[str, JsonValue]] = {ref: metrics for ref, metrics in older.tasks.items() if metrics}
    fresh = {ref: metrics for ref, metrics in newer.tasks.items() if metrics or ref not in kept}
    return newer.model_copy(update={"tasks": dict(sorted({**kept, **fresh}.items()))})


def _no_tasks() -> UsageError:
    return UsageError("no task was asked for", code="no_tasks")
