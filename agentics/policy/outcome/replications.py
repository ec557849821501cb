"""Several replications of one task as one task: its status by the rules for subtasks, its metric their mean."""

from __future__ import annotations

from collections.abc import Sequence

from agentics.model.document.record import Fault, Status
from agentics.model.run.outcome import LimitUsage, PrimaryMetric, SampleSummary, SubtaskRecord, TaskFacts

_BLAME: tuple[Fault, ...] = ("infrastructure", "challenge", "user", "participant")
_BY_RANK: tuple[tuple[frozenset[Status], Status, str], ...] = (
    (frozenset({"pending"}), "pending", "subtask_pending"),
    (frozenset({"failed"}), "failed", "subtask_failure"),
    (frozenset({"skipped"}), "skipped", "subtask_skipped"),
    (frozenset({"no_samples"}), "no_samples", "subtask_no_samples"),
    (frozenset({"degraded"}), "degraded", "subtask_degraded"),
)


def combined(facts: Sequence[TaskFacts]) -> TaskFacts:
    """The task of which these are the replications, in order. One stands for itself."""
    first = facts[0]
    if len(facts) == 1:
        return first
    status, reason = _status([each.status for each in facts])
    faults = {each.fault for each in facts}
    return first.model_copy(
        update={
            "status": status,
            "reason": reason,
            "fault": next((fault for fault in _BLAME if fault in faults), None),
            "summary": _samples([each.summary for each in facts]),
            # Of an official evaluation nothing below the task is shown.
            "subtasks": {} if first.mode == "official" else _subtasks(facts),
            "updated_at": max(each.updated_at for each in facts),
            "primary_metric": _mean(facts),
            "attempts": sum(each.attempts for each in facts),
            "wall_s": _total([each.wall_s for each in facts]),
            "memory_peak_bytes": max(
                (e.memory_peak_bytes for e in facts if e.memory_peak_bytes is not None), default=None
            ),
            "usage": _usage(facts),
        }
    )


def _status(statuses: Sequence[Status]) -> tuple[Status, str | None]:
    if "error" in statuses and not {"pending", "failed"} & set(statuses):
        # No verdict is no failure: an error stays one.
        return "error", "subtask_error"
    return next(((status, reason) for which, status, reason in _BY_RANK if which & set(statuses)), ("passed", None))


def _samples(summaries: Sequence[SampleSummary]) -> SampleSummary:
    known = [s for s in summaries if s.total_samples is not None]
    if not known:
        return SampleSummary()
    total = sum(s.total_samples or 0 for s in known)
    errors = sum(s.error_count or 0 for s in known)
    rate = round(errors / total, 6) if total else None
    return SampleSummary(
        total_samples=total,
        valid_samples=sum(s.valid_samples or 0 for s in known),
        error_count=errors,
        error_rate=rate,
        invalid_response_rate=rate,
        connectivity_error_rate=0.0 if total else None,
        response_rate=round(1 - rate, 6) if rate is not None else None,
    )


def _subtasks(facts: Sequence[TaskFacts]) -> dict[str, SubtaskRecord]:
    return {
        f"repl_{index}": SubtaskRecord(
            status=each.status,
            reason=each.reason,
            summary=each.summary,
            score=each.primary_metric.value if each.primary_metric else None,
        )
        for index, each in enumerate(facts)
    }


def _mean(facts: Sequence[TaskFacts]) -> PrimaryMetric | None:
    """Over those with a verdict; None, never zero, where there is none."""
    known = [each.primary_metric for each in facts if each.primary_metric is not None]
    if not known:
        return None
    return known[0].model_copy(update={"value": sum(metric.value for metric in known) / len(known)})


def _usage(facts: Sequence[TaskFacts]) -> LimitUsage | None:
    """The slowest run and the highest peak of all."""
    known = [each.usage for each in facts if each.usage is not None]
    if not known:
        return None
    peaks = [usage.memory_peak_bytes for usage in known if usage.memory_peak_bytes is not None]
    slowest = max(known, key=lambda usage: usage.slowest_s)
    return slowest.model_copy(update={"memory_peak_bytes": max(peaks, default=None)})


def _total(values: Sequence[float | None]) -> float | None:
    known = [value for value in values if value is not None]
    return round(sum(known), 6) if known else None
