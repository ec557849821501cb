"""runner_event_v1: what a run tells programs while it goes on, one line for each event.

An event says that something is on disk, and where. It never says what was found: whoever wants that reads the file.
"""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import BaseModel, Field, NonNegativeInt, PositiveInt, RootModel, TypeAdapter

from agentics.model.document.record import Record
from agentics.model.run.directory import ResultOutcome
from agentics.model.run.outcome import UtcTimestamp

EventName = Literal[
    "run_started",
    "trial_started",
    "setup_finished",
    "samples_done",
    "trial_finished",
    "load_doubtful",
    "run_paused",
    "run_resumed",
    "benchmark_started",
    "benchmark_finished",
    "run_finished",
]


class Event(Record):
    """What every event has. `seq` counts from 1 in each run directory and never goes back; `run_dir` is absolute."""

    schema_version: Literal["runner_event_v1"] = "runner_event_v1"
    seq: PositiveInt
    ts: UtcTimestamp
    run_id: str
    run_dir: str


class RunStarted(Event):
    """An invocation is recorded, and nothing of it has run yet."""

    event: Literal["run_started"] = "run_started"


class TrialStarted(Event):
    """An attempt at a trial is on disk as running. A trial that is tried again says so again, with the next number."""

    event: Literal["trial_started"] = "trial_started"
    trial_id: str
    variant_id: str
    task_id: str
    repl_idx: NonNegativeInt
    attempt: PositiveInt


class SetupFinished(Event):
    """The product of the challenge's setup is there, and the attempt's setups.jsonl says how it came by it.

    `reused`: an earlier attempt made it, at `made_at`, and the setup was not run."""

    event: Literal["setup_finished"] = "setup_finished"
    trial_id: str
    attempt: PositiveInt
    reused: bool
    made_at: UtcTimestamp


class SamplesDone(Event):
    """So many requests of a stage have ended, `failed` of them without an answer, and the attempt's ledgers hold them.

    `total`: of the stage. Told once a second at most, and when all are done."""

    event: Literal["samples_done"] = "samples_done"
    trial_id: str
    attempt: PositiveInt
    stage: Literal["ask_model", "judge_answers"]
    done: NonNegativeInt
    total: NonNegativeInt
    failed: NonNegativeInt


class TrialFinished(Event):
    """The attempt ended, and `status` is that of trial_state.json. `outcome` is that of result.json, null without one.

    `trial_dir` is absolute."""

    event: Literal["trial_finished"] = "trial_finished"
    trial_id: str
    status: Literal["completed", "failed", "paused", "killed"]
    outcome: ResultOutcome | None
    duration_ms: NonNegativeInt
    trial_dir: str
    attempt: PositiveInt


class LoadDoubtful(Event):
    """The load of the machine makes what was measured in an attempt doubtful: `load` in its result.json says why."""

    event: Literal["load_doubtful"] = "load_doubtful"
    trial_id: str
    attempt: PositiveInt


class RunPaused(Event):
    event: Literal["run_paused"] = "run_paused"


class RunResumed(Event):
    event: Literal["run_resumed"] = "run_resumed"


class BenchmarkStarted(Event):
    """Every trial has ended, and the adapter begins."""

    event: Literal["benchmark_started"] = "benchmark_started"


class BenchmarkFinished(Event):
    """What the adapter wrote is checked and in `benchmark_dir`, an absolute path."""

    event: Literal["benchmark_finished"] = "benchmark_finished"
    benchmark_dir: str


class RunFinished(Event):
    """The invocation has ended, and `status` is that of run_control.json."""

    event: Literal["run_finished"] = "run_finished"
    status: Literal["completed", "failed", "interrupted", "paused", "killed"]


RunnerEvent = Annotated[
    RunStarted
    | TrialStarted
    | SetupFinished
    | SamplesDone
    | TrialFinished
    | LoadDoubtful
    | RunPaused
    | RunResumed
    | BenchmarkStarted
    | BenchmarkFinished
    | RunFinished,
    Field(discriminator="event"),
]
EVENT: TypeAdapter[Any] = TypeAdapter(RunnerEvent)
"""Reads one event: `EVENT.validate_json(line)`."""


class RunnerEventLine(RootModel[RunnerEvent]):
    """Any of them, as the schema has it."""


DOCUMENTS: dict[str, type[BaseModel]] = {"runner_event": RunnerEventLine}
