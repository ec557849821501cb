"""The few formulas that a comparison needs, in closed form: no draws, so the same trials give the same figures."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence

from agentics.model.run.analysis import Difference, Interval

_Z = 1.959963984540054
"""The normal quantile of a two-sided interval of 95 %."""
_TAIL = 0.975


def rate(successes: int, total: int) -> float | None:
    return successes / total if total else None


def wilson(successes: int, total: int) -> Interval | None:
    """The interval of a rate; None where there is none."""
    if total == 0:
        return None
    share, square = successes / total, _Z * _Z / total
    centre = (share + square / 2) / (1 + square)
    half = _Z * math.sqrt(share * (1 - share) / total + square / (4 * total)) / (1 + square)
    return Interval(low=max(0.0, centre - half), high=min(1.0, centre + half))


def exact_binomial(wins: int, losses: int) -> float:
    """The two-sided probability of a split at least so uneven if both sides were equal. 1 where nobody won."""
    decided = wins + losses
    tail = sum(math.comb(decided, k) for k in range(min(wins, losses) + 1))
    return min(1.0, 2 * tail / (1 << decided))


def cohens_h(baseline: float | None, variant: float | None) -> float | None:
    """The distance between two rates on the scale on which equal distances are equally easy to tell apart."""
    if baseline is None or variant is None:
        return None
    return 2 * math.asin(math.sqrt(variant)) - 2 * math.asin(math.sqrt(baseline))


def paired_rates(both: int, wins: int, losses: int, neither: int) -> Difference | None:
    """The difference of two rates over the same pairs, with Newcombe's interval (his method 10)."""
    total = both + wins + losses + neither
    if total == 0:
        return None
    return _newcombe((both + wins, total), (both + losses, total), _correlation(both, wins, losses, neither))


def unpaired_rates(baseline: tuple[int, int], variant: tuple[int, int]) -> Difference | None:
    """The difference of two rates, each given as successes and total, with Newcombe's interval."""
    if not baseline[1] or not variant[1]:
        return None
    return _newcombe(variant, baseline, 0.0)


def mean_of_differences(differences: Sequence[float]) -> Difference:
    """Of at least one difference. Student's interval; None for a single one, which says nothing of its spread."""
    count = len(differences)
    mean = math.fsum(differences) / count
    if count == 1:
        return Difference(value=mean, interval=None)
    spread = math.sqrt(math.fsum((d - mean) ** 2 for d in differences) / (count - 1))
    half = student_quantile(count - 1) * spread / math.sqrt(count)
    return Difference(value=mean, interval=Interval(low=mean - half, high=mean + half))


def student_quantile(freedom: int) -> float:
    """The 97.5 % quantile of Student's t for so many degrees of freedom (at least 1), by bisection."""
    low, high = 0.0, 13.0
    for _ in range(60):
        middle = (low + high) / 2
        low, high = (middle, high) if _student(middle, freedom) < _TAIL else (low, middle)
    return (low + high) / 2


def holm(p_values: Mapping[str, float | None]) -> dict[str, float | None]:
    """Adjusted for their number, by Holm's step-down method; what is None stays None and does not count."""
    known = sorted((p, name) for name, p in p_values.items() if p is not None)
    adjusted: dict[str, float | None] = dict.fromkeys(p_values)
    highest = 0.0
    for index, (p, name) in enumerate(known):
        highest = max(highest, min(1.0, (len(known) - index) * p))
        adjusted[name] = highest
    return adjusted


def _newcombe(variant: tuple[int, int], baseline: tuple[int, int], correlation: float) -> Difference:
    one, other = wilson(*variant), wilson(*baseline)
    assert one is not None
    assert other is not None
    p, q = variant[0] / variant[1], baseline[0] / baseline[1]
    below = _joined(p - one.low, other.high - q, correlation)
    above = _joined(one.high - p, q - other.low, correlation)
    return Difference(value=p - q, interval=Interval(low=max(-1.0, p - q - below), high=min(1.0, p - q + above)))


def _joined(one: float, other: float, correlation: float) -> float:
    return math.sqrt(max(0.0, one * one - 2 * correlation * one * other + other * other))


def _correlation(both: int, wins: int, losses: int, neither: int) -> float:
    """Phi, drawn towards 0 as Newcombe does for a positive one; 0 where a side never or always succeeds."""
    margins = (both + wins) * (losses + neither) * (both + losses) * (wins + neither)
    if margins == 0:
        return 0.0
    product = float(both * neither - wins * losses)
    if product > 0:
        product = max(0.0, product - (both + wins + losses + neither) / 2)
    return product / math.sqrt(margins)


def _student(t: float, freedom: int) -> float:
    """The distribution function for t >= 0 and whole degrees of freedom: a finite sum (Abramowitz and Stegun 26.7)."""
    angle = math.atan(t / math.sqrt(freedom))
    sine, cosine = math.sin(angle), math.cos(angle)
    odd = freedom % 2
    term, total = (cosine, 0.0) if odd else (1.0, 0.0)
    for k in range(odd, freedom - 1, 2):
        total += term
        term *= cosine * cosine * (k + 1) / (k + 2)
    area = 2 / math.pi * (angle + sine * total) if odd else sine * total
    return 0.5 + area / 2
