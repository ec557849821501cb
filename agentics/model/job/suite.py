"""Suites: tasks, the metric that counts in each, and how many values become one number."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Annotated, Literal

from pydantic import BaseModel, Field, FiniteFloat, JsonValue, NonNegativeInt

from agentics.model.document.json_text import Problem
from agentics.model.document.parsing import Rule
from agentics.model.document.record import Record
from agentics.model.document.strict_types import Document, List, Text
from agentics.model.document.strict_types import ExactlyOne as SchemaVersion
from agentics.model.job import jobspec
from agentics.model.job.plugin import TASK_ID

Aggregation = Literal["mean", "weighted_mean", "min", "geometric_mean"]
MissingTasks = Literal["strict", "renormalize"]


class SuiteTask(Document):
    """A task, no superset. `weight` counts in a weighted mean; `primary_metric` comes before the suite's own."""

    id: Text
    fewshot: Annotated[int, Field(ge=0)] = 0
    params: dict[str, JsonValue] = Field(default_factory=dict)
    weight: Annotated[FiniteFloat, Field(gt=0, le=1e6)] = 1.0
    primary_metric: Text | None = None

    @property
    def ref(self) -> str:
        """As runs name the task."""
        return f"{self.id}|{self.fewshot}"


class Suite(Document):
    """Known by name and version. `missing_tasks`: whether there is a score without all tasks (`renormalize`: over
    those that are there) or none (`strict`)."""

    schema_version: SchemaVersion
    name: jobspec.JobName
    version: jobspec.PluginVersion
    description: str | None = None
    tasks: Annotated[List[SuiteTask], Field(min_length=1)]
    primary_metric: Text | None = None
    aggregation: Aggregation = "mean"
    missing_tasks: MissingTasks = "strict"

    @property
    def id(self) -> str:
        """As a JobSpec names exactly this one."""
        return f"{self.name}@{self.version}"


class TaskScore(Record):
    """What a task brings to the score. `value` null: it is missing, and `missing` says why. `n` samples of `of` are in
    the value; null where the task has no result."""

    task: str
    metric: str
    weight: FiniteFloat
    value: FiniteFloat | None = None
    stderr: FiniteFloat | None = None
    n: NonNegativeInt | None = None
    of: NonNegativeInt | None = None
    missing: Literal["no_result", "no_metric", "not_a_number"] | None = None


class SuiteScore(Record):
    """One number for a suite. `score` null: `reason` says why. `stderr` only of means of independent tasks that have
    one each. `partial_tasks` have a value that lacks answers: a strict suite has no score then."""

    suite: str
    version: str
    aggregation: Aggregation
    policy: MissingTasks
    score: FiniteFloat | None
    stderr: FiniteFloat | None = None
    reason: Literal["missing_tasks", "missing_answers", "nothing_measured", "negative_value"] | None = None
    missing_tasks: tuple[str, ...] = ()
    partial_tasks: tuple[str, ...] = ()
    renormalized: bool = False
    tasks: tuple[TaskScore, ...] = ()


def _ids(suite: Suite) -> Iterator[Problem]:
    seen: set[str] = set()
    for index, task in enumerate(suite.tasks):
        if TASK_ID.fullmatch(task.id) is None:
            message = f"{task.id!r:.100} cannot name a task: no spaces, '|', ',' and '@'"
            hint = "few-shot examples go into `fewshot`, everything else into `params`"
            yield Problem(code="bad_task_id", message=message, path=("tasks", index, "id"), hint=hint)
        if task.ref in seen:
            message = f"{task.ref!r:.100} is there twice"
            yield Problem(code="duplicate_task", message=message, path=("tasks", index), hint="give it more weight")
        seen.add(task.ref)


def _metrics(suite: Suite) -> Iterator[Problem]:
    for index, task in enumerate(suite.tasks):
        if suite.primary_metric is None and task.primary_metric is None:
            message = f"which metric of {task.id!r:.100} counts?"
            hint = "set primary_metric here, or for the whole suite"
            yield Problem(code="primary_metric_missing", message=message, path=("tasks", index), hint=hint)


def _weights(suite: Suite) -> Iterator[Problem]:
    if suite.aggregation == "weighted_mean":
        return
    for index, task in enumerate(suite.tasks):
        if "weight" in task.model_fields_set:
            message = f"weights do not count in aggregation {suite.aggregation!r}"
            path = ("tasks", index, "weight")
            hint = "leave it out, or aggregate with weighted_mean"
            yield Problem(code="weight_unused", message=message, path=path, hint=hint)


RULES: tuple[Rule[Suite], ...] = (
    Rule(needs=("tasks",), check=_ids),
    Rule(needs=("tasks", "primary_metric"), check=_metrics),
    Rule(needs=("tasks", "aggregation"), check=_weights),
)

DOCUMENTS: dict[str, type[BaseModel]] = {"suite": Suite, "suite_score": SuiteScore}
