"""Two models laid side by side, task by task; and many in one order. Null is "not known", never zero."""

from __future__ import annotations

from typing import Literal

from pydantic import FiniteFloat, NonNegativeInt, PositiveInt

from agentics.model.document.record import Record
from agentics.model.job.jobspec import ScoringMode
from agentics.model.run.analysis import Interval


class MetricComparison(Record):
    """`difference` is the variant's minus the baseline's. `better`: whether the variant's is the better value; null
    where they are equal or not known.

    A metric that is a mean over samples is compared over the documents of which both have a value, each under each
    seed: `pairs` of them, and `left_out` others. `baseline` and `variant` are the means over these, `stderr` that of
    the mean of the differences, `interval` Student's of 95 %. `pairs` null: the metric is no mean; the values are of
    all documents, and there is a difference only where both lack none."""

    metric: str
    primary: bool
    higher_is_better: bool
    pairs: NonNegativeInt | None
    left_out: NonNegativeInt
    baseline: FiniteFloat | None
    variant: FiniteFloat | None
    difference: FiniteFloat | None
    stderr: FiniteFloat | None
    interval: Interval | None
    better: bool | None


class TaskComparison(Record):
    task: str
    metrics: tuple[MetricComparison, ...]


class JobComparison(Record):
    """Over the tasks that both have; `baseline_only` and `variant_only` name the others."""

    schema_version: Literal["job_comparison_v1"] = "job_comparison_v1"
    baseline: str
    variant: str
    scoring_mode: ScoringMode
    tasks: tuple[TaskComparison, ...]
    baseline_only: tuple[str, ...] = ()
    variant_only: tuple[str, ...] = ()


class LeaderboardEntry(Record):
    """One line of a leaderboard. `rank` null: there is no score. Equal scores share a rank. `partial`: the tasks whose
    values lack answers."""

    rank: PositiveInt | None
    name: str
    score: FiniteFloat | None
    stderr: FiniteFloat | None
    partial: tuple[str, ...] = ()


class Leaderboard(Record):
    schema_version: Literal["job_leaderboard_v1"] = "job_leaderboard_v1"
    scoring_mode: ScoringMode
    higher_is_better: bool
    places: tuple[LeaderboardEntry, ...]


DOCUMENTS: dict[str, type[Record]] = {"job_comparison": JobComparison, "job_leaderboard": Leaderboard}
