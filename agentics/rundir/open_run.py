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
from agentics.model.document.record import Ids
from agentics.model.run.directory import (
    ActiveTrial,
    Control,
    InvocationEntry,
    OperationOpened,
    PauseRequest,
    RunControl,
    RunStatus,
    TrialState,
    TrialStatus,
)
from agentics.policy.publish.redact import Redactor
from agentics.rundir import state
from agentics.rundir.files import ledger
from agentics.rundir.files.artifacts import ArtifactStore
from agentics.rundir.files.atomic import read_document, utc_now, write_document
from agentics.rundir.files.layout import Layout
from agentics.rundir.files.lease import Heartbeat
from agentics.rundir.files.lock import Lock

SlotKey = tuple[str, str, int]
"""Variant name, task reference, replication."""

ENTRIES: TypeAdapter[Any] = TypeAdapter(InvocationEntry)


@dataclass(frozen=True, kw_only=True)
class Stand:
    """Under which label a trial was paused, and the checkpoint that its solution left then or goes on from."""

    label: str | None = None
    checkpoint: str | None = None


@dataclass
class OpenRun:
    """Held by this process alone until `close`; threads of the process may share it. Made by `rundir.run.open_run`."""

    layout: Layout
    run_id: str
    artifacts: ArtifactStore
    held: Lock | None
    """None: only what lies beside the schedule is written, whoever runs it."""
    lease: Heartbeat | None
    slots: dict[SlotKey, str] = field(default_factory=dict)
    schedule: dict[str, int] = field(default_factory=dict)
    """Where each trial stands in the schedule of this invocation."""
    controls: dict[str, Control] = field(default_factory=dict)
    """How to speak to trials whose solution takes part in its own control."""
    recovered: tuple[str, ...] = ()
    """Trials that a dead process had left running."""
    recovery: bool = False
    """Something had to be recovered, and a report says what."""
    mended: bool = False
    """A damaged record of a trial was set aside, so its slot is to be filled again."""
    unfinished: bool = False
    """The invocation before this one ended without a word."""
    redactor: Redactor = field(default_factory=Redactor)
    """What must not be written down; `begin` sets it."""
    guard: threading.RLock = field(default_factory=threading.RLock)
    operation: str = "eval"
    announced: bool = False
    """The ledger says that what was attested may have changed."""

    @property
    def root(self) -> Path:
        return self.layout.root

    def announce(self) -> None:
        """Say in the ledger, once and before the first change, that an attestation of the run is about to be out of
        date. A process that dies later has not left an altered run then, but one that is not attested.

        There is nothing to say of a run that has no invocation yet, or of what lies beside the schedule.
        """
        with self.guard:
            if self.announced or self.held is None:
                return
            if self.layout.invocations.exists():
                opened = OperationOpened(
                    operation=self.operation, pid=os.getpid(), host=socket.gethostname(), at=utc_now()
                )
                ledger.append(self.layout.invocations, opened)
            self.announced = True

    def close(self) -> None:
        self.artifacts.close()
        if self.lease is not None:
            self.lease.stop()
        if self.held is not None:
            self.held.release()

    def __enter__(self) -> OpenRun:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()


def transition(run: OpenRun, *, to: RunStatus, pause: PauseRequest | None = None) -> None:
    """The only writer of a run's status. Raises StorageError (impossible_transition)."""
    with run.guard:
        run.announce()
        control = read_document(run.layout.control, RunControl)
        state.check_run(control.status if control else None, to)
        _write_control(run, to, control.active_trials if control else {}, pause)


def transition_trial(
    run: OpenRun,
    ids: Ids,
    *,
    to: TrialStatus,
    attempt: int,
    exit_reason: str | None = None,
    at: Stand | None = None,
) -> None:
    """The only writer of a trial's status; keeps run_control's active trials in step. An attempt keeps its checkpoint
    until it leaves another one."""
    with run.guard:
        place = run.layout.trial(ids.trial_id)
        before = read_document(place.state, TrialState)
        state.check_trial(before.status if before else None, to)
        kept = before.checkpoint_selected if before is not None and before.attempt == attempt else None
        run.announce()
        fresh = TrialState(
            trial_id=ids.trial_id,
            status=to,
            pause_label=at.label if at else None,
            checkpoint_selected=at.checkpoint if at and at.checkpoint else kept,
            exit_reason=exit_reason,
            updated_at=utc_now(),
            attempt=attempt,
        )
        write_document(place.state, fresh)
        if run.held is not None and place.root.parent == run.layout.trials:
            _set_active(run, ids, fresh)


def _set_active(run: OpenRun, ids: Ids, trial: TrialState) -> None:
    control = read_document(run.layout.control, RunControl)
    if control is None:
        msg = f"{run.layout.control}: missing; begin() comes before the first trial"
        raise StorageError(msg)
    active = {k: v for k, v in control.active_trials.items() if k != ids.trial_id}
    if trial.status in {"running", "paused"}:
        worker = f"{socket.gethostname()}:{os.getpid()}"
        active[ids.trial_id] = ActiveTrial(
            trial_id=ids.trial_id,
            worker_id=worker,
            variant_id=ids.variant_id,
            started_at=trial.updated_at,
            schedule_idx=run.schedule.get(ids.trial_id),
            control=run.controls.get(ids.trial_id),
        )
    _write_control(run, control.status, active, control.pause)


def _write_control(run: OpenRun, status: RunStatus, active: dict[str, ActiveTrial], pause: PauseRequest | None) -> None:
    only = next(iter(active.values())) if len(active) == 1 else None
    document = RunControl(
        run_id=run.run_id,
        status=status,
        active_trials=active,
        active_trial_id=only.trial_id if only else None,
        active_adapter=only.control if only else None,
        pause=pause,
        updated_at=utc_now(),
    )
    write_document(run.layout.control, document)
