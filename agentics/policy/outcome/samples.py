"""Means and spreads of what samples or seeds gave. What is not defined, or too large for a number, is None."""

from __future__ import annotations

import math
from collections.abc import Sequence
from statistics import fmean, stdev

from agentics.model.job.worker_protocol import MetricValue


def mean(values: Sequence[float]) -> float | None:
    try:
        return fmean(values) if values else None
    except OverflowError:
        return None


def spread(values: Sequence[float]) -> float | None:
    """The standard deviation (n - 1); None with fewer than two."""
    try:
        return stdev(values) if len(values) > 1 else None
    except OverflowError:
        return None


def metric_value(values: Sequence[float]) -> MetricValue:
    """A mean over samples, with its standard error."""
    apart = spread(values)
    error = None if apart is None else apart / math.sqrt(len(values))
    return MetricValue(value=mean(values), stderr=error, n=len(values))


def quantile(ordered: Sequence[float], share: float) -> float:
    """The least of at least one value, in order, that is not below so large a share of them."""
    return ordered[min(len(ordered) - 1, max(0, math.ceil(share * len(ordered)) - 1))]
