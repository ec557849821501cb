"""The split that a task's few-shot examples come from, as LightEval 0.13 chooses it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from pydantic import JsonValue

from agentics.lighteval.job import KnownTask

_LOOKED_FOR = ("train", "dev", "valid", "default")
"""In this order; a split counts whose name has the word in it."""


def examples_split(declared: str | None, available: Sequence[str], evaluated: Sequence[str]) -> str | None:
    """The declared split, or the first of the available ones that is not evaluated and has a name of this kind.

    None: the examples come from the evaluated documents.
    """
    if declared:
        return declared
    others = [split for split in available if split not in evaluated]
    return next((split for word in _LOOKED_FOR for split in others if word in split), None)


def evaluated_splits(task: KnownTask, params: Mapping[str, JsonValue]) -> tuple[str, ...]:
    """The splits whose documents are asked, under a job's params."""
    said = params.get("evaluation_splits")
    return tuple(map(str, said)) if isinstance(said, list) else task.evaluation_splits


def split_of_examples(task: KnownTask, params: Mapping[str, JsonValue]) -> str | None:
    """The split of the examples under a job's params. None: examples would be among the evaluated documents."""
    said, evaluated = params.get("few_shots_split"), evaluated_splits(task, params)
    split = examples_split(said if isinstance(said, str) else task.few_shots_split, task.hf_avail_splits, evaluated)
    return None if split in evaluated else split
