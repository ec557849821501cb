"""Two models laid side by side, task by task; and many in one order. Null is "not known", never zero."""

from __future__ import annotations

from typing import Literal

from pydantic import FiniteFloat, NonNegativeInt, PositiveInt

from agentics.model.analysis import Difference
from agentics.model.jobspec import ScoringMode
from agentics.model.record import Record


class MetricComparison(Record):
    """`difference` is the variant's minus the baseline's. `stderr`: as if both were measured on different samples, so
    rather too large. `better`: whether the variant's is the better value; null where they are equal or not known."""

    metric: str
    primary: bool
    higher_is_better: bool
    baseline: FiniteFloat | None
    variant: FiniteFloat | None
    difference: FiniteFloat | None
    stderr: FiniteFloat | None
    better: bool | None


class PairedSamples(Record):
    """The same documents, answered by both: the mean of the differences with Student's interval. `excluded`: only one
    of the two has a value."""

    metric: str
    pairs: NonNegativeInt
    excluded: NonNegativeInt
    difference: Difference | None


class TaskComparison(Record):
    task: str
    metrics: tuple[MetricComparison, ...]
    paired: tuple[PairedSamples, ...] = ()


class JobComparison(Record):
    """Over the tasks that both have; `baseline_only` and `variant_only` name the others."""

    schema_version: Literal["job_comparison_v1"] = "job_comparison_v1"
    baseline: str
    variant: str
    scoring_mode: ScoringMode
    tasks: tuple[TaskComparison, ...]
    baseline_only: tuple[str, ...] = ()
    variant_only: tuple[str, ...] = ()


class Place(Record):
    """One line of a leaderboard. `rank` null: there is no score. Equal scores share a rank."""

    rank: PositiveInt | None
    name: str
    score: FiniteFloat | None
    stderr: FiniteFloat | None


class Leaderboard(Record):
    schema_version: Literal["job_leaderboard_v1"] = "job_leaderboard_v1"
    scoring_mode: ScoringMode
    higher_is_better: bool
    places: tuple[Place, ...]


DOCUMENTS: dict[str, type[Record]] = {"job_comparison": JobComparison, "job_leaderboard": Leaderboard}
