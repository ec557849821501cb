"""The design of a run: which slots there are, in which order they are filled, and what ends them early."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field, FiniteFloat, NonNegativeInt, PositiveInt

from agentics.model.document.record import Record

Scheduling = Literal["variant_sequential", "paired_interleaved", "randomized"]
Comparison = Literal["paired", "unpaired", "none"]
RetryOn = Literal["error", "failure", "timeout"]
Integration = Literal["cli_basic", "cli_events", "otel", "sdk_control", "sdk_full"]


COOPERATIVE: frozenset[Integration] = frozenset({"sdk_control", "sdk_full"})
"""Solutions that take part in their own control: they poll a file, leave checkpoints, and stop when asked."""


class RetryPolicy(Record):
    """How often a trial is tried. `retry_on` empty: after every end that is not a clean one."""

    max_attempts: PositiveInt = 1
    retry_on: tuple[RetryOn, ...] = ()


class Pruning(Record):
    """A variant stops after so many failures in a row, in the order of the schedule."""

    max_consecutive_failures: PositiveInt


class Design(Record):
    """`max_concurrency` counts trials; commits follow the schedule whatever their number."""

    scheduling: Scheduling = "variant_sequential"
    comparison: Comparison = "none"
    replications: PositiveInt = 1
    random_seed: NonNegativeInt = 0
    shuffle_tasks: bool = False
    max_concurrency: PositiveInt = 1
    retry: RetryPolicy = RetryPolicy()
    pruning: Pruning | None = None


class Slot(Record):
    """One place in the schedule: which variant on which task, and which replication, by their positions."""

    schedule_idx: NonNegativeInt
    variant_idx: NonNegativeInt
    task_idx: NonNegativeInt
    repl_idx: NonNegativeInt


class AdapterCommand(Record):
    """A program of the user's that turns evidence into predictions and scores: an argument vector, never a shell line.
    `timeout_s` in seconds. `required_evidence`: keys of an evidence record that every trial must have. `execution_mode`
    and `evaluator_mode`: what its manifest has to declare; null for either."""

    command: tuple[str, ...]
    timeout_s: Annotated[FiniteFloat, Field(gt=0)] = 3600.0
    required_evidence: tuple[str, ...] = ()
    execution_mode: Literal["predict_then_score", "integrated_score"] | None = None
    evaluator_mode: Literal["official", "custom"] | None = None
