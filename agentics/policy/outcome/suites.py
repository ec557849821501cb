"""One number for a suite from what its tasks measured. A task without a number is missing, and never counts as zero."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from agentics.model.job.suite import Suite, SuiteScore, SuiteTask, TaskScore


@dataclass(frozen=True, kw_only=True)
class Measured:
    """A metric of a task. `value` None or not finite: there is no number. `n` samples of `of` are in it; `complete`:
    no answer is missing."""

    value: float | None
    stderr: float | None = None
    n: int | None = None
    of: int | None = None
    complete: bool = True


def suite_score(suite: Suite, measured: Mapping[str, Mapping[str, Measured]]) -> SuiteScore:
    """`measured`: by task reference (`id|fewshot`), then by metric. What else is in there does not count."""
    tasks = tuple(_task_score(suite, task, measured.get(task.ref)) for task in suite.tasks)
    there = [task for task in tasks if task.value is not None]
    missing = tuple(task.task for task in tasks if task.value is None)
    partial = tuple(task.task for task in there if not measured[task.task][task.metric].complete)
    score, stderr, reason = _combined(suite, there, missing, partial)
    return SuiteScore(
        suite=suite.name,
        version=suite.version,
        aggregation=suite.aggregation,
        policy=suite.missing_tasks,
        score=score,
        stderr=stderr,
        reason=reason,
        missing_tasks=missing,
        partial_tasks=partial,
        renormalized=score is not None and bool(missing),
        tasks=tasks,
    )


def metric_of(suite: Suite, task: SuiteTask) -> str:
    """The metric that counts; "" where the suite, against its rules, names none."""
    return task.primary_metric or suite.primary_metric or ""


def _task_score(suite: Suite, task: SuiteTask, found: Mapping[str, Measured] | None) -> TaskScore:
    metric = metric_of(suite, task)
    said = TaskScore(task=task.ref, metric=metric, weight=task.weight)
    if found is None:
        return said.model_copy(update={"missing": "no_result"})
    if metric not in found:
        return said.model_copy(update={"missing": "no_metric"})
    value, stderr = found[metric].value, found[metric].stderr
    said = said.model_copy(update={"n": found[metric].n, "of": found[metric].of})
    if value is None or not math.isfinite(value):
        return said.model_copy(update={"missing": "not_a_number"})
    known = stderr is not None and math.isfinite(stderr)
    return said.model_copy(update={"value": float(value), "stderr": stderr if known else None})


def _combined(
    suite: Suite, there: Sequence[TaskScore], missing: Sequence[str], partial: Sequence[str]
) -> tuple[float | None, float | None, str | None]:
    """Score, standard error, and why there is no score."""
    if (missing or partial) and suite.missing_tasks == "strict":
        return None, None, "missing_tasks" if missing else "missing_answers"
    if not there:
        return None, None, "nothing_measured"
    values = [task.value for task in there if task.value is not None]
    match suite.aggregation:
        case "min":
            return min(values), None, None
        case "geometric_mean":
            return _geometric(values)
        case "mean":
            return (*_weighted(there, [1.0] * len(there)), None)
        case "weighted_mean":
            return (*_weighted(there, [task.weight for task in there]), None)


def _weighted(there: Sequence[TaskScore], weights: Sequence[float]) -> tuple[float, float | None]:
    """The tasks are taken as independent: sqrt(sum w² se²) / sum w."""
    total = math.fsum(weights)
    shares = [weight / total for weight in weights]
    mean = math.fsum(share * task.value for share, task in zip(shares, there, strict=True) if task.value is not None)
    errors = [task.stderr for task in there if task.stderr is not None]
    if len(errors) < len(there):
        return mean, None
    return mean, math.hypot(*(share * error for share, error in zip(shares, errors, strict=True)))


def _geometric(values: Sequence[float]) -> tuple[float | None, None, str | None]:
    if min(values) < 0:
        return None, None, "negative_value"
    if min(values) == 0:
        return 0.0, None, None
    return math.exp(math.fsum(map(math.log, values)) / len(values)), None, None
