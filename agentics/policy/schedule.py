"""From a design to its slots, in the order in which they are filled and committed. The same seed, the same order."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable
from typing import TypeVar

from agentics.model.design import Design, Slot

T = TypeVar("T")


def slots(design: Design, *, variants: int, tasks: int) -> tuple[Slot, ...]:
    """Every variant on every task, as often as the design says. `variants` and `tasks` are their numbers."""
    order = _shuffled(range(tasks), design.random_seed) if design.shuffle_tasks else list(range(tasks))
    repls = range(design.replications)
    if design.scheduling == "variant_sequential":
        found = [(v, t, r) for v in range(variants) for t in order for r in repls]
    else:
        found = [(v, t, r) for t in order for v in range(variants) for r in repls]
    if design.scheduling == "randomized":
        found = _shuffled(found, design.random_seed)
    return tuple(
        Slot(schedule_idx=index, variant_idx=v, task_idx=t, repl_idx=r) for index, (v, t, r) in enumerate(found)
    )


def _shuffled(items: Iterable[T], seed: int) -> list[T]:
    """By a digest of seed and position: the same on every machine and with every version of Python."""
    keyed = [(hashlib.sha256(f"{seed}:{index}".encode()).digest(), index, item) for index, item in enumerate(items)]
    return [item for _, _, item in sorted(keyed, key=lambda each: each[:2])]
