"""What a run says when its trials are laid side by side: summaries, comparisons, and the rows of the tables.

Null is "not known" or "not defined", never zero.
"""

from __future__ import annotations

from typing import Literal

from pydantic import Field, FiniteFloat, NonNegativeInt, PositiveInt

from agentics.model.document.record import Fault, Mode, Record, Status
from agentics.model.run.design import Comparison
from agentics.model.run.directory import ResultOutcome
from agentics.model.run.outcome import Direction, UtcTimestamp


class Interval(Record):
    low: FiniteFloat
    high: FiniteFloat
    confidence: FiniteFloat = 0.95


class SampleCoverage(Record):
    """What the primary metrics of models rest on, summed over tasks and replications: `n` samples of `of`. `lacking`:
    by task, how many samples are in no number; only tasks that lack some."""

    n: NonNegativeInt
    of: NonNegativeInt
    lacking: dict[str, PositiveInt] = Field(default_factory=dict)


class VariantSummary(Record):
    """`total` slots, of which `valid` ended with a verdict; `excluded`: why the others did not, and how many of each.
    The rate is over the valid ones, with its Wilson interval. No metric where the tasks have different ones.
    `coverage`: of the primary metrics of the valid ones; null where no metric is made of samples."""

    total: NonNegativeInt
    success_rate: FiniteFloat | None
    primary_metric_name: str | None
    primary_metric_mean: FiniteFloat | None
    event_counts: dict[str, int] = Field(default_factory=dict)
    valid: NonNegativeInt
    successes: NonNegativeInt
    success_interval: Interval | None
    excluded: dict[str, int] = Field(default_factory=dict)
    coverage: SampleCoverage | None = None


class AnalysisSummary(Record):
    """analysis/summary.json."""

    schema_version: Literal["analysis_summary_v1"] = "analysis_summary_v1"
    run_id: str
    baseline_id: str
    comparison: Comparison
    variants: dict[str, VariantSummary]


class Difference(Record):
    """The variant's minus the baseline's."""

    value: FiniteFloat
    interval: Interval | None


class MeanDifference(Record):
    """Of a primary metric, over the pairs in which both have it: the mean of the differences, with Student's interval
    where there are two pairs or more. The coverages are each side's, over these pairs; null where the metric is not
    made of samples."""

    metric_name: str
    direction: Direction | None
    pairs: NonNegativeInt
    baseline_mean: FiniteFloat
    variant_mean: FiniteFloat
    difference: Difference
    baseline_coverage: SampleCoverage | None = None
    variant_coverage: SampleCoverage | None = None


class PairedStatistics(Record):
    """Over pairs of a task and replication in which both have a verdict. A win is the variant's. `p_value`: exact
    two-sided binomial test of wins against losses (McNemar's exact); `p_value_holm`: the same, adjusted for the number
    of variants. Replications of one task are counted as if they were independent."""

    pairs: NonNegativeInt
    wins: NonNegativeInt
    losses: NonNegativeInt
    ties: NonNegativeInt
    both_succeed: NonNegativeInt
    both_fail: NonNegativeInt
    excluded_pairs: NonNegativeInt
    excluded: dict[str, int]
    baseline_rate: FiniteFloat | None
    variant_rate: FiniteFloat | None
    p_value: FiniteFloat | None
    p_value_holm: FiniteFloat | None = None
    rate_difference: Difference | None
    cohens_h: FiniteFloat | None
    mean_differences: tuple[MeanDifference, ...] = ()


class UnpairedStatistics(Record):
    """Over all slots with a verdict of each side."""

    baseline_valid: NonNegativeInt
    variant_valid: NonNegativeInt
    rate_difference: Difference | None
    cohens_h: FiniteFloat | None


class VariantComparison(Record):
    """The success rates are each side's own, over all of its valid slots; those over the pairs are in `paired`."""

    baseline: str
    variant: str
    baseline_success_rate: FiniteFloat | None
    variant_success_rate: FiniteFloat | None
    baseline_interval: Interval | None
    variant_interval: Interval | None
    paired: PairedStatistics | None = None
    unpaired: UnpairedStatistics | None = None


class AnalysisComparisons(Record):
    """analysis/comparisons.json. With comparison `none`, rates only."""

    schema_version: Literal["analysis_comparisons_v1"] = "analysis_comparisons_v1"
    run_id: str
    comparison: Comparison
    comparisons: tuple[VariantComparison, ...]


class TrialRow(Record):
    """tables/trials.jsonl: every slot of the schedule; `trial_id` null for one that was never started.
    `primary_metric_n` samples of `primary_metric_of` are in the value of a model's metric; null for other metrics."""

    schema_version: Literal["analysis_trial_v1"] = "analysis_trial_v1"
    run_id: str
    trial_id: str | None
    variant_id: str
    task_id: str
    repl_idx: NonNegativeInt
    is_baseline: bool
    trial_status: str
    outcome: ResultOutcome | None
    status: Status | None
    reason: str | None
    fault: Fault | None
    mode: Mode
    attempts: NonNegativeInt
    started_at: UtcTimestamp | None
    ended_at: UtcTimestamp | None
    wall_s: FiniteFloat | None
    memory_peak_bytes: NonNegativeInt | None
    primary_metric_name: str | None
    primary_metric_value: FiniteFloat | None
    primary_metric_direction: Direction | None
    primary_metric_n: NonNegativeInt | None
    primary_metric_of: NonNegativeInt | None
    bundle_digest: str | None
    solution_digest: str | None


class MetricRow(Record):
    """tables/metrics_long.jsonl: of an official evaluation the primary metric only. A text or truth value is null in
    `metric_value` and stands in `metric_text`. `metric_n` samples of `metric_of` are in the value of a model's metric;
    null for other metrics."""

    schema_version: Literal["analysis_metric_v1"] = "analysis_metric_v1"
    run_id: str
    trial_id: str
    variant_id: str
    task_id: str
    repl_idx: NonNegativeInt
    metric_name: str
    metric_value: FiniteFloat | None
    metric_text: str | None
    metric_n: NonNegativeInt | None
    metric_of: NonNegativeInt | None
    is_primary: bool


class TrialEvents(Record):
    """tables/event_counts_by_trial.jsonl."""

    schema_version: Literal["analysis_trial_events_v1"] = "analysis_trial_events_v1"
    run_id: str
    trial_id: str
    variant_id: str
    event: str
    count: NonNegativeInt


class VariantEvents(Record):
    """tables/event_counts_by_variant.jsonl."""

    schema_version: Literal["analysis_variant_events_v1"] = "analysis_variant_events_v1"
    run_id: str
    variant_id: str
    event: str
    count: NonNegativeInt


class VariantRow(Record):
    """tables/variant_summary.jsonl. `samples` of `samples_of` are in the primary metrics of models, and `partial_tasks`
    tasks lack some; null where no metric is made of samples."""

    schema_version: Literal["analysis_variant_v1"] = "analysis_variant_v1"
    run_id: str
    variant_id: str
    is_baseline: bool
    total: NonNegativeInt
    valid: NonNegativeInt
    successes: NonNegativeInt
    excluded: NonNegativeInt
    success_rate: FiniteFloat | None
    success_low: FiniteFloat | None
    success_high: FiniteFloat | None
    primary_metric_name: str | None
    primary_metric_mean: FiniteFloat | None
    samples: NonNegativeInt | None
    samples_of: NonNegativeInt | None
    partial_tasks: NonNegativeInt | None


class BindingRow(Record):
    """tables/bindings_long.jsonl: what each variant is given. `value_json` is JSON text."""

    schema_version: Literal["analysis_binding_v1"] = "analysis_binding_v1"
    run_id: str
    variant_id: str
    binding_name: str
    value_json: str


class Tables(Record):
    """All rows, in the order of variants and slots."""

    trials: tuple[TrialRow, ...]
    metrics_long: tuple[MetricRow, ...]
    event_counts_by_trial: tuple[TrialEvents, ...]
    event_counts_by_variant: tuple[VariantEvents, ...]
    variant_summary: tuple[VariantRow, ...]
    bindings_long: tuple[BindingRow, ...]


DOCUMENTS: dict[str, type[Record]] = {
    "analysis_summary": AnalysisSummary,
    "analysis_comparisons": AnalysisComparisons,
    "analysis_trial": TrialRow,
    "analysis_metric": MetricRow,
    "analysis_trial_events": TrialEvents,
    "analysis_variant_events": VariantEvents,
    "analysis_variant": VariantRow,
    "analysis_binding": BindingRow,
}
