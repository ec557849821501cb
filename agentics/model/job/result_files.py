"""What a job leaves for others: a results file in LightEval's layout, a metadata file, and the rows of an ingestion."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field, FiniteFloat, JsonValue, NonNegativeInt

from agentics.model.document.record import Fault, Record, Status
from agentics.model.job.job_result import AnswerCounts, AnswerEnds, JobResult, JudgeSummary, Latency
from agentics.model.job.jobspec import ScoringMode
from agentics.model.job.judge_template import JudgeTemplate
from agentics.model.job.suite import SuiteScore
from agentics.model.run.outcome import UtcTimestamp

IngesterVersion = Annotated[str, Field(pattern=r"^\d+\.\d+$")]


class Origin(Record):
    """Our own part of a results file: which run wrote it, from what, and every result whole. `missing`: tasks without a
    result, and why. `unmeasured`: by key of `results`, the metrics that have no value and are left out there.
    `ingester_version`: `major.minor` of the rules that it was written for."""

    schema_version: Literal["job_results_v1"] = "job_results_v1"
    ingester_version: IngesterVersion
    agentics_version: str
    run_id: str
    variant: str
    jobspec_digest: str
    plan_digest: str
    tasks: dict[str, JobResult]
    missing: dict[str, str] = Field(default_factory=dict)
    unmeasured: dict[str, tuple[str, ...]] = Field(default_factory=dict)
    suite: SuiteScore | None = None


class ResultsFile(Record):
    """`results_<timestamp>.json`: LightEval's keys, and `agentics`. `results` has means over few-shot seeds; every
    value in there is a number, as LightEval's readers expect."""

    config_general: dict[str, JsonValue]
    results: dict[str, dict[str, FiniteFloat]]
    versions: dict[str, JsonValue]
    config_tasks: dict[str, dict[str, JsonValue]]
    summary_tasks: dict[str, dict[str, JsonValue]]
    summary_general: dict[str, JsonValue]
    agentics: Origin


class IngestedMetric(Record):
    """One metric of one task. `seed` null: over all seeds, with `sd` where there are several; `n` samples are in the
    value, `of` those that were asked for."""

    run_id: str
    variant: str
    task: str
    fewshot: NonNegativeInt
    seed: NonNegativeInt | None
    metric: str
    value: FiniteFloat | None
    stderr: FiniteFloat | None
    sd: FiniteFloat | None
    n: NonNegativeInt
    of: NonNegativeInt
    higher_is_better: bool
    primary: bool
    scoring_mode: ScoringMode
    comparability: str
    ingester_version: IngesterVersion


class IngestedHash(Record):
    """LightEval's four hashes of one task; null where it hashes nothing."""

    run_id: str
    variant: str
    task: str
    fewshot: NonNegativeInt
    hash_examples: str | None
    hash_full_prompts: str | None
    hash_input_tokens: str | None
    hash_cont_tokens: str | None
    reproducible: bool
    ingester_version: IngesterVersion


class Ingested(Record):
    """All rows of a results file, each with the version of the rules that made it."""

    metrics: tuple[IngestedMetric, ...]
    hashes: tuple[IngestedHash, ...]
    missing: dict[str, str] = Field(default_factory=dict)
    suite: SuiteScore | None = None


class TaskMetadata(Record):
    """What one task rests on and what became of it. What the worker did not come to tell is null.

    `data_commit`: of data from the hub; `model_revision`: of the weights that answered this task.
    """

    status: Status
    reason: str | None = None
    fault: Fault | None = None
    config: dict[str, JsonValue] | None = None
    config_sha256: str | None = None
    prompt_sha256: str | None = None
    data_sha256: str | None = None
    data_commit: str | None = None
    model_revision: str | None = None
    generation: dict[str, JsonValue] | None = None
    seeds: tuple[NonNegativeInt, ...] = ()
    documents: NonNegativeInt | None = None
    answers: AnswerCounts | None = None
    ends: AnswerEnds | None = None
    errors: dict[str, NonNegativeInt] = Field(default_factory=dict)
    prompt_tokens: NonNegativeInt | None = None
    completion_tokens: NonNegativeInt | None = None
    latency: Latency | None = None
    judges: tuple[JudgeSummary, ...] = ()
    comparability: str | None = None
    reproducible: bool | None = None
    pinned: bool | None = None
    warnings: tuple[str, ...] = ()


class PluginMetadata(Record):
    name: str
    version: str
    sha256: str | None


class StoredFile(Record):
    """A file beside this one; its path is relative to the folder of the run."""

    path: str
    sha256: str
    bytes: NonNegativeInt


class JobMetadata(Record):
    """metadata.json: all that LightEval does not record. `versions` and `machine` are the worker's; `templates`: how
    judges were asked and read, by the judge's name; `model_revision`: null, too, where it is not the same in all tasks.
    """

    schema_version: Literal["job_metadata_v1"] = "job_metadata_v1"
    ingester_version: IngesterVersion
    agentics_version: str
    run_id: str
    variant: str
    jobspec_digest: str
    plan_digest: str
    started_at: UtcTimestamp
    ended_at: UtcTimestamp
    duration_s: Annotated[FiniteFloat, Field(ge=0)]
    model: dict[str, JsonValue]
    model_revision: str | None
    suite: str | None = None
    suite_digest: str | None = None
    scoring_mode: ScoringMode
    templates: dict[str, JudgeTemplate] = Field(default_factory=dict)
    plugins: tuple[PluginMetadata, ...] = ()
    worker_image: str | None
    versions: dict[str, str | None]
    machine: dict[str, JsonValue]
    max_samples: NonNegativeInt | None
    num_fewshot_seeds: NonNegativeInt
    tasks: dict[str, TaskMetadata]
    files: tuple[StoredFile, ...] = ()


DOCUMENTS: dict[str, type[Record]] = {
    "job_ingested": Ingested,
    "job_metadata": JobMetadata,
    "job_results": ResultsFile,
}
