"""Pipelines as data: what shall be run, on what, with which outputs. Nothing here runs anything.

A key that a newer version added is ignored, so that an older one can read what it left out.
"""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, ValidationError

from agentics.model.plan.trial_plan import StageDefinition

PipelineName = Annotated[str, Field(min_length=1)]


class Additive(BaseModel):
    """Frozen; unknown keys are ignored."""

    model_config = ConfigDict(frozen=True, extra="ignore", defer_build=True)


def _known_keys(value: object) -> object:
    if isinstance(value, dict):
        return {key: item for key, item in value.items() if key in StageDefinition.model_fields}
    return value


class BackendRef(Additive):
    """What is evaluated."""

    id: PipelineName
    profile: str = "default"
    options: dict[str, Any] = Field(default_factory=dict)
    model_version: str | None = None
    endpoint_url: str | None = None
    deployment_id: str | None = None
    fallback: BackendRef | None = None


class DatasetRef(Additive):
    name: PipelineName
    provider: str | None = None
    split: str = "train"
    options: dict[str, Any] = Field(default_factory=dict)
    version: str | None = None
    format: str | None = None
    schema_: dict[str, Any] | None = Field(default=None, alias="schema")

    model_config = ConfigDict(frozen=True, extra="ignore", defer_build=True, populate_by_name=True)


class OutputSpec(Additive):
    """A report: its name, and one file for each format."""

    name: PipelineName
    formats: tuple[str, ...] = ("markdown",)
    sink: str = "file"
    options: dict[str, Any] = Field(default_factory=dict)


class Statistics(Additive):
    tests: tuple[str, ...] = ()
    alpha: float = Field(default=0.05, gt=0, lt=1)
    options: dict[str, Any] = Field(default_factory=dict)


class Reliability(Additive):
    """What stages may read on how much to trust a result; each part belongs to the stage that reads it."""

    ensemble: dict[str, Any] | None = None
    hedging: dict[str, Any] | None = None
    guardrails: dict[str, Any] | None = None
    stats: Statistics | None = None
    fairness: dict[str, Any] | None = None
    monitoring: dict[str, Any] | None = None
    drift: dict[str, Any] | None = None
    circuit_breaker: dict[str, Any] | None = None
    feedback: dict[str, Any] | None = None


class Experiment(Additive):
    """A pipeline and what it is about. The trial of a challenge is one too."""

    id: PipelineName
    backend: BackendRef
    pipeline: Annotated[tuple[Annotated[StageDefinition, BeforeValidator(_known_keys)], ...], Field(min_length=1)]
    description: str | None = None
    owner: str | None = None
    tags: tuple[str, ...] = ()
    metadata: dict[str, Any] = Field(default_factory=dict)
    dataset: DatasetRef | None = None
    reliability: Reliability | None = None
    outputs: tuple[OutputSpec, ...] = ()
    created_at: str | None = None
    updated_at: str | None = None
    experiment_type: Literal["evaluation", "training", "comparison", "ablation"] = "evaluation"
    model_version: str | None = None
    training_config: dict[str, Any] | None = None
    baseline: str | None = None

    def with_stage(self, name: str, **options: object) -> Experiment:
        """The same, with one more stage at the end."""
        return self.model_copy(update={"pipeline": (*self.pipeline, StageDefinition(name=name, options=options))})

    def with_output(self, name: str, *formats: str) -> Experiment:
        """The same, with one more report; in Markdown unless formats are named."""
        return self.model_copy(
            update={"outputs": (*self.outputs, OutputSpec(name=name, formats=formats or ("markdown",)))}
        )


def experiment(name: str, backend: str, stage: str, **options: object) -> Experiment:
    """A pipeline of one stage, to be built on with `with_stage` and `with_output`."""
    first = StageDefinition(name=stage, options=options)
    return Experiment(id=name, backend=BackendRef(id=backend), pipeline=(first,))


def to_json(document: BaseModel) -> str:
    return document.model_dump_json(by_alias=True)


def problems(document: object) -> list[str]:
    """Everything that keeps a document from being an Experiment, each with its place; empty when it is one."""
    try:
        Experiment.model_validate(document)
    except ValidationError as error:
        return [f"{'.'.join(map(str, each['loc'])) or 'experiment'}: {each['msg']}" for each in error.errors()]
    return []


DOCUMENTS: dict[str, type[BaseModel]] = {"pipeline_experiment": Experiment}
