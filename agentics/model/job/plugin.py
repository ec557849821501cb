"""`agentics.plugin.json`: what a plugin says of itself, so that a job is checked without running anybody's code."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Annotated

from pydantic import Field

from agentics.model.document.json_text import Problem
from agentics.model.document.parsing import Rule
from agentics.model.document.strict_types import Count, Document, List, NonEmpty, RelPath, Text
from agentics.model.document.strict_types import ExactlyOne as SchemaVersion
from agentics.model.job import jobspec
from agentics.model.job.jobspec import PluginType, PluginVersion
from agentics.model.job.worker_protocol import Sampling

MANIFEST = "agentics.plugin.json"
TASK_ID = re.compile(r"[^\s|,@]+")
"""What can stand in LightEval's own task strings, where the other characters mean something."""

_LISTS = {"task": "tasks", "metric": "metrics", "model": "classes"}


class PluginTask(Document):
    """A task as the plugin's module defines it. `hf_avail_splits`: the splits of its data, by default LightEval's own;
    where `few_shots_split` names none, examples come from one of them. `documents`: how many are evaluated, and
    `fewshot_pool`: how many examples can be drawn, if that is known. `num_samples`: answers to each question, for
    metrics that need several."""

    name: Text
    sampling: NonEmpty[Sampling]
    metrics: NonEmpty[Text]
    primary_metric: Text | None = None
    few_shots_split: Text | None = None
    hf_avail_splits: NonEmpty[Text] = ("train", "validation", "test")
    evaluation_splits: NonEmpty[Text]
    documents: Count | None = None
    fewshot_pool: Count | None = None
    generation_size: jobspec.PositiveCount | None = None
    num_samples: jobspec.PositiveCount = 1
    needs_network: bool = False


class PluginManifest(Document):
    """`module`: the file in the folder that the worker imports. Of `tasks`, `metrics` (names) and `classes` (names),
    a plugin has those of its type."""

    schema_version: SchemaVersion
    name: jobspec.JobName
    version: PluginVersion
    type: PluginType
    module: RelPath
    description: str | None = None
    tasks: List[PluginTask] = ()
    metrics: List[Text] = ()
    classes: List[Annotated[str, Field(pattern=r"^[A-Za-z_][A-Za-z0-9_]*$")]] = ()


def _own_list(manifest: PluginManifest) -> Iterator[Problem]:
    for kind, key in _LISTS.items():
        listed = getattr(manifest, key)
        if kind == manifest.type and not listed:
            yield Problem(code="empty_list", message=f"a plugin of type {kind!r} lists its {key}", path=(key,))
        if kind != manifest.type and listed:
            message = f"a plugin of type {manifest.type!r} has no {key}"
            hint = f"make it a plugin of its own, of type {kind!r}"
            yield Problem(code="field_unsupported", message=message, path=(key,), hint=hint)


def _once(manifest: PluginManifest) -> Iterator[Problem]:
    for key in _LISTS.values():
        seen: set[str] = set()
        for index, item in enumerate(getattr(manifest, key)):
            name = item.name if isinstance(item, PluginTask) else item
            if name in seen:
                yield Problem(code="duplicate_name", message=f"{name!r:.100} is there twice", path=(key, index))
            seen.add(name)


def _task_words(manifest: PluginManifest) -> Iterator[Problem]:
    for index, task in enumerate(manifest.tasks):
        if TASK_ID.fullmatch(task.name) is None:
            message = f"{task.name!r:.100} cannot name a task: no spaces, '|', ',' and '@'"
            yield Problem(code="bad_task_id", message=message, path=("tasks", index, "name"))
        if task.primary_metric is not None and task.primary_metric not in task.metrics:
            message = f"{task.primary_metric!r:.100} is none of the task's metrics"
            hint = f"there is {', '.join(task.metrics)}"
            path = ("tasks", index, "primary_metric")
            yield Problem(code="unknown_metric", message=message, path=path, hint=hint)


def _is_python(manifest: PluginManifest) -> Iterator[Problem]:
    if not manifest.module.endswith(".py"):
        yield Problem(code="bad_path", message="the module is a Python file, such as tasks.py", path=("module",))


RULES: tuple[Rule[PluginManifest], ...] = (
    Rule(needs=("type", "tasks", "metrics", "classes"), check=_own_list),
    Rule(needs=("tasks", "metrics", "classes"), check=_once),
    Rule(needs=("tasks",), check=_task_words),
    Rule(needs=("module",), check=_is_python),
)

DOCUMENTS: dict[str, type[Document]] = {"plugin": PluginManifest}
