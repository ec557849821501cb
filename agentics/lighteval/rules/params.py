"""Rules about `tasks[].params`: what of a task's own configuration a job may change, and to what."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from difflib import get_close_matches

from pydantic import JsonValue

from agentics.lighteval.job import KnownTask
from agentics.lighteval.rules.review import Review, data_of, either
from agentics.lighteval.support import FEW_SHOTS_SELECT, TASK_PARAMS
from agentics.model.document.json_text import Path, Problem
from agentics.model.job.jobspec import JobSpec
from agentics.model.job.worker_protocol import Sampling


def types(spec: JobSpec) -> Iterator[Problem]:
    """Names and types, also of the params of tasks that nobody knows."""
    for index, entry in enumerate(spec.tasks):
        for name, value in entry.params.items():
            path: Path = ("tasks", index, "params", name)
            if name not in TASK_PARAMS:
                hint = either(get_close_matches(name, TASK_PARAMS, n=1)) or f"there is {', '.join(TASK_PARAMS)}"
                message = f"a task has no parameter {name!r:.100}"
                yield Problem(code="unknown_task_param", message=message, path=path, hint=hint)
            elif not _RIGHT[name](value):
                code = "unknown_value" if name == "few_shots_select" and isinstance(value, str) else "wrong_type"
                message = f"{name} must be {_WANTED[name]}"
                yield Problem(code=code, message=message, path=path)


def chosen(params: dict[str, JsonValue], task: KnownTask) -> tuple[tuple[str, ...], tuple[Sampling, ...]]:
    """The metrics that count under these params, and what they need from the model, as far as that is known."""
    wanted = params.get("metrics")
    if not isinstance(wanted, list) or not _texts(wanted):
        return tuple(task.metrics), task.sampling
    names = tuple(str(name) for name in wanted)
    needs = [task.metrics.get(name) for name in names]
    known = [need for need in dict.fromkeys(needs) if need is not None]
    return names, tuple(known) if None not in needs else task.sampling


def metrics(review: Review, spec: JobSpec) -> Iterator[Problem]:
    """Every metric that is asked for is the task's own or a plugin's."""
    if not review.complete(spec):
        return
    plugged = [name for located in review.plugins(spec).found for name in located.manifest.metrics]
    for index, entry, tasks in review.entries(spec):
        wanted = entry.params.get("metrics")
        if not _texts(wanted) or not isinstance(wanted, list):
            continue
        known = [*dict.fromkeys(name for task in tasks for name in task.metrics), *plugged]
        for place, name in enumerate(wanted):
            if name not in known:
                hint = either(get_close_matches(str(name), known, n=2)) or f"there is {', '.join(known)}"
                message = f"{name!r:.100} is a metric of neither the task nor a plugin"
                path = ("tasks", index, "params", "metrics", place)
                yield Problem(code="unknown_metric", message=message, path=path, hint=hint)


def without_effect(review: Review, spec: JobSpec) -> Iterator[Problem]:
    """Params of the right type that would change nothing of what is asked here."""
    for index, entry, tasks in review.entries(spec):
        local = any(data_of(review, entry, task) is not None for task in tasks)
        reasons = {
            "generation_size": ("generation.max_new_tokens replaces it", spec.generation.max_new_tokens is not None),
            "hf_revision": ("a folder has no revision: its content is what it is", local),
            "few_shots_split": ("without few-shot examples there is no split to take them from", not entry.fewshot),
            "few_shots_select": ("without few-shot examples there are none to choose", not entry.fewshot),
        }
        for name, (message, idle) in reasons.items():
            if idle and name in entry.params and _RIGHT[name](entry.params[name]):
                path: Path = ("tasks", index, "params", name)
                yield Problem(code="field_unsupported", message=message, path=path, hint="leave it out")


def _text(value: JsonValue) -> bool:
    return isinstance(value, str) and bool(value.strip())


def _texts(value: JsonValue) -> bool:
    return isinstance(value, list) and bool(value) and all(_text(item) for item in value)


def _stops(value: JsonValue) -> bool:
    return isinstance(value, list) and all(isinstance(item, str) and item for item in value)


def _count(least: int) -> Callable[[JsonValue], bool]:
    return lambda value: isinstance(value, int) and not isinstance(value, bool) and value >= least


def _one_of(choices: Sequence[str]) -> Callable[[JsonValue], bool]:
    return lambda value: value in choices


_RIGHT: dict[str, Callable[[JsonValue], bool]] = {
    "generation_size": _count(1),
    "stop_sequence": _stops,
    "few_shots_split": _text,
    "few_shots_select": _one_of(FEW_SHOTS_SELECT),
    "evaluation_splits": _texts,
    "hf_repo": _text,
    "hf_subset": _text,
    "hf_revision": _text,
    "version": _count(0),
    "metrics": _texts,
}
_WANTED = {
    **dict.fromkeys(("few_shots_split", "hf_repo", "hf_subset", "hf_revision"), "a text"),
    **dict.fromkeys(("evaluation_splits", "metrics"), "a list of texts that is not empty"),
    "stop_sequence": "a list of texts",
    "generation_size": "an integer >= 1",
    "version": "an integer >= 0",
    "few_shots_select": f"one of {', '.join(FEW_SHOTS_SELECT)}",
}
