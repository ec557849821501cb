"""`spec.json`: what a challenge is, on which targets and under which limits it runs, and how it is ranked.

Knows the shape of the document; rules across fields are in `policy.checks`.
"""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import AfterValidator, Field, WithJsonSchema

from agentics.model.document.strict_types import (
    I64,
    ChallengeName,
    Document,
    ExactlyOne,
    Keyword,
    LocalizedSummary,
    MetricName,
    NonEmpty,
    OpenDocument,
    Positive32,
    Positive64,
    RelPath,
    Text,
    Timestamp,
    Token,
    refuse,
    trim,
)

MAX_KEYWORDS = 6
Keywords = Annotated[NonEmpty[Keyword], Field(max_length=MAX_KEYWORDS)]
Limit = Annotated[int, Field(ge=1, le=I64)]
After = Literal["public_live", "public_after_close", "hidden"]


def _argument(text: str) -> str:
    if not trim(text):
        refuse("blank", "an argument must not be blank")
    if "\0" in text:
        refuse("bad_argument", "an argument must not contain NUL")
    return text


Argument = Annotated[
    str, AfterValidator(_argument), WithJsonSchema({"type": "string", "pattern": r"^[^\u0000]*\S[^\u0000]*$"})
]
Command = NonEmpty[Argument]


class SolutionProtocol(Document):
    """How solutions come: there is one way."""

    protocol: Literal["zip_project"]
    manifest_file: Literal["agentics.solution.json"]


class StageSpec(Document):
    """Limits of one container: seconds, MiB, thousandths of a core."""

    timeout_sec: Positive64
    memory_limit_mb: Positive64
    cpu_limit_millis: Positive32
    disk_limit_mb: Positive64
    network_access: Literal["disabled", "loopback", "enabled"]


class SolutionStages(Document):
    """`run` is null exactly where the evaluator itself runs the solution."""

    setup: StageSpec
    build: StageSpec
    run: StageSpec | None


class EvaluatorStages(Document):
    setup: StageSpec
    run: StageSpec


class Hardware(Document):
    """What a target's machine has. On CPU targets all but `kind` is null."""

    kind: Text
    gpu_model: Text | None
    gpu_count: Positive32 | None
    gpu_memory_gb: Positive64 | None
    cuda_variant: Text | None
    cuda_version: Text | None
    driver_minimum: Text | None


class LocalImage(OpenDocument):
    """An image that the operator built."""

    source: Literal["local"]
    reference: str


class RegistryImage(OpenDocument):
    """An image by registry, repository, tag and perhaps digest."""

    source: Literal["registry"]
    reference: str


DeclaredImage = Annotated[LocalImage | RegistryImage, Field(discriminator="source")]


class ResourceProfile(Document):
    name: Token
    resource_description: Text | None
    solution_image: DeclaredImage
    evaluator_image: DeclaredImage
    solution: SolutionStages
    evaluator: EvaluatorStages
    hardware_metadata: Hardware | None


class Target(Document):
    """A platform with a resource profile, and the scope of a ranking."""

    name: Token
    docker_platform: Literal["linux/arm64", "linux/amd64"]
    accelerator: Literal["gpu"] | None
    validation_enabled: bool
    resource_profile: ResourceProfile


class Eligibility(Document):
    type: Literal["open", "private_shortlist"]


class Visibility(Document):
    leaderboard: After
    score_distribution: After
    result_detail: Literal["submitter_live_public_live", "submitter_live_public_after_close", "submitter_only"]


class EvaluatorSpec(Document):
    """The evaluator's command; the platform appends its arguments. `result_file` is below the output place."""

    command: Command
    result_file: RelPath


class Setup(Document):
    """A command of the challenge that prepares data before the evaluation."""

    command: Command
    reproducibility_notes: Text | None


class RunsSetup(Setup):
    """A setup that leaves a run manifest."""

    result_runs_file: RelPath


class SessionSetup(Setup):
    """A setup that leaves a session manifest."""

    result_session_file: RelPath


class Separated(Document):
    """Each case in a container of its own; the evaluator sees what they left."""

    mode: Literal["separated_evaluator"]
    separated_evaluator: EvaluatorSpec
    validation_runs: RelPath | None
    validation_setup: RunsSetup | None
    official_runs: RelPath | None
    official_evaluation_setup: RunsSetup | None


class Piped(Document):
    """Solution and evaluator talk over pipes in one session."""

    mode: Literal["piped_stdio"]
    interactive_evaluator: EvaluatorSpec
    acknowledge_stdio_protocol_framing: bool
    validation_session: RelPath | None
    validation_setup: SessionSetup | None
    official_session: RelPath | None
    official_evaluation_setup: SessionSetup | None


class Coexecuted(Document):
    """The evaluator imports the solution, in one container."""

    mode: Literal["coexecuted_benchmark"]
    coexecuted_evaluator: EvaluatorSpec
    acknowledge_danger: bool
    validation_setup: Setup | None
    official_evaluation_setup: Setup | None


Execution = Annotated[Separated | Piped | Coexecuted, Field(discriminator="mode")]


class Datasets(Document):
    """Directories below the bundle. `public_policy` is declared and shown; nothing acts on it."""

    public_dir: RelPath
    private_benchmark_dir: RelPath | None
    public_policy: Literal["full", "score_only"]
    private_benchmark_policy: Literal["score_only"]
    private_benchmark_enabled: bool


class MetricDefinition(Document):
    name: MetricName
    label: Text
    unit: Text | None
    direction: Literal["maximize", "minimize"]
    visibility: Literal["public", "official"]
    metric_description: Text | None


class Ranking(Document):
    primary_metric_name: MetricName
    tie_breaker_metric_names: NonEmpty[MetricName] | None


class MetricSchema(Document):
    metrics: NonEmpty[MetricDefinition]
    ranking: Ranking


class Challenge(Document):
    """The whole of `spec.json`. Every key is mandatory; null means absent."""

    schema_version: ExactlyOne
    challenge_name: ChallengeName
    challenge_title: Text
    summary: LocalizedSummary
    keywords: Keywords
    solution: SolutionProtocol
    targets: NonEmpty[Target]
    starts_at: Timestamp
    closes_at: Timestamp | None
    eligibility: Eligibility
    validation_submission_limit: Limit | None
    official_submission_limit: Limit | None
    visibility: Visibility
    solution_publication: Literal["private", "public", "public_after_close"]
    execution: Execution
    datasets: Datasets
    metric_schema: MetricSchema
