"""What a model's trial came to: metrics for every few-shot seed, counts of answers, what judges said, and on what."""

from __future__ import annotations

from typing import Literal

from pydantic import Field, FiniteFloat, JsonValue, NonNegativeInt

from agentics.model.jobspec import JuryAggregation, ScoringMode
from agentics.model.jobwork import MetricValue
from agentics.model.record import Record


class MetricSummary(Record):
    """One metric over the seeds: `mean` of those that have it, `sd` (n-1) with two or more. `stderr`: of the only seed.
    `aggregation`: how LightEval makes it from samples."""

    mean: FiniteFloat | None
    sd: FiniteFloat | None = None
    stderr: FiniteFloat | None = None
    higher_is_better: bool = True
    aggregation: str = "mean"
    seeds: tuple[MetricValue, ...]


class Primary(Record):
    name: str
    value: FiniteFloat | None
    stderr: FiniteFloat | None = None
    higher_is_better: bool = True


class AnswerCounts(Record):
    """Over all seeds and ways of sampling; asked = answered + empty + failed. `known`: not asked again."""

    asked: NonNegativeInt
    answered: NonNegativeInt
    empty: NonNegativeInt
    failed: NonNegativeInt
    known: NonNegativeInt = 0


class Latency(Record):
    """Seconds for each answer that was asked for."""

    p50: FiniteFloat
    p95: FiniteFloat
    max: FiniteFloat


class JudgeSummary(Record):
    """One judge: how often it was asked, answered, could not be read, and failed; asked is the sum of these. `mean` of
    what it gave. `unread`: why words could not be read, `errors`: why there were none. `template_sha256` covers its
    messages and the rules by which its words are read; `settings` is all else that it was asked with."""

    name: str
    model: str
    template_id: str
    template_version: str
    template_sha256: str
    settings: dict[str, JsonValue] = Field(default_factory=dict)
    weight: FiniteFloat
    asked: NonNegativeInt
    answered: NonNegativeInt
    parse_failed: NonNegativeInt
    failed: NonNegativeInt
    mean: FiniteFloat | None
    unread: dict[str, NonNegativeInt] = Field(default_factory=dict)
    errors: dict[str, NonNegativeInt] = Field(default_factory=dict)


class JurySummary(Record):
    """`judged` answers have a value, `unjudged` none: no judge gave one, or they tied (`ties`).

    `disagreement`: mean over answers of the share of judges that differ from the verdict (majority), or of the range of
    what they gave (mean, median). `agreement`: of the pairs of judges that gave something to the same answer, the share
    that gave the same; `alpha`: Krippendorff's, for interval data. Null where there are not two to compare."""

    aggregation: JuryAggregation
    judged: NonNegativeInt
    unjudged: NonNegativeInt
    ties: NonNegativeInt = 0
    disagreement: FiniteFloat | None = None
    agreement: FiniteFloat | None = None
    alpha: FiniteFloat | None = None


class Provenance(Record):
    """What the numbers rest on. Digests begin with `sha256:`; a revision identifies the model's weights."""

    config_sha256: str
    prompt_sha256: str
    data_sha256: str
    model_revision: str | None
    versions: dict[str, str | None]
    generation: dict[str, JsonValue]


class JobResult(Record):
    """Stored in the evidence of a trial. `comparability`: two results with the same one may be compared; it covers
    `compared_on`, a digest for each thing that must be the same. `hashes`: LightEval's four, of the first seed; null
    where it hashes nothing. `reproducible`: all four are there, for every seed. `pinned`: data, prompt, settings and
    weights are identified."""

    schema_version: Literal["job_result_v1"] = "job_result_v1"
    task: str
    fewshot: NonNegativeInt
    documents: NonNegativeInt
    scoring_mode: ScoringMode
    metrics: dict[str, MetricSummary]
    primary: Primary | None
    answers: AnswerCounts
    errors: dict[str, NonNegativeInt] = Field(default_factory=dict)
    prompt_tokens: NonNegativeInt | None = None
    completion_tokens: NonNegativeInt | None = None
    latency: Latency | None = None
    judges: tuple[JudgeSummary, ...] = ()
    jury: JurySummary | None = None
    hashes: dict[str, str | None] = Field(default_factory=dict)
    provenance: Provenance
    comparability: str
    compared_on: dict[str, str] = Field(default_factory=dict)
    reproducible: bool
    pinned: bool
    warnings: tuple[str, ...] = ()


DOCUMENTS: dict[str, type[Record]] = {"job_result": JobResult}
