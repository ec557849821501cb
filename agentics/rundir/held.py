"""A run directory held for writing, and the only functions that change the state of a run or a trial."""

from __future__ import annotations

import os
import socket
import threading
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from pydantic import TypeAdapter

from agentics.errors import StorageError
from agentics.model.record import Ids
from agentics.model.rundir import (
    ActiveTrial,
    InvocationEntry,
    PauseRequest,
    RunControl,
    RunStatus,
    TrialState,
    TrialStatus,
)
from agentics.policy.redact import Redactor
from agentics.rundir import state
from agentics.rundir.artifacts import Artifacts
from agentics.rundir.atomic import read_document, utc_now, write_document
from agentics.rundir.layout import Layout
from agentics.rundir.lock import Lock

Slot = tuple[str, str, int]
"""Variant name, task reference, replication."""

ENTRIES: TypeAdapter[Any] = TypeAdapter(InvocationEntry)


@dataclass
class Run:
    """Held by this process alone until `close`; threads of the process may share it. Made by `rundir.run.open_run`."""

    layout: Layout
    run_id: str
    artifacts: Artifacts
    held: Lock
    slots: dict[Slot, str] = field(default_factory=dict)
    recovered: tuple[str, ...] = ()
    """Trials that a dead process had left running."""
    unfinished: bool = False
    """The invocation before this one ended without a word."""
    redactor: Redactor = field(default_factory=Redactor)
    """What must not be written down; `begin` sets it."""
    guard: threading.RLock = field(default_factory=threading.RLock)

    @property
    def root(self) -> Path:
        return self.layout.root

    def close(self) -> None:
        self.artifacts.close()
        self.held.release()

    def __enter__(self) -> Run:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()


def transition(run: Run, *, to: RunStatus, pause: PauseRequest | None = None) -> None:
    """The only writer of a run's status. Raises StorageError (impossible_transition)."""
    with run.guard:
        control = read_document(run.layout.control, RunControl)
        state.check_run(control.status if control else None, to)
        active = control.active_trials if control and to == "paused" else {}
        fresh = RunControl(run_id=run.run_id, status=to, active_trials=active, pause=pause, updated_at=utc_now())
        write_document(run.layout.control, fresh)


def transition_trial(run: Run, ids: Ids, *, to: TrialStatus, attempt: int, exit_reason: str | None = None) -> None:
    """The only writer of a trial's status; keeps run_control's active trials in step."""
    with run.guard:
        place = run.layout.trial(ids.trial_id)
        before = read_document(place.state, TrialState)
        state.check_trial(before.status if before else None, to)
        fresh = TrialState(
            trial_id=ids.trial_id, status=to, exit_reason=exit_reason, updated_at=utc_now(), attempt=attempt
        )
        write_document(place.state, fresh)
        _set_active(run, ids, fresh)


def _set_active(run: Run, ids: Ids, trial: TrialState) -> None:
    control = read_document(run.layout.control, RunControl)
    if control is None:
        msg = f"{run.layout.control}: missing; begin() comes before the first trial"
        raise StorageError(msg)
    active = {k: v for k, v in control.active_trials.items() if k != ids.trial_id}
    if trial.status in {"running", "paused"}:
        worker = f"{socket.gethostname()}:{os.getpid()}"
        active[ids.trial_id] = ActiveTrial(
            trial_id=ids.trial_id, worker_id=worker, variant_id=ids.variant_id, started_at=trial.updated_at
        )
    update = {"active_trials": active, "updated_at": trial.updated_at}
    write_document(run.layout.control, control.model_copy(update=update))
