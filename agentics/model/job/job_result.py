"""What a model's trial came to: metrics for every few-shot seed, counts of answers, what judges said, and on what."""

from __future__ import annotations

from typing import Literal

from pydantic import Field, FiniteFloat, JsonValue, NonNegativeInt, PositiveInt

from agentics.model.document.record import Record
from agentics.model.job.jobspec import JuryAggregation, ScoringMode
from agentics.model.job.worker_protocol import MetricValue


class MetricSummary(Record):
    """One metric over the seeds: `mean` of those that have it, `sd` (n-1) with two or more. `stderr`: of the only seed.
    `aggregation`: how LightEval makes it from samples. Coverage, over all seeds: `n` samples are in the numbers, `of`
    those that were asked for."""

    mean: FiniteFloat | None
    sd: FiniteFloat | None = None
    stderr: FiniteFloat | None = None
    higher_is_better: bool = True
    aggregation: str = "mean"
    n: NonNegativeInt
    of: NonNegativeInt
    seeds: tuple[MetricValue, ...]


class Primary(Record):
    """The metric that counts, with its coverage: `n` samples of `of`."""

    name: str
    value: FiniteFloat | None
    stderr: FiniteFloat | None = None
    higher_is_better: bool = True
    n: NonNegativeInt
    of: NonNegativeInt


class AnswerCounts(Record):
    """Over all seeds and ways of sampling; asked = answered + empty + failed. `known`: not asked again."""

    asked: NonNegativeInt
    answered: NonNegativeInt
    empty: NonNegativeInt
    failed: NonNegativeInt
    known: NonNegativeInt = 0


class AnswerEnds(Record):
    """How answers ended. `finish_reasons`: texts by the server's word, empty where the backend does not tell; `refused`
    answers. `truncated`: prompts that were cut to fit the model, null where it is not known of any;
    `truncated_allowed`: the job allows that."""

    finish_reasons: dict[str, NonNegativeInt] = Field(default_factory=dict)
    refused: NonNegativeInt = 0
    truncated: NonNegativeInt | None = None
    truncated_allowed: bool = False


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
    """`judged` answers have a verdict, `unjudged` none: fewer than `min_judges` judges gave a value (`short`), or the
    judges tied (`ties`).

    `disagreement`: mean over answers of the share of judges that differ from the verdict (majority), or of the range of
    what they gave (mean, median). `agreement`: of the pairs of judges that gave something to the same answer, the share
    that gave the same; `alpha`: Krippendorff's, for interval data. Null where there are not two to compare."""

    aggregation: JuryAggregation
    judged: NonNegativeInt
    unjudged: NonNegativeInt
    short: NonNegativeInt = 0
    ties: NonNegativeInt = 0
    min_judges: PositiveInt
    disagreement: FiniteFloat | None = None
    agreement: FiniteFloat | None = None
    alpha: FiniteFloat | None = None


class Provenance(Record):
    """What the numbers rest on. Digests begin with `sha256:`; a revision identifies the model's weights; `data_commit`:
    of data from the hub."""

    config_sha256: str
    prompt_sha256: str
    data_sha256: str
    data_commit: str | None = None
    model_revision: str | None
    versions: dict[str, str | None]
    generation: dict[str, JsonValue]


class JobFailure(Record):
    """What came to nothing: an order to the worker, answers of a server, or words of the judge of that name.

    `count`: how often this code came; `message` and `traceback` are those of the first.
    """

    what: Literal["order", "answers", "judge"]
    judge: str | None = None
    code: str
    count: PositiveInt = 1
    message: str
    traceback: str | None = None


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
    ends: AnswerEnds
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

    @property
    def complete(self) -> bool:
        """Whether every answer that was asked for is in the numbers."""
        unjudged = self.jury is not None and (self.jury.unjudged + self.answers.empty) > 0
        return not self.answers.failed and not unjudged


DOCUMENTS: dict[str, type[Record]] = {"job_result": JobResult}
