"""Whether two paired series of figures differ: statistical tests without assumptions on their distribution."""

from __future__ import annotations

import math
import random
from collections.abc import Mapping, Sequence
from typing import Any, Literal

from pydantic import Field

from agentics.model.document.record import Record
from agentics.pipeline.contract.description import described
from agentics.pipeline.contract.stage import Context, StageFailure

name = "bench"
Test = Literal["sign_test", "permutation_test"]


class Resampling(Record):
    """The permutation test draws so many sign patterns from this seed: the same every time."""

    resamples: int = Field(default=10_000, ge=100, le=1_000_000)
    seed: int = 0


class PairedTestOptions(Record):
    """`data_source`: the name of an assign that holds two series of the same length."""

    tests: tuple[Test, ...] = ("sign_test",)
    alpha: float = Field(default=0.05, gt=0, lt=1)
    data_source: str = "samples"
    options: Resampling = Resampling()


describe = described(name, "Tests whether two paired series of figures differ.", PairedTestOptions)


def run(context: Context, options: Mapping[str, Any]) -> Context | StageFailure:
    wanted = PairedTestOptions.model_validate(options)
    differences = _differences(context.assigns.get(wanted.data_source, ((), ())))
    if isinstance(differences, str):
        return context.fail(name, "bad_samples", f"{wanted.data_source}: {differences}", fault="user")
    results = {}
    for test in wanted.tests:
        p = _sign_test(differences) if test == "sign_test" else _permutation_test(differences, wanted.options)
        results[test] = {"p_value": p, "significant": p < wanted.alpha}
    return context.put_metric("bench", {"n": len(differences), "alpha": wanted.alpha, "tests": results})


def _differences(samples: object) -> list[float] | str:
    series = list(samples.values()) if isinstance(samples, Mapping) else samples
    if not isinstance(series, Sequence) or len(series) != 2:  # noqa: PLR2004 - a pair
        return "not two series"
    try:
        return [float(after) - float(before) for before, after in zip(*series, strict=True)]
    except (TypeError, ValueError):
        return "not two series of figures of the same length"


def _sign_test(differences: Sequence[float]) -> float:
    """Two-sided and exact; ties say nothing."""
    up, down = sum(d > 0 for d in differences), sum(d < 0 for d in differences)
    n = up + down
    tail = sum(math.comb(n, k) for k in range(min(up, down) + 1))
    return min(1.0, 2 * tail / float(2**n))


def _permutation_test(differences: Sequence[float], how: Resampling) -> float:
    """Two-sided, on the sum of differences under random signs; never zero, as what was observed is one pattern."""
    draw, observed = random.Random(how.seed), abs(sum(differences))  # noqa: S311 - statistics, not secrecy
    as_far = sum(
        abs(sum(d if draw.random() < 0.5 else -d for d in differences)) >= observed - 1e-12  # noqa: PLR2004 - a coin
        for _ in range(how.resamples)
    )
    return (as_far + 1) / (how.resamples + 1)
