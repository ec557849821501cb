"""Several judges' verdicts on one answer as one, and how far the judges agree. Too few verdicts make none."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import combinations

from agentics.model.job.jobspec import JuryAggregation
from agentics.model.job.worker_protocol import NoVerdict

_SAME = 1e-9


@dataclass(frozen=True, kw_only=True)
class ItemVerdict:
    """`value` None: `missing` says why there is no verdict. `disagreement` None: fewer than two judges gave a value;
    else the range of the values (mean, median), or the share of them that differ from the verdict (majority; after a
    tie, from the value that most judges gave)."""

    value: float | None
    missing: NoVerdict | None = None
    disagreement: float | None = None


def verdict(
    values: Mapping[str, float], weights: Mapping[str, float], aggregation: JuryAggregation, least: int = 1
) -> ItemVerdict:
    """One item: the value that each judge gave, by the judge's name. Fewer than `least` (1 or more) values have no
    verdict. A majority is the value with the most weight behind it, be it less than half; two values of the same weight
    are a tie, which has no verdict."""
    if len(values) < max(1, least):
        return ItemVerdict(value=None, missing="too_few_judges")
    if aggregation == "majority":
        return _majority(values, weights)
    spread = max(values.values()) - min(values.values()) if len(values) > 1 else None
    combine = _mean if aggregation == "mean" else _median
    return ItemVerdict(value=combine(values, weights), disagreement=spread)


def agreement(items: Sequence[Mapping[str, float]]) -> float | None:
    """Of all pairs of judges that gave something to the same item, the share that gave the same. None without any."""
    same, both = 0, 0
    for values in items:
        for one, other in combinations(values.values(), 2):
            both += 1
            same += math.isclose(one, other, abs_tol=_SAME)
    return same / both if both else None


def alpha(items: Sequence[Mapping[str, float]]) -> float | None:
    """Krippendorff's alpha for interval data: 1 is full agreement, 0 what chance would give.

    Source: K. Krippendorff, Computing Krippendorff's Alpha-Reliability (2011). None where nothing varies or nothing can
    be paired.
    """
    units = [list(values.values()) for values in items if len(values) > 1]
    every = [value for unit in units for value in unit]
    n = len(every)
    if n < 2:  # noqa: PLR2004 - a pair
        return None
    observed = sum(sum((one - other) ** 2 for one in unit for other in unit) / (len(unit) - 1) for unit in units) / n
    mean = sum(every) / n
    expected = 2 * sum((value - mean) ** 2 for value in every) / (n - 1)
    return None if expected < _SAME**2 else 1 - observed / expected


def _mean(values: Mapping[str, float], weights: Mapping[str, float]) -> float:
    total = math.fsum(weights[name] for name in values)
    return math.fsum(weights[name] * value for name, value in values.items()) / total


def _median(values: Mapping[str, float], weights: Mapping[str, float]) -> float:
    """The value below and above which lies half of the weight; between two of them, their mean."""
    ordered = sorted((value, weights[name]) for name, value in values.items())
    half, seen = math.fsum(weight for _, weight in ordered) / 2, 0.0
    for place, (value, weight) in enumerate(ordered):
        seen += weight
        if math.isclose(seen, half, rel_tol=_SAME) and place + 1 < len(ordered):
            return (value + ordered[place + 1][0]) / 2
        if seen > half:
            return value
    return ordered[-1][0]


def _majority(values: Mapping[str, float], weights: Mapping[str, float]) -> ItemVerdict:
    votes: dict[float, list[str]] = {}
    for name, value in values.items():
        known = next((vote for vote in votes if math.isclose(vote, value, abs_tol=_SAME)), value)
        votes.setdefault(known, []).append(name)
    weight = {value: math.fsum(weights[name] for name in names) for value, names in votes.items()}
    most = max(weight.values())
    first = [value for value in votes if math.isclose(weight[value], most, rel_tol=_SAME)]
    tie = len(first) > 1
    behind = max(len(names) for names in votes.values()) if tie else len(votes[first[0]])
    return ItemVerdict(
        value=None if tie else first[0],
        missing="tie" if tie else None,
        disagreement=1 - behind / len(values) if len(values) > 1 else None,
    )
