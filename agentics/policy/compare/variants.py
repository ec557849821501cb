"""Variants laid side by side. Who has no verdict is excluded and counted with the reason, never taken for a loss."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

from agentics.model.run.analysis import (
    MeanDifference,
    PairedStatistics,
    SampleCoverage,
    UnpairedStatistics,
    VariantComparison,
    VariantSummary,
)
from agentics.model.run.design import Comparison
from agentics.model.run.outcome import PrimaryMetric
from agentics.policy.compare import statistics

PairVerdict = Literal["success", "failure"]
Key = tuple[str, int]
"""A task and a replication: what a pair has in common."""


@dataclass(frozen=True, kw_only=True)
class Observation:
    """One slot of a variant. `verdict` None: there is none, and `why` says so (a reason, `pending`, `missing`)."""

    task: str
    repl: int
    verdict: PairVerdict | None
    why: str = "pending"
    metric: PrimaryMetric | None = None

    @property
    def key(self) -> Key:
        return (self.task, self.repl)


PairResult = Literal["win", "loss", "tie", "excluded"]


@dataclass(frozen=True, kw_only=True)
class Pair:
    """The same task and replication, tried by both. `why`: what excludes it, for `excluded`."""

    baseline: Observation | None
    variant: Observation | None
    result: PairResult
    why: str | None = None


def summarise(observations: Sequence[Observation], events: Mapping[str, int]) -> VariantSummary:
    """One variant by itself. `events`: how many of each kind it had."""
    valid = [one for one in observations if one.verdict is not None]
    successes = sum(one.verdict == "success" for one in valid)
    metrics = [one.metric for one in valid if one.metric is not None]
    names = {metric.metric_name for metric in metrics}
    return VariantSummary(
        total=len(observations),
        success_rate=statistics.rate(successes, len(valid)),
        primary_metric_name=names.pop() if len(names) == 1 else None,
        primary_metric_mean=_mean([m.value for m in metrics]) if len({m.metric_name for m in metrics}) == 1 else None,
        event_counts=dict(events),
        valid=len(valid),
        successes=successes,
        success_interval=statistics.wilson(successes, len(valid)),
        excluded=_counted(one.why for one in observations if one.verdict is None),
        coverage=coverage_of((one.task, one.metric) for one in valid),
    )


def coverage_of(measured: Iterable[tuple[str, PrimaryMetric | None]]) -> SampleCoverage | None:
    """What metrics rest on, each given with its task; None where none of them is made of samples."""
    n, of, lacking = 0, 0, Counter[str]()
    for task, metric in measured:
        if metric is not None and metric.n is not None and metric.of is not None:
            n, of = n + metric.n, of + metric.of
            lacking[task] += max(0, metric.of - metric.n)
    return SampleCoverage(n=n, of=of, lacking=dict(+lacking)) if of else None


def compare(
    observations: Mapping[str, Sequence[Observation]], baseline: str, how: Comparison
) -> list[VariantComparison]:
    """Every other variant against the baseline, in their order. A comparison of `none` gives each side's rates only."""
    others = [name for name in observations if name != baseline]
    paired = {name: _paired(pairs(observations[baseline], observations[name])) for name in others}
    adjusted = statistics.holm({name: found.p_value for name, found in paired.items()})
    return [
        _comparison((baseline, observations[baseline]), (name, observations[name])).model_copy(
            update={
                "paired": paired[name].model_copy(update={"p_value_holm": adjusted[name]}) if how == "paired" else None,
                "unpaired": _unpaired(observations[baseline], observations[name]) if how == "unpaired" else None,
            }
        )
        for name in others
    ]


def pairs(baseline: Sequence[Observation], variant: Sequence[Observation]) -> tuple[Pair, ...]:
    """In the baseline's order, then what only the variant has."""
    left, right = ({one.key: one for one in side} for side in (baseline, variant))
    return tuple(_pair(left.get(key), right.get(key)) for key in dict.fromkeys([*left, *right]))


def _pair(baseline: Observation | None, variant: Observation | None) -> Pair:
    if baseline is None or variant is None or baseline.verdict is None or variant.verdict is None:
        return Pair(baseline=baseline, variant=variant, result="excluded", why=_why(baseline, variant))
    if baseline.verdict == variant.verdict:
        return Pair(baseline=baseline, variant=variant, result="tie")
    won = variant.verdict == "success"
    return Pair(baseline=baseline, variant=variant, result="win" if won else "loss")


def _why(baseline: Observation | None, variant: Observation | None) -> str:
    """`variant:solution_build_failed`, `both:pending`."""
    sides = {
        name: one.why if one is not None else "not_in_schedule"
        for name, one in (("baseline", baseline), ("variant", variant))
        if one is None or one.verdict is None
    }
    reasons = set(sides.values())
    if len(sides) > 1 and len(reasons) == 1:
        return f"both:{reasons.pop()}"
    return "+".join(f"{name}:{why}" for name, why in sides.items())


def _paired(found: Sequence[Pair]) -> PairedStatistics:
    counted = [pair for pair in found if pair.result != "excluded"]
    wins, losses = (sum(pair.result == result for pair in counted) for result in ("win", "loss"))
    ties = [pair for pair in counted if pair.result == "tie"]
    both = sum(pair.variant is not None and pair.variant.verdict == "success" for pair in ties)
    neither = len(ties) - both
    rates = statistics.rate(both + losses, len(counted)), statistics.rate(both + wins, len(counted))
    return PairedStatistics(
        pairs=len(counted),
        wins=wins,
        losses=losses,
        ties=len(ties),
        both_succeed=both,
        both_fail=neither,
        excluded_pairs=len(found) - len(counted),
        excluded=_counted(pair.why or "" for pair in found if pair.result == "excluded"),
        baseline_rate=rates[0],
        variant_rate=rates[1],
        p_value=statistics.exact_binomial(wins, losses) if counted else None,
        rate_difference=statistics.paired_rates(both, wins, losses, neither),
        cohens_h=statistics.cohens_h(*rates),
        mean_differences=_mean_differences(counted),
    )


def _mean_differences(counted: Sequence[Pair]) -> tuple[MeanDifference, ...]:
    """One for each primary metric: figures of different metrics have no mean in common."""
    found: dict[str, list[tuple[str, PrimaryMetric, PrimaryMetric]]] = {}
    for pair in counted:
        if pair.baseline is None or pair.variant is None:
            continue
        one, other = pair.baseline.metric, pair.variant.metric
        if one is not None and other is not None and one.metric_name == other.metric_name:
            found.setdefault(one.metric_name, []).append((pair.baseline.task, one, other))
    return tuple(
        MeanDifference(
            metric_name=name,
            direction=both[0][1].direction,
            pairs=len(both),
            baseline_mean=math.fsum(one.value for _, one, _ in both) / len(both),
            variant_mean=math.fsum(other.value for _, _, other in both) / len(both),
            difference=statistics.mean_of_differences([other.value - one.value for _, one, other in both]),
            baseline_coverage=coverage_of((task, one) for task, one, _ in both),
            variant_coverage=coverage_of((task, other) for task, _, other in both),
        )
        for name, both in found.items()
    )


def _unpaired(baseline: Sequence[Observation], variant: Sequence[Observation]) -> UnpairedStatistics:
    left, right = _successes(baseline), _successes(variant)
    return UnpairedStatistics(
        baseline_valid=left[1],
        variant_valid=right[1],
        rate_difference=statistics.unpaired_rates(left, right),
        cohens_h=statistics.cohens_h(statistics.rate(*left), statistics.rate(*right)),
    )


def _comparison(
    baseline: tuple[str, Sequence[Observation]], variant: tuple[str, Sequence[Observation]]
) -> VariantComparison:
    left, right = _successes(baseline[1]), _successes(variant[1])
    return VariantComparison(
        baseline=baseline[0],
        variant=variant[0],
        baseline_success_rate=statistics.rate(*left),
        variant_success_rate=statistics.rate(*right),
        baseline_interval=statistics.wilson(*left),
        variant_interval=statistics.wilson(*right),
    )


def _successes(observations: Sequence[Observation]) -> tuple[int, int]:
    verdicts = [one.verdict for one in observations if one.verdict is not None]
    return sum(verdict == "success" for verdict in verdicts), len(verdicts)


def _mean(values: Sequence[float]) -> float | None:
    return math.fsum(values) / len(values) if values else None


def _counted(reasons: Iterable[str]) -> dict[str, int]:
    return dict(sorted(Counter(reasons).items()))
