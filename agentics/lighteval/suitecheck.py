"""Rules of a suite that need to know tasks: each exists, stands for one task, and has the metric that counts."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from difflib import get_close_matches
from functools import partial
from pathlib import Path

from agentics.lighteval.catalogue import Catalogue
from agentics.lighteval.plugins import installed
from agentics.model.document.json_text import Problem
from agentics.model.document.parsing import Rule
from agentics.model.job.plugin import TASK_ID
from agentics.model.job.suite import Suite


def rules(catalogue: Catalogue, plugins: Sequence[Path] = ()) -> tuple[Rule[Suite], ...]:
    """For a suite of LightEval's tasks and of those of the operator's plugins."""
    own = {task.name: task.metrics for manifest in installed(plugins) for task in manifest.tasks}
    return (Rule(needs=("tasks", "primary_metric"), check=partial(_tasks, catalogue, own)),)


def _tasks(catalogue: Catalogue, own: Mapping[str, tuple[str, ...]], suite: Suite) -> Iterator[Problem]:
    for index, task in enumerate(suite.tasks):
        several = catalogue.supersets.get(task.id, ())
        metrics = own.get(task.id) or _metrics(catalogue, task.id)
        metric = task.primary_metric or suite.primary_metric
        if several and not metrics:
            message = f"{task.id!r:.100} stands for {len(several)} tasks, and a suite weighs each"
            hint = f"list them: {', '.join(several[:3])}{', …' if len(several) > 3 else ''}"  # noqa: PLR2004
            yield Problem(code="superset_in_suite", message=message, path=("tasks", index, "id"), hint=hint)
        elif not metrics and TASK_ID.fullmatch(task.id) is not None:
            near = (get_close_matches(task.id, own, n=3) + catalogue.near(task.id))[:3]
            hint = f"did you mean {' or '.join(map(repr, near))}?" if near else "`[lighteval] plugins` adds others"
            message = f"no task is called {task.id!r:.100}"
            yield Problem(code="unknown_task", message=message, path=("tasks", index, "id"), hint=hint)
        elif metrics and metric is not None and metric not in metrics:
            message = f"{task.id} has no metric {metric!r:.100}"
            path = ("tasks", index, "primary_metric") if task.primary_metric else ("tasks", index)
            yield Problem(code="unknown_metric", message=message, path=path, hint=f"there is {', '.join(metrics)}")


def _metrics(catalogue: Catalogue, name: str) -> tuple[str, ...]:
    found = catalogue.find(name)
    return tuple(metric.name for metric in found.metrics) if found else ()
