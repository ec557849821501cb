"""Which slots a design gives and in which order; who is tried again; when a variant is given up."""

from __future__ import annotations

import itertools
import json
from pathlib import Path

import pytest

from agentics.model.run.design import Design, Pruning, RetryPolicy
from agentics.policy.run.schedule import is_pruned, may_start, slots, try_again

GOLDEN = json.loads((Path(__file__).parent / "schedules.json").read_text(encoding="utf-8"))


def order(design: Design, variants: int = 2, tasks: int = 3) -> list[list[int]]:
    found = slots(design, variants=variants, tasks=tasks)
    assert [slot.schedule_idx for slot in found] == list(range(len(found)))
    return [[slot.variant_idx, slot.task_idx, slot.repl_idx] for slot in found]


@pytest.mark.parametrize("scheduling", ["variant_sequential", "paired_interleaved", "randomized"])
@pytest.mark.parametrize("shuffle", [False, True])
def test_c24_the_schedule_of_a_policy_is_the_recorded_one(scheduling, shuffle):
    design = Design(scheduling=scheduling, replications=2, random_seed=7, shuffle_tasks=shuffle)
    name = f"{scheduling}{'_shuffled' if shuffle else ''}"
    assert order(design) == GOLDEN[name]
    assert order(design) == order(design)


@pytest.mark.parametrize("scheduling", ["variant_sequential", "paired_interleaved", "randomized"])
def test_c24_every_slot_is_there_once(scheduling):
    found = order(Design(scheduling=scheduling, replications=3, random_seed=1), variants=2, tasks=4)
    assert sorted(found) == [list(slot) for slot in itertools.product(range(2), range(4), range(3))]


def test_c24_another_seed_is_another_order():
    one, other = (order(Design(scheduling="randomized", random_seed=seed), tasks=20) for seed in (1, 2))
    assert one != other


def test_c24_the_seed_shuffles_the_tasks_too():
    found = [order(Design(shuffle_tasks=True, random_seed=seed), variants=1, tasks=20) for seed in (1, 1, 2)]
    assert found[0] == found[1] != found[2]


def test_c24_interleaving_keeps_a_pair_side_by_side():
    found = order(Design(scheduling="paired_interleaved"), variants=2, tasks=3)
    assert [task for _, task, _ in found] == [0, 0, 1, 1, 2, 2]
    assert [variant for variant, _, _ in found] == [0, 1, 0, 1, 0, 1]


@pytest.mark.parametrize(
    ("retry_on", "again"),
    [
        ((), {("error", False), ("error", True), ("failure", True), ("success", True), ("missing", True)}),
        (("error",), {("error", False), ("error", True)}),
        (("failure",), {("failure", False), ("failure", True)}),
        (("timeout",), {("success", True), ("failure", True), ("missing", True), ("error", True)}),
        (("error", "failure"), {("error", False), ("error", True), ("failure", False), ("failure", True)}),
    ],
)
def test_c26_retry_on_says_which_ends_are_tried_again(retry_on, again):
    retry = RetryPolicy(max_attempts=3, retry_on=retry_on)
    ends = itertools.product(("success", "failure", "missing", "error"), (False, True))
    assert {(o, t) for o, t in ends if try_again(o, timed_out=t, attempt=1, retry=retry)} == again


def test_c26_the_last_attempt_is_the_last():
    retry = RetryPolicy(max_attempts=2, retry_on=("error",))
    assert [try_again("error", timed_out=False, attempt=n, retry=retry) for n in (1, 2, 3)] == [True, False, False]
    assert not try_again("error", timed_out=True, attempt=1, retry=RetryPolicy())


def test_c26_a_variant_is_pruned_at_its_number_of_failures_in_a_row():
    pruning = Pruning(max_consecutive_failures=3)
    assert [is_pruned(n, pruning) for n in range(5)] == [False, False, False, True, True]
    assert not is_pruned(1000, None)


def test_c26_a_slot_is_started_ahead_only_where_no_end_of_its_predecessors_could_prune_it():
    pruning = Pruning(max_consecutive_failures=2)
    assert may_start(failures_in_a_row=0, uncommitted=0, pruning=pruning)
    assert may_start(failures_in_a_row=0, uncommitted=1, pruning=pruning)
    assert not may_start(failures_in_a_row=0, uncommitted=2, pruning=pruning)
    assert not may_start(failures_in_a_row=1, uncommitted=1, pruning=pruning)
    assert may_start(failures_in_a_row=5, uncommitted=50, pruning=None)


@pytest.mark.parametrize("limit", [1, 2, 3])
@pytest.mark.parametrize("workers", [1, 2, 4])
def test_c26_many_at_a_time_start_what_one_at_a_time_starts(limit, workers):
    """All patterns of eight ends of one variant: whoever is started ahead is never one that would have been pruned."""
    pruning = Pruning(max_consecutive_failures=limit)
    for ends in itertools.product((True, False), repeat=8):
        assert _started(ends, pruning, workers) == _started(ends, pruning, 1)


def _started(ends: tuple[bool, ...], pruning: Pruning, workers: int) -> set[int]:
    """The slots that are started by so many workers, of which the oldest always ends first."""
    started: list[int] = []
    committed = failures = 0
    while True:
        while (
            len(started) < min(len(ends), committed + workers)
            and not is_pruned(failures, pruning)
            and may_start(failures_in_a_row=failures, uncommitted=len(started) - committed, pruning=pruning)
        ):
            started.append(len(started))
        if committed == len(started):
            return set(started)
        failures = 0 if ends[committed] else failures + 1
        committed += 1
