"""What the public sees of a challenge. A type of its own: what is not named here cannot be shown.

Absent keys are left out of the JSON, not null.
"""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import Field, SerializerFunctionWrapHandler, model_serializer, model_validator

from agentics.model.base import ChallengeName, Document, LocalizedSummary, NonEmpty, One, RelPath, Text, Timestamp
from agentics.model.challenge import (
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
from agentics.model.shape import with_nulls


class PublicSeparated(Document):
    mode: Literal["separated_evaluator"]
    separated_evaluator: EvaluatorSpec
    validation_runs: RelPath | None = None
    validation_setup: RunsSetup | None = None


class PublicPiped(Document):
    mode: Literal["piped_stdio"]
    interactive_evaluator: EvaluatorSpec
    acknowledge_stdio_protocol_framing: bool
    validation_session: RelPath | None = None
    validation_setup: SessionSetup | None = None


class PublicCoexecuted(Document):
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


class PublicChallenge(Document):
    schema_version: One
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

    @model_validator(mode="before")
    @classmethod
    def _absent_is_null(cls, value: Any) -> Any:  # noqa: ANN401  whatever a document holds
        return with_nulls(cls, value)

    @model_serializer(mode="wrap")
    def _without_absent(self, write: SerializerFunctionWrapHandler) -> dict[str, Any]:
        return {key: _present(value) for key, value in write(self).items() if value is not None}


def _present(value: Any) -> Any:  # noqa: ANN401  a serialised value of any shape
    if isinstance(value, dict):
        return {key: _present(item) for key, item in value.items() if item is not None}
    if isinstance(value, list | tuple):
        return [_present(item) for item in value]
    return value
