"""From a design to its slots, in the order in which they are filled and committed; whether one is tried again, and when
a variant is given up. The same seed, the same order; and the same decisions whatever the number of trials at a time."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable
from typing import TypeVar

from agentics.model.run.design import Design, Pruning, RetryPolicy, Slot
from agentics.model.run.directory import ResultOutcome

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


def try_again(outcome: ResultOutcome, *, timed_out: bool, attempt: int, retry: RetryPolicy) -> bool:
    """Whether an attempt (from 1) that ended so is followed by another. `timed_out`: a limit ended it.

    A verdict, whatever it says, and a trial without a case are clean ends; with an empty `retry_on` every other end is
    tried again.
    """
    if attempt >= retry.max_attempts:
        return False
    if not retry.retry_on:
        return outcome == "error" or timed_out
    return outcome in retry.retry_on or (timed_out and "timeout" in retry.retry_on)


def may_start(*, failures_in_a_row: int, uncommitted: int, pruning: Pruning | None) -> bool:
    """Whether a slot may be started before all earlier ones of its variant are committed: only if not even the failure
    of all of those could prune it. So a run of many trials at a time does what a run of one at a time does.

    `failures_in_a_row`: of this variant, at the end of what is committed; `uncommitted`: its slots before this one."""
    return not is_pruned(failures_in_a_row + uncommitted, pruning)


def is_pruned(failures_in_a_row: int, pruning: Pruning | None) -> bool:
    """Whether a variant stops after so many committed failures in a row. Whatever is no success counts."""
    return pruning is not None and failures_in_a_row >= pruning.max_consecutive_failures


def _shuffled(items: Iterable[T], seed: int) -> list[T]:
    """By a digest of seed and position: the same on every machine and with every version of Python."""
    keyed = [(hashlib.sha256(f"{seed}:{index}".encode()).digest(), index, item) for index, item in enumerate(items)]
    return [item for _, _, item in sorted(keyed, key=lambda each: each[:2])]
