"""A job that is in order: a JobSpec with everything found that it names."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from pydantic import JsonValue

from agentics.lighteval.plugins import Located
from agentics.model.job.jobspec import JobSpec, JudgeSpec
from agentics.model.job.suite import Suite
from agentics.model.job.worker_protocol import Sampling


@dataclass(frozen=True, kw_only=True)
class KnownTask:
    """A task by its name, from the catalogue or a plugin. `modules`: LightEval's own that define it. `samples`:
    answers to each question. `hf_avail_splits`: the splits of its data. `metrics`: what they need from the model where
    that is known; `judges`: those that ask another model."""

    name: str
    plugin: str | None
    modules: tuple[str, ...]
    sampling: tuple[Sampling, ...]
    metrics: Mapping[str, Sampling | None]
    judges: frozenset[str]
    primary_metric: str | None
    few_shots_split: str | None
    hf_avail_splits: tuple[str, ...]
    evaluation_splits: tuple[str, ...]
    fewshot_pool: int | None
    hf_repo: str | None
    samples: int


@dataclass(frozen=True, kw_only=True)
class JobTask:
    """One task of a job. `index`: the entry of `tasks` that asks for it. `data`: the local folder of its dataset."""

    index: int
    known: KnownTask
    fewshot: int
    params: Mapping[str, JsonValue]
    sampling: tuple[Sampling, ...]
    metrics: tuple[str, ...]
    data: Path | None = None

    @property
    def id(self) -> str:
        return self.known.name

    @property
    def ref(self) -> str:
        """As runs name the task."""
        return f"{self.known.name}|{self.fewshot}"


@dataclass(frozen=True, kw_only=True)
class JobJudge:
    """`name` is unique among the job's judges."""

    name: str
    template_id: str
    spec: JudgeSpec


@dataclass(frozen=True, kw_only=True)
class CheckedJob:
    """`variant`: what the model is called in the run. `secrets`: names of the environment variables to hand over.
    `network`: whether the worker must reach a server or the hub; `hub`: whether it takes anything from there. `file`
    and `folder`: where the JobSpec is."""

    spec: JobSpec
    file: str
    folder: Path
    variant: str
    tasks: tuple[JobTask, ...]
    plugins: tuple[Located, ...] = ()
    judges: tuple[JobJudge, ...] = ()
    suite: Suite | None = None
    model_path: Path | None = None
    secrets: tuple[str, ...] = ()
    network: bool = False
    hub: bool = False
