"""The protocol of a model worker: orders to it, event lines from it. JSON, one object each.

A worker holds several sessions. A session is one model with its plugins, and carries out one order after the other.
Paths in orders are the worker's own. An order holds no secret: `api_key_env` names an environment variable."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Annotated, Literal, get_args, get_origin

from pydantic import Field, FiniteFloat, JsonValue, NonNegativeInt, PositiveInt, TypeAdapter

from agentics.model.document.record import Record
from agentics.model.job.jobspec import BackendType

PROTOCOL = 1
Sampling = Literal["generative", "logprobs", "perplexity"]
AnswerStatus = Literal["answered", "empty", "failed"]
NoVerdict = Literal["tie", "too_few_judges"]
"""Why judges gave an answer no verdict: they tied, or fewer than `min_judges` gave a value."""


class WorkerPlugin(Record):
    """`path` is the plugin's folder, `module` the file in it that is imported. `provides`: the names of the tasks,
    metrics or classes that its manifest lists; of a task its metrics, too."""

    name: str
    version: str
    sha256: str
    type: Literal["task", "metric", "model"]
    path: str
    module: str
    provides: dict[str, tuple[str, ...]] = Field(default_factory=dict)


class WorkerBackend(Record):
    """The JobSpec's backend with what was resolved. `model_path`: the checkpoint as the worker sees it;
    `model_revision`: what identifies its weights (a digest of the folder, a commit) and goes into answer keys."""

    type: BackendType
    model_name: str
    model_path: str | None = None
    model_revision: str | None = None
    revision: str | None = None
    system_prompt: str | None = None
    provider: str | None = None
    base_url: str | None = None
    api_key_env: str | None = None
    parallel_calls_count: PositiveInt = 1
    model_plugin: str | None = None
    model_class: str | None = None
    options: dict[str, JsonValue] = Field(default_factory=dict)


class WorkerGeneration(Record):
    """As in the JobSpec, without what was not said."""

    max_new_tokens: PositiveInt | None = None
    temperature: FiniteFloat | None = None
    top_p: FiniteFloat | None = None
    top_k: PositiveInt | None = None
    min_p: FiniteFloat | None = None
    seed: NonNegativeInt | None = None
    stop: tuple[str, ...] = ()
    repetition_penalty: FiniteFloat | None = None
    frequency_penalty: FiniteFloat | None = None
    presence_penalty: FiniteFloat | None = None


class WorkerTask(Record):
    """One task, no superset. `modules`: LightEval's own modules to import for it; `params` as in the JobSpec."""

    id: str
    fewshot: NonNegativeInt
    params: dict[str, JsonValue] = Field(default_factory=dict)
    modules: tuple[str, ...] = ()


class RequestLimits(Record):
    """What bounds requests to a server: seconds for one with all of its tries, and how many may fail in a row."""

    request_s: FiniteFloat
    consecutive_failures: PositiveInt


class EvaluateOrder(Record):
    """Load the task, ask the model what is not known, and score what it answered with the task's own metrics.

    `known`: a file of `Answer` lines in the exchange directory that need not be asked for again. `chunk`: how many
    documents of a local backend are asked in one call, and so how many answers a crash can cost.
    """

    kind: Literal["evaluate"] = "evaluate"
    order: PositiveInt
    backend: WorkerBackend
    generation: WorkerGeneration = WorkerGeneration()
    task: WorkerTask
    plugins: tuple[WorkerPlugin, ...] = ()
    max_samples: PositiveInt | None = None
    fewshot_seeds: PositiveInt = 1
    chunk: PositiveInt = 16
    known: str | None = None
    limits: RequestLimits | None = None
    score: bool = True
    """False under judge and jury: the task's own metrics are not computed."""


class WorkerJudge(Record):
    """One judge. `name` is unique among its jury; `template` has `{question}`, `{answer}`, `{gold}`, `{choices}`."""

    name: str
    model: str
    base_url: str | None = None
    api_key_env: str | None = None
    max_tokens: PositiveInt
    temperature: FiniteFloat = 0.0
    seed: NonNegativeInt | None = None
    messages: tuple[dict[str, str], ...]
    parallel_calls_count: PositiveInt = 4


class JudgeOrder(Record):
    """Ask judges about answers. `items`: a file of `JudgeItem` lines in the exchange directory; `known`: of
    `Judgement` lines that need not be asked for again."""

    kind: Literal["judge"] = "judge"
    order: PositiveInt
    judges: tuple[WorkerJudge, ...]
    items: str
    known: str | None = None
    limits: RequestLimits | None = None


class DetailsOrder(Record):
    """Write detail rows as one Parquet file. `rows`: a file of `DetailRow` lines; `output`: the file to make. Both in
    the exchange directory. `metrics`: the names of the task's. Needs neither LightEval nor a model."""

    kind: Literal["details"] = "details"
    order: PositiveInt
    rows: str
    output: str
    metrics: tuple[str, ...]


class DescribeOrder(Record):
    """Tell the versions of everything and what this worker can run: the capability probe."""

    kind: Literal["describe"] = "describe"
    order: PositiveInt


class EndOrder(Record):
    """End the session when what was ordered before is done."""

    kind: Literal["end"] = "end"
    order: PositiveInt


_Orders = EvaluateOrder | JudgeOrder | DetailsOrder | DescribeOrder | EndOrder
WorkerOrder = Annotated[_Orders, Field(discriminator="kind")]


class OrderAccepted(Record):
    """The session's process has begun with the order."""

    type: Literal["accepted"] = "accepted"
    order: int


class Environment(Record):
    """Versions by package name (python, lighteval, torch, …; null where it is not installed) and facts of the
    machine: platform, cpu_count, gpus (names), offline. `backends`: by type null, or why it cannot run here."""

    type: Literal["environment"] = "environment"
    order: int
    versions: dict[str, str | None]
    machine: dict[str, JsonValue] = Field(default_factory=dict)
    backends: dict[BackendType, str | None] = Field(default_factory=dict)


class TaskReady(Record):
    """The task is loaded and its documents are built: `documents` of them, each to be asked for every seed.
    `config`: the task's configuration in LightEval. `config_sha256` of it, `prompt_sha256` of the source of the prompt
    function, `data_sha256` over the rows of documents and few-shot examples, `data_commit` of data from the hub.
    `metrics`: by name, whether higher is better and how it is aggregated over samples ("mean" or a function's name);
    `generation`: the settings that this task is really asked with.
    """

    type: Literal["task"] = "task"
    order: int
    documents: NonNegativeInt
    requests: NonNegativeInt
    sampling: tuple[Sampling, ...]
    config: dict[str, JsonValue]
    config_sha256: str
    prompt_sha256: str
    data_sha256: str
    data_commit: str | None = None
    metrics: dict[str, dict[str, JsonValue]] = Field(default_factory=dict)
    generation: dict[str, JsonValue] = Field(default_factory=dict)
    warnings: tuple[str, ...] = ()


class TokenUsage(Record):
    prompt_tokens: NonNegativeInt | None = None
    completion_tokens: NonNegativeInt | None = None


class AnswerError(Record):
    """Why there is no answer. `retries`: how often it was asked again."""

    code: str
    message: str
    http_status: int | None = None
    retries: NonNegativeInt = 0


class Answer(Record):
    """The model's answer to one request, or that there is none. `key` covers everything that can change an answer, so
    the same key is never asked twice. `response`: LightEval's ModelResponse as plain JSON; null where it failed.

    `finish_reasons`: for each sample why the text ended, in the server's word (`stop`, `length`, `content_filter`, …);
    `refusals`: for each sample why the server refused to answer. Both are empty where the backend does not tell.
    `truncated`: whether the prompt was cut to fit the model; null: not known."""

    type: Literal["answer"] = "answer"
    order: int
    key: str
    seed: NonNegativeInt
    doc_id: str
    sampling: Sampling
    status: AnswerStatus
    response: dict[str, JsonValue] | None = None
    error: AnswerError | None = None
    finish_reasons: tuple[str | None, ...] = ()
    refusals: tuple[str | None, ...] = ()
    truncated: bool | None = None
    latency_s: FiniteFloat | None = None
    usage: TokenUsage = TokenUsage()
    known: bool = False
    """It was in the order's file of known answers."""

    @property
    def refused(self) -> bool:
        """Whether the server refused a sample, or its filter took the text."""
        return any(self.refusals) or "content_filter" in self.finish_reasons


class Sample(Record):
    """One document under one seed and one way of sampling, scored. `metrics` is null where there is no answer.

    `doc`: query, choices, gold_index, instruction, specific, fewshot (list of query and gold), id — plain JSON.
    """

    type: Literal["sample"] = "sample"
    order: int
    key: str
    seed: NonNegativeInt
    doc_id: str
    sampling: Sampling
    doc: dict[str, JsonValue]
    metrics: dict[str, JsonValue] | None = None


class MetricValue(Record):
    """`value` null: it is not a number. `stderr` only where the metric is a mean over samples. `n`: samples."""

    value: FiniteFloat | None
    stderr: FiniteFloat | None = None
    n: NonNegativeInt


class SeedReport(Record):
    """What came out for one few-shot seed: aggregates over what was answered, and LightEval's four hashes."""

    seed: NonNegativeInt
    metrics: dict[str, MetricValue]
    hashes: dict[str, str | None] = Field(default_factory=dict)


class EvaluationReport(Record):
    """The end of an evaluate order: counts over all seeds and ways of sampling; asked = answered + empty + failed.
    `model_commit`: of a model from the hub, the commit that was loaded."""

    type: Literal["report"] = "report"
    order: int
    seeds: tuple[SeedReport, ...]
    asked: NonNegativeInt
    answered: NonNegativeInt
    empty: NonNegativeInt
    failed: NonNegativeInt
    known: NonNegativeInt
    warnings: tuple[str, ...] = ()
    model_commit: str | None = None


class JudgeItem(Record):
    """What a judge is asked about: one answer."""

    key: str
    seed: NonNegativeInt
    doc_id: str
    question: str
    answer: str
    gold: tuple[str, ...] = ()
    choices: tuple[str, ...] = ()


class JudgeReply(Record):
    """What one judge said about one answer: the prompt and the raw text, or why there is none. Parsing is ours.

    `key` covers the answer, the judge's settings and the prompt.
    """

    type: Literal["judgement"] = "judgement"
    order: int
    key: str
    item: str
    """The key of the answer."""
    seed: NonNegativeInt
    doc_id: str
    judge: str
    messages: tuple[dict[str, str], ...]
    text: str | None = None
    error: AnswerError | None = None
    latency_s: FiniteFloat | None = None
    usage: TokenUsage = TokenUsage()
    known: bool = False


class DetailRow(Record):
    """One row of the details, in one fixed schema for all tasks and backends; what is free-form is JSON text.

    With judges, `metric` has the verdict on the answer, `no_verdict` says why there is none, and `judgements` is a list
    of `JudgeVerdict`."""

    task: str
    fewshot: int
    seed: int
    doc_id: str
    sampling: Sampling
    status: AnswerStatus
    query: str
    choices: tuple[str, ...]
    gold: tuple[str, ...]
    answer: tuple[str, ...]
    doc: str
    model_response: str | None
    metric: str | None
    no_verdict: NoVerdict | None
    judgements: str | None
    error: str | None
    finish_reasons: tuple[str | None, ...]
    refusals: tuple[str | None, ...]
    truncated: bool | None
    latency_s: FiniteFloat | None
    prompt_tokens: int | None
    completion_tokens: int | None
    key: str


class OrderDone(Record):
    """The order was carried out."""

    type: Literal["done"] = "done"
    order: int


class OrderFailed(Record):
    """The order was not carried out. `stage`: mapping, task, dataset, backend, generation, scoring, details, judge or
    internal; `field`: a JSON pointer into the JobSpec where there is one."""

    type: Literal["failed"] = "failed"
    order: int
    stage: Literal["mapping", "task", "dataset", "backend", "generation", "scoring", "details", "judge", "internal"]
    code: str
    message: str
    field: str = ""
    hint: str | None = None
    traceback: str | None = None


WorkerEvent = Annotated[
    OrderAccepted | Environment | TaskReady | Answer | Sample | EvaluationReport | JudgeReply | OrderDone | OrderFailed,
    Field(discriminator="type"),
]
EVENT: TypeAdapter[WorkerEvent] = TypeAdapter(WorkerEvent)
"""One line of a session's events."""


def _words(kinds: tuple[type[Record], ...]) -> Iterator[str]:
    for kind in kinds:
        for name, field in kind.model_fields.items():
            yield name
            if get_origin(field.annotation) is Literal:
                yield from get_args(field.annotation)


EVENT_WORDS = frozenset(_words((*get_args(get_args(WorkerEvent)[0]), TokenUsage, AnswerError, MetricValue, SeedReport)))
"""The names of fields, and the values that are one of a few, in event lines: what they mean depends on them."""
