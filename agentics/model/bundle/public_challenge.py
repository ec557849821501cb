"""What the public sees of a challenge. A type of its own: what is not named here cannot be shown.

A key of the challenge or of its execution that is absent is left out of the JSON. Null inside targets, metrics and
setups stays null: there it is a value, such as the accelerator of a CPU target.
"""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field

from agentics.model.bundle.challenge import (
    Eligibility,
    EvaluatorSpec,
    Keywords,
    MetricSchema,
    RunsSetup,
    SessionSetup,
    Setup,
    SolutionProtocol,
    Target,
    Visibility,
)
from agentics.model.document.strict_types import (
    ChallengeName,
    Document,
    ExactlyOne,
    LocalizedSummary,
    NonEmpty,
    RelPath,
    SparseDocument,
    Text,
    Timestamp,
)


class PublicSeparated(SparseDocument):
    mode: Literal["separated_evaluator"]
    separated_evaluator: EvaluatorSpec
    validation_runs: RelPath | None = None
    validation_setup: RunsSetup | None = None


class PublicPiped(SparseDocument):
    mode: Literal["piped_stdio"]
    interactive_evaluator: EvaluatorSpec
    acknowledge_stdio_protocol_framing: bool
    validation_session: RelPath | None = None
    validation_setup: SessionSetup | None = None


class PublicCoexecuted(SparseDocument):
    mode: Literal["coexecuted_benchmark"]
    coexecuted_evaluator: EvaluatorSpec
    acknowledge_danger: bool
    validation_setup: Setup | None = None


PublicExecution = Annotated[PublicSeparated | PublicPiped | PublicCoexecuted, Field(discriminator="mode")]


class PublicDatasets(Document):
    public_dir: RelPath
    public_policy: Literal["full", "score_only"]
    private_benchmark_policy: Literal["score_only"]
    private_benchmark_enabled: bool


class PublicChallenge(SparseDocument):
    schema_version: ExactlyOne
    challenge_name: ChallengeName
    challenge_title: Text
    summary: LocalizedSummary
    keywords: Keywords
    solution: SolutionProtocol
    targets: NonEmpty[Target]
    starts_at: Timestamp
    closes_at: Timestamp | None = None
    eligibility: Eligibility
    validation_submission_limit: int | None = None
    official_submission_limit: int | None = None
    visibility: Visibility
    solution_publication: Literal["private", "public", "public_after_close"]
    execution: PublicExecution
    datasets: PublicDatasets
    metric_schema: MetricSchema
