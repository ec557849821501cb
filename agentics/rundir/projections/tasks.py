"""What a trial says about its task: the task's facts and metrics, read off one trial. Pure."""

from __future__ import annotations

from collections.abc import Sequence

from pydantic import JsonValue

from agentics.model.document.record import Fault, Status
from agentics.model.run.directory import TaskSkipped, TrialResult
from agentics.model.run.outcome import ErrorDetails, TaskFacts
from agentics.rundir.derived import WORKER_LOST
from agentics.rundir.reader import TrialView

_BOOKKEEPING = frozenset({"total_samples", "valid_samples", "error_count", "throughput", "duration_s", "wall_s"})


def task_facts(ref: str, trial: TrialView | None, *, since: str) -> TaskFacts:
    """The facts of a task from its trial; pending since `since` where there is none yet."""
    if trial is None or trial.state is None:
        return TaskFacts(task=ref, status="pending", reason="not_started", updated_at=since)
    scope = trial.metadata.scope
    known: dict[str, object] = {
        "task": ref,
        "updated_at": trial.state.updated_at,
        "mode": scope.mode,
        "bundle_digest": scope.bundle_digest,
        "solution_digest": scope.solution_digest,
        "scope": trial.metadata.scope_fingerprint,
        "trial_id": trial.ids.trial_id,
        "attempts": trial.attempts,
    }
    said = _said(trial.result) if trial.result is not None else _without_result(trial)
    return TaskFacts.model_validate({**known, **said})


def skipped_facts(skipped: TaskSkipped) -> TaskFacts:
    return TaskFacts(
        task=skipped.task, status="skipped", reason=skipped.reason, detail=skipped.detail, updated_at=skipped.at
    )


def details_of(trial: TrialView | None, facts: TaskFacts) -> ErrorDetails | None:
    """For status error only: what kind of error, and its traceback if there is one."""
    if facts.status != "error":
        return None
    result = trial.result if trial is not None else None
    if result is not None and result.ext.details is not None:
        return result.ext.details
    if result is not None and result.error is not None:
        return ErrorDetails(error_type=result.error.error_type, traceback=result.error.stack)
    return ErrorDetails(error_type=facts.reason or "error")


def diagnostics_of(results: Sequence[TrialResult]) -> dict[str, JsonValue] | None:
    """What is known beside the verdict from the results of a task's replications, in their order; None for nothing.

    `load`: how busy the machine was, of the first replication that it makes doubtful, else of the first.
    `challenge_setup`: how the first replication came by what the challenge's setup leaves.
    """
    loads = [result.ext.load for result in results if result.ext.load is not None]
    load = next((each for each in loads if each.doubtful), loads[0] if loads else None)
    setup = next((result.ext.setup for result in results if result.ext.setup is not None), None)
    found: dict[str, JsonValue] = {}
    if load is not None:
        found["load"] = load.model_dump(mode="json")
    if setup is not None:
        found["challenge_setup"] = setup.model_dump(mode="json", include={"reused", "made_at"})
    return found or None


def metrics_of(result: TrialResult) -> dict[str, JsonValue]:
    """What run_summary.json keeps of a result: its numbers, without the bookkeeping, and three groups of figures."""
    numbers: dict[str, JsonValue] = {
        name: value
        for name, value in result.metrics.items()
        if isinstance(value, int | float) and not isinstance(value, bool) and name not in _BOOKKEEPING
    }
    summary = result.ext.summary.model_dump(mode="json")
    groups: dict[str, JsonValue] = {
        "diagnostic_counts": {k: v for k, v in summary.items() if not k.endswith("_rate") and v is not None},
        "diagnostic_rates": {k: v for k, v in summary.items() if k.endswith("_rate") and v is not None},
        "performance_summary": {"wall_s": result.ext.wall_s, "memory_peak_bytes": result.ext.memory_peak_bytes},
    }
    return {**numbers, **groups}


def _said(result: TrialResult) -> dict[str, object]:
    ext = result.ext
    shared = ("status", "reason", "fault", "trust", "primary_metric", "summary", "subtasks", "wall_s")
    return {name: getattr(ext, name) for name in (*shared, "memory_peak_bytes", "usage")}


def _without_result(trial: TrialView) -> dict[str, object]:
    status, reason, fault = _ending(trial)
    return {"status": status, "reason": reason, "fault": fault}


def _ending(trial: TrialView) -> tuple[Status, str, Fault | None]:
    state = trial.state
    reason = (state.exit_reason if state else None) or "interrupted"
    match state.status if state else None:
        case "running" | "paused" as word:
            return "pending", word, None
        case "killed" if reason == "killed_by_user":
            return "error", "killed", "user"
        case "killed":
            return "pending", reason, None
        case "failed" if reason == WORKER_LOST:
            return "error", "worker_lost", "infrastructure"
        case _:
            # The state says that there was a result, and there is none that can be believed.
            return "error", "result_damaged", "infrastructure"
