"""R5, what an adapter says of a run: its manifest, a prediction and a score for each trial, and a summary.

Strict, unlike records of our own: these files are written by programs that are not ours.
"""

from __future__ import annotations

from typing import Annotated, ClassVar, Literal, Self

from pydantic import (
    AfterValidator,
    BaseModel,
    ConfigDict,
    Field,
    FiniteFloat,
    JsonValue,
    NonNegativeInt,
    PositiveInt,
    model_validator,
)

from agentics.model.document.record import ArtifactRef, Ids, Record, if_artifact
from agentics.model.document.size_caps import ADAPTER, Cap
from agentics.model.document.strict_types import List, Text, Timestamp, refuse
from agentics.model.run.directory import Objective, ResultOutcome

ScoreVerdict = Literal["pass", "fail", "missing", "error"]
VERDICTS: tuple[ScoreVerdict, ...] = ("pass", "fail", "missing", "error")
ExecutionMode = Literal["predict_then_score", "integrated_score"]
EvaluatorMode = Literal["official", "custom"]
Free = Annotated[dict[str, JsonValue], Field(default_factory=dict)]


class BenchmarkRow(Record):
    """No coercion: "1" is no number and 1 is no text. JSON knows neither NaN nor infinity."""

    model_config = ConfigDict(strict=True, allow_inf_nan=False)
    cap: ClassVar[Cap] = ADAPTER


class BenchmarkSource(BenchmarkRow):
    """Which benchmark, as its adapter knows it."""

    name: Text
    version: str | None = None
    split: Text
    source: str | None = None
    license: str | None = None


class BenchmarkName(BenchmarkRow):
    """Which benchmark a row belongs to: the manifest's, repeated."""

    adapter_id: Text
    name: Text
    version: str | None = None
    split: Text


class EvaluatorIdentity(BenchmarkRow):
    """What scored: `official` is the benchmark's own evaluator."""

    name: Text
    version: str | None = None
    mode: EvaluatorMode
    command: List[str] | None = None


class RecordSchemas(BenchmarkRow):
    prediction: Literal["benchmark_prediction_record_v1"]
    score: Literal["benchmark_score_record_v1"]


class AdapterManifest(BenchmarkRow):
    """benchmark/adapter_manifest.json."""

    schema_version: Literal["benchmark_adapter_manifest_v1"]
    created_at: Timestamp | None = None
    adapter_id: Text
    adapter_version: Text
    benchmark: BenchmarkSource
    execution_mode: ExecutionMode
    record_schemas: RecordSchemas
    evaluator: EvaluatorIdentity
    capabilities: Free
    ext: Free


class Prediction(BenchmarkRow):
    """What a trial answered: `artifact_ref` for that kind, else `value`, which for `patch` and `text` is a text."""

    kind: Literal["patch", "text", "json", "artifact_ref"]
    value: JsonValue = None
    artifact_ref: ArtifactRef | None = None
    metadata: Free

    @model_validator(mode="after")
    def _says_what_its_kind_says(self) -> Self:
        if self.kind == "artifact_ref" and self.artifact_ref is None:
            refuse(
                "artifact_ref_missing", "a prediction of kind artifact_ref needs an artifact_ref", key="artifact_ref"
            )
        if self.kind != "artifact_ref" and "value" not in self.model_fields_set:
            refuse("value_missing", f"a prediction of kind {self.kind} needs a value", key="value")
        if self.kind in {"patch", "text"} and not isinstance(self.value, str):
            refuse("wrong_type", f"the value of a {self.kind} is a text", key="value")
        return self


class PredictionRecord(BenchmarkRow):
    """A line of benchmark/predictions.jsonl."""

    schema_version: Literal["benchmark_prediction_record_v1"]
    ids: Ids
    benchmark: BenchmarkName
    prediction: Prediction
    metrics: Free
    ts: Timestamp | None = None
    ext: Free


class ScoreError(BenchmarkRow):
    error_type: str | None = None
    message: str
    stack: str | None = None


class ScoreArtifact(BenchmarkRow):
    """Something kept for an audit. A ref of the artifact store has to resolve; any other is the adapter's own."""

    ref: Annotated[Text, AfterValidator(if_artifact)]
    logical_name: str | None = None
    mime_type: str | None = None


class ScoreRecord(BenchmarkRow):
    """A line of benchmark/scores.jsonl. The metric of a verdict `missing` or `error` counts in no mean."""

    schema_version: Literal["benchmark_score_record_v1"]
    ids: Ids
    benchmark: BenchmarkName
    verdict: ScoreVerdict
    primary_metric_name: Text
    primary_metric_value: FiniteFloat
    metrics: Free
    evaluator: EvaluatorIdentity
    artifacts: List[ScoreArtifact] = ()
    error: ScoreError | None = None
    ts: Timestamp | None = None
    ext: Free


class Totals(BenchmarkRow):
    """How many score records there are, and of which verdict."""

    trials: NonNegativeInt
    passed: Annotated[NonNegativeInt, Field(alias="pass")]
    fail: NonNegativeInt
    missing: NonNegativeInt
    error: NonNegativeInt

    @model_validator(mode="after")
    def _add_up(self) -> Self:
        verdicts = self.passed + self.fail + self.missing + self.error
        if verdicts != self.trials:
            refuse("totals_differ", f"trials is {self.trials}, the verdicts add up to {verdicts}", key="trials")
        return self


class VariantTotals(BenchmarkRow):
    """As Totals, for one variant. `pass_rate` is `pass` of `total`; the mean is over verdicts `pass` and `fail` only.
    What is not defined is null, never zero."""

    variant_id: Text
    total: NonNegativeInt
    passed: Annotated[NonNegativeInt, Field(alias="pass")]
    fail: NonNegativeInt
    missing: NonNegativeInt
    error: NonNegativeInt
    pass_rate: Annotated[FiniteFloat, Field(ge=0, le=1)] | None = None
    primary_metric_name: str | None = None
    primary_metric_mean: FiniteFloat | None = None

    @model_validator(mode="after")
    def _add_up(self) -> Self:
        verdicts = self.passed + self.fail + self.missing + self.error
        if verdicts != self.total:
            refuse("totals_differ", f"total is {self.total}, the verdicts add up to {verdicts}", key="total")
        return self


class BenchmarkSummary(BenchmarkRow):
    """benchmark/summary.json: the adapter's own, or one that the runner added up (`ext.generated_by` is "runner")."""

    schema_version: Literal["benchmark_summary_v1"]
    created_at: Timestamp | None = None
    run_id: str
    benchmark: BenchmarkName
    evaluator: EvaluatorIdentity | None = None
    totals: Totals
    variants: List[VariantTotals]
    ext: Free

    @model_validator(mode="after")
    def _variants_are_the_whole(self) -> Self:
        names = [variant.variant_id for variant in self.variants]
        if len(set(names)) < len(names):
            refuse("duplicate_variant", "a variant is there twice", key="variants")
        for key, total in (("trials", "total"), *((key, key) for key in ("passed", "fail", "missing", "error"))):
            added = sum(getattr(variant, total) for variant in self.variants)
            if added != getattr(self.totals, key):
                word = key.replace("passed", "pass")
                refuse("totals_differ", f"the variants' {word} add up to {added}, totals differ", key="totals")
        return self


class EvidenceLine(BaseModel):
    """What the benchmark boundary needs of an evidence_record_v1: whose it is, of which attempt, and its refs."""

    model_config = ConfigDict(frozen=True, extra="ignore")

    ids: Ids
    attempt: PositiveInt = 1
    evidence: dict[str, JsonValue]


class TrialSummary(Record):
    """A trial as summaries show it: its own result, and over it what the benchmark says. No result.json is changed."""

    ids: Ids
    outcome: ResultOutcome
    metrics: dict[str, int | FiniteFloat | bool | str | None] = Field(default_factory=dict)
    objective: Objective | None = None


class Grading(Record):
    """runtime/grading.json: an adapter is at work, or its runner was killed; until it is gone, benchmark/ is not to be
    believed. `set_aside` is where benchmark_history/ keeps what was in benchmark/ before; null for nothing. `process`
    is the adapter's process id and when it was started, in the kernel's own count; null until it is known. `seal`: says
    to the user whose process it is that they wrote this."""

    schema_version: Literal["grading_v1"] = "grading_v1"
    run_id: str
    started_at: Timestamp
    set_aside: NonNegativeInt | None = None
    process: tuple[PositiveInt, str] | None = None
    seal: str | None = None


DOCUMENTS: dict[str, type[Record]] = {
    "benchmark_adapter_manifest": AdapterManifest,
    "benchmark_prediction_record": PredictionRecord,
    "benchmark_score_record": ScoreRecord,
    "benchmark_summary": BenchmarkSummary,
    "grading": Grading,
}
