"""Models against each other, only where that means something: the same scoring, tasks, data, prompts and settings."""

from __future__ import annotations

import json
import math
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field

from agentics.errors import UsageError
from agentics.model.job.comparison import JobComparison, Leaderboard, LeaderboardEntry, MetricComparison, TaskComparison
from agentics.model.job.job_result import JobResult, MetricSummary
from agentics.model.job.worker_protocol import DetailRow
from agentics.policy.compare.statistics import mean_of_differences
from agentics.policy.outcome.samples import mean, metric_value

Samples = Mapping[tuple[int, str], float]
"""A metric's value of every document, by few-shot seed and document."""

_SHOWN = 5


@dataclass(frozen=True, kw_only=True)
class Contender:
    """A job's results by task reference; `score` is the one number of all of them, if there is one. `samples`: by task
    reference, then by metric, what a paired comparison needs."""

    name: str
    results: Mapping[str, JobResult]
    score: float | None = None
    stderr: float | None = None
    samples: Mapping[str, Mapping[str, Samples]] = field(default_factory=dict)


def differing(one: JobResult, other: JobResult) -> tuple[str, ...]:
    """What is not the same of what must be to compare two results: `mode` and `task`, `data`, `prompt`, `generation`,
    …; nothing where they can be compared."""
    found = [] if (one.task, one.fewshot) == (other.task, other.fewshot) else ["task"]
    found += [] if one.scoring_mode == other.scoring_mode else ["mode"]
    if one.comparability != other.comparability:
        names = dict.fromkeys([*one.compared_on, *other.compared_on])
        parts = [name for name in names if one.compared_on.get(name) != other.compared_on.get(name)]
        found += parts or ["comparability"]
    return tuple(dict.fromkeys(found))


def check_comparable(contenders: Sequence[Contender]) -> None:
    """Raises UsageError (`not_comparable`), naming what differs, unless any two agree on every task that both have."""
    different = []
    for index, one in enumerate(contenders):
        for other in contenders[index + 1 :]:
            different += [
                f"{ref}: {', '.join(parts)} ({one.name}, {other.name})"
                for ref, parts in _differences(one.results, other.results)
            ]
    if different:
        more = f" and {len(different) - _SHOWN} more" if len(different) > _SHOWN else ""
        msg = f"not comparable, because these differ: {'; '.join(different[:_SHOWN])}{more}"
        hint = "run both with the same tasks, data, generation settings and scoring"
        raise UsageError(msg, code="not_comparable", hint=hint)


def compare_jobs(baseline: Contender, variant: Contender) -> JobComparison:
    """Over the documents that both have. Raises UsageError (`not_comparable`), also where the two have no task in
    common, or no document of which both have a value."""
    check_comparable([baseline, variant])
    both = [ref for ref in baseline.results if ref in variant.results]
    if not both:
        msg = f"{baseline.name} and {variant.name} have no task in common"
        raise UsageError(msg, code="not_comparable", hint="compare results of the same tasks")
    tasks = tuple(_task(ref, baseline, variant) for ref in both)
    if all(metric.difference is None for task in tasks for metric in task.metrics):
        msg = f"{baseline.name} and {variant.name} have a value of no document in common"
        raise UsageError(msg, code="not_comparable", hint="run them again: a job asks for the answers that it lacks")
    return JobComparison(
        baseline=baseline.name,
        variant=variant.name,
        scoring_mode=baseline.results[both[0]].scoring_mode,
        tasks=tasks,
        baseline_only=tuple(ref for ref in baseline.results if ref not in variant.results),
        variant_only=tuple(ref for ref in variant.results if ref not in baseline.results),
    )


def leaderboard(contenders: Sequence[Contender]) -> Leaderboard:
    """Best first; who has no score comes last, without a rank. Raises UsageError (`not_comparable`): scoring modes,
    settings or directions of metrics differ, or the scores are of other tasks."""
    check_comparable(contenders)
    scored = [each for each in contenders if each.score is not None]
    _check_same_tasks(scored)
    results = [result for each in contenders for result in each.results.values()]
    modes, directions = {result.scoring_mode for result in results}, _directions(results)
    if len(modes) != 1 or len(directions) > 1:
        what = "scoring modes" if len(modes) != 1 else "directions of metrics"
        msg = f"no leaderboard without one of its {what} for all"
        raise UsageError(msg, code="not_comparable", hint="a leaderboard orders numbers that mean the same")
    higher = directions != {False}
    scored.sort(key=lambda each: (-(each.score or 0.0) if higher else (each.score or 0.0), each.name))
    places = [_place(each, _rank(each, scored)) for each in scored]
    rest = sorted((each for each in contenders if each.score is None), key=lambda each: each.name)
    return Leaderboard(
        scoring_mode=modes.pop(),
        higher_is_better=higher,
        places=(*places, *(_place(each, None) for each in rest)),
    )


def sample_values(rows: Iterable[DetailRow]) -> dict[str, dict[tuple[int, str], float]]:
    """By metric, the value of every document that has a number for it: what `Contender.samples` holds of a task."""
    found: dict[str, dict[tuple[int, str], float]] = {}
    for row in rows:
        for name, value in (json.loads(row.metric) if row.metric else {}).items():
            if isinstance(value, int | float) and math.isfinite(value):
                found.setdefault(name, {})[(row.seed, row.doc_id)] = float(value)
    return found


def _differences(one: Mapping[str, JobResult], other: Mapping[str, JobResult]) -> Iterator[tuple[str, tuple[str, ...]]]:
    for ref, result in one.items():
        parts = differing(result, other[ref]) if ref in other else ()
        if parts:
            yield ref, parts


def _check_same_tasks(scored: Sequence[Contender]) -> None:
    for each in scored[1:]:
        odd = sorted(each.results.keys() ^ scored[0].results.keys())
        if odd:
            msg = f"the scores of {scored[0].name} and {each.name} are not of the same tasks: {', '.join(odd[:_SHOWN])}"
            raise UsageError(msg, code="not_comparable", hint="rank jobs that have a result for the same tasks")


def _directions(results: Sequence[JobResult]) -> set[bool]:
    return {result.primary.higher_is_better for result in results if result.primary is not None}


def _place(one: Contender, rank: int | None) -> LeaderboardEntry:
    partial = tuple(ref for ref, result in one.results.items() if not result.complete)
    return LeaderboardEntry(rank=rank, name=one.name, score=one.score, stderr=one.stderr, partial=partial)


def _rank(one: Contender, scored: Sequence[Contender]) -> int:
    return 1 + next(place for place, each in enumerate(scored) if each.score == one.score)


def _task(ref: str, baseline: Contender, variant: Contender) -> TaskComparison:
    one, other = baseline.results[ref], variant.results[ref]
    left, right = baseline.samples.get(ref, {}), variant.samples.get(ref, {})
    metrics = []
    for name in one.metrics:
        if name not in other.metrics:
            continue
        means = {one.metrics[name].aggregation, other.metrics[name].aggregation} == {"mean"}
        primary = one.primary is not None and one.primary.name == name
        if means and ref in baseline.samples and ref in variant.samples:
            shared = _shared(left.get(name, {}), right.get(name, {}), one.metrics[name])
            metrics.append(_paired(name, one.metrics[name], shared, primary=primary))
        else:
            metrics.append(_whole(name, one, other, primary=primary))
    return TaskComparison(task=ref, metrics=tuple(metrics))


@dataclass(frozen=True, kw_only=True)
class _Shared:
    """The values of both over the documents that both have, in the same order."""

    baseline: Sequence[float]
    variant: Sequence[float]
    left_out: int


def _shared(baseline: Samples, variant: Samples, metric: MetricSummary) -> _Shared:
    both = [key for key in baseline if key in variant]
    left_out = max(metric.of, len(baseline.keys() | variant.keys())) - len(both)
    values = [[side[key] for key in both] for side in (baseline, variant)]
    return _Shared(baseline=values[0], variant=values[1], left_out=left_out)


def _paired(name: str, metric: MetricSummary, shared: _Shared, *, primary: bool) -> MetricComparison:
    apart = [right - left for left, right in zip(shared.baseline, shared.variant, strict=True)]
    found = mean_of_differences(apart) if apart else None
    difference = found.value if found is not None else None
    return MetricComparison(
        metric=name,
        primary=primary,
        higher_is_better=metric.higher_is_better,
        pairs=len(apart),
        left_out=shared.left_out,
        baseline=mean(shared.baseline),
        variant=mean(shared.variant),
        difference=difference,
        stderr=metric_value(apart).stderr,
        interval=found.interval if found is not None else None,
        better=_better(difference, higher=metric.higher_is_better),
    )


def _whole(name: str, one: JobResult, other: JobResult, *, primary: bool) -> MetricComparison:
    left, right = one.metrics[name], other.metrics[name]
    alike = one.complete and other.complete and left.mean is not None and right.mean is not None
    difference = _finite((right.mean or 0.0) - (left.mean or 0.0)) if alike else None
    return MetricComparison(
        metric=name,
        primary=primary,
        higher_is_better=left.higher_is_better,
        pairs=None,
        left_out=max(left.of - left.n, right.of - right.n),
        baseline=left.mean,
        variant=right.mean,
        difference=difference,
        stderr=_joint_error(left, right) if difference is not None else None,
        interval=None,
        better=_better(difference, higher=left.higher_is_better),
    )


def _better(difference: float | None, *, higher: bool) -> bool | None:
    return (difference > 0) == higher if difference else None


def _joint_error(left: MetricSummary, right: MetricSummary) -> float | None:
    """As if both were measured on different samples: rather too large."""
    if left.stderr is None or right.stderr is None:
        return None
    return _finite(math.hypot(left.stderr, right.stderr))


def _finite(number: float) -> float | None:
    return number if math.isfinite(number) else None
