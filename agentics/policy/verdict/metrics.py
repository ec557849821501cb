"""A set of metrics in, a status out: the status table of the outcome contract. `passed` needs positive evidence."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from agentics.model.document.record import Status

_COUNTS = ("total_samples", "valid_samples", "error_count", "run_samples")
_RATES = ("error_rate", "invalid_response_rate", "connectivity_error_rate", "response_rate")

MetricsStatus = tuple[Status, str | None]

NO_METRICS: MetricsStatus = ("no_samples", "no_metrics")
INVALID: MetricsStatus = ("failed", "invalid_metrics")


@dataclass(frozen=True)
class _Numbers:
    """`valid` is None when nothing tells it. `error`, `invalid`, `unreachable` are rates; absent ones are 0."""

    total: float
    valid: float | None
    error: float
    invalid: float
    unreachable: float


def status_from_metrics(metrics: Mapping[str, object]) -> MetricsStatus:
    """Status and reason of one set of metrics. What is missing is derived where it can be; what is not a finite,
    non-negative number (a bool, a text, NaN) is `invalid_metrics`, and a set that proves nothing is `no_metrics`."""
    known = {name: metrics[name] for name in (*_COUNTS, *_RATES) if metrics.get(name) is not None}
    if any(not _is_number(value) for value in known.values()):
        return INVALID
    given = {name: float(value) for name, value in known.items() if isinstance(value, int | float)}
    if any(given[name] != int(given[name]) for name in _COUNTS if name in given):
        return INVALID
    if (total := _total(given)) is None:
        return NO_METRICS
    if _contradicts_itself(given, total):
        return INVALID
    return _from_numbers(_derive(given, total))


def status_from_subtasks(statuses: Iterable[str]) -> MetricsStatus:
    """Status of a task from those of its subtasks, worst first. One that nobody finished leaves the task pending; a
    word that is no status is a failure; none at all proves nothing."""
    told = set(statuses)
    if not told:
        return NO_METRICS
    if told - {"passed", "degraded", "skipped", "no_samples", "pending"}:
        return "failed", "subtask_failure"
    order: tuple[Status, ...] = ("pending", "skipped", "no_samples", "degraded")
    worst = next((status for status in order if status in told), None)
    return (worst, f"subtask_{worst}") if worst else ("passed", None)


def _is_number(value: object) -> bool:
    if isinstance(value, bool) or not isinstance(value, int | float):
        return False
    try:
        return math.isfinite(value) and value >= 0
    except OverflowError:
        return False


def _total(given: Mapping[str, float]) -> float | None:
    for name in ("total_samples", "run_samples"):
        if name in given:
            return given[name]
    if "valid_samples" in given and "error_count" in given:
        return given["valid_samples"] + given["error_count"]
    return None


def _contradicts_itself(given: Mapping[str, float], total: float) -> bool:
    return given.get("valid_samples", 0.0) + given.get("error_count", 0.0) > total


def _derive(given: Mapping[str, float], total: float) -> _Numbers:
    valid, errors, rate = given.get("valid_samples"), given.get("error_count"), given.get("error_rate")
    invalid, unreachable = given.get("invalid_response_rate", 0.0), given.get("connectivity_error_rate", 0.0)
    if errors is None and valid is not None:
        errors = total - valid
    if errors is None and 1 in (invalid, unreachable):
        errors = total
    if errors is None and rate is not None:
        errors = min(rate, 1.0) * total
    if valid is None and errors is not None:
        valid = total - errors
    if rate is None:
        rate = errors / total if errors is not None and total else 0.0
    return _Numbers(total, valid, rate, invalid, unreachable)


def _from_numbers(n: _Numbers) -> MetricsStatus:
    if n.total == 0:
        return "no_samples", "no_samples"
    if n.valid == 0:
        return "failed", _why_none_is_valid(n)
    if n.error >= 1:
        return "failed", "all_samples_failed"
    if n.valid is None:
        return NO_METRICS
    if n.valid < n.total or max(n.error, n.invalid, n.unreachable) > 0:
        return "degraded", "partial_errors"
    return "passed", None


def _why_none_is_valid(n: _Numbers) -> str:
    if n.unreachable == 1:
        return "all_connectivity_errors"
    if n.invalid == 1:
        return "all_invalid_responses"
    return "no_valid_samples"
