"""Answers controllers while a run goes on: pauses, resumes and kills active attempts, and writes it down.

One thread of the runner's process. It alone changes states on request: a controller that dies half-way changes nothing.
It does one thing at a time, and looks for a kill, which nothing holds up, whenever it waits.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Collection, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from typing import Literal

from agentics.control.active_attempts import ActiveAttempt, ActiveAttempts
from agentics.control.cooperation_requests import CooperationRequest, NotCooperating
from agentics.control.signals import StopSignal
from agentics.errors import AgenticsError, EngineError, StorageError
from agentics.model.run.control import ControlRequest, ControlResponse, PauseMode
from agentics.model.run.directory import PauseRequest, RunControl, RunStatus, TrialState
from agentics.rundir.files import mailbox
from agentics.rundir.files.atomic import read_document, utc_now
from agentics.rundir.open_run import OpenRun, Stand, transition, transition_trial
from agentics.rundir.run import kill

_LOOK_S = 0.1
_DEATH_S = 60.0
Emit = Callable[[Literal["run_paused", "run_resumed"]], None]


class Refusal(Exception):
    """What was asked cannot be done, and nothing was changed. Answered, never raised to anybody else."""

    def __init__(self, message: str, *, code: str) -> None:
        super().__init__(message)
        self.code = code
        self.message = message


class Unanswered(Exception):
    """The process ends. Whoever asked sees it end, and then sees what can be done."""


@dataclass(eq=False)
class Controller:
    """Serves one run. `emit` is told `run_paused` and `run_resumed`, once they are durable; `begun` says whether the
    run's state is this invocation's."""

    run: OpenRun
    active_attempts: ActiveAttempts
    stop: StopSignal
    emit: Emit
    begun: Callable[[], bool]
    _over: threading.Event = field(default_factory=threading.Event)
    _unsent: dict[str, ControlResponse] = field(default_factory=dict)
    """What was done and could not be answered yet, by operation."""

    def serve(self) -> None:
        """Look for what is asked, and for attempts whose time is up, until told that all is over."""
        while not self._over.wait(_LOOK_S):
            self.active_attempts.end_late()
            for request in mailbox.pending(self.run.layout):
                # An answer that cannot be written down (a full disk) is tried again at the next look.
                with suppress(Unanswered, StorageError):
                    self._serve(request)

    def end(self) -> None:
        self._over.set()

    def answer(self, request: ControlRequest) -> ControlResponse:
        """Do what is asked, or say why not. Raises Unanswered, and nothing else that a request or an engine causes."""
        done = {"pause": self._pause, "resume": self._resume, "kill": self._kill}[request.action]
        try:
            return done(request)
        except (Refusal, NotCooperating, AgenticsError, OSError) as error:
            code, message = _why_not(request, error)
            return _response(request, code=code, message=self.run.redactor.text(message))

    def _serve(self, request: ControlRequest) -> None:
        known = request.operation_id
        if known not in self._unsent:
            self._unsent[known] = self.answer(request)
        mailbox.answer(self.run.layout, self._unsent[known])
        del self._unsent[known]

    def _pause(self, request: ControlRequest) -> ControlResponse:
        with self.active_attempts.nothing_new():
            chosen = self._targets(request)
            asking = CooperationRequest(chosen, request, lambda: self._check_wanted(request))
            try:
                stopped, frozen = self._hold(asking, chosen)
                pause = PauseRequest(
                    label=request.called,
                    requested_at=request.requested_at,
                    requested_by=request.requested_by,
                )
                transition(self.run, to="paused", pause=pause)
                self.emit("run_paused")
            except (Refusal, NotCooperating, AgenticsError, OSError):
                self._go_on(asking)
                raise
            if not frozen:
                self.active_attempts.close("paused")
        return _response(
            request,
            trial_ids=(*stopped, *frozen),
            pause_mode=_mode(cooperative=bool(stopped), frozen=bool(frozen)),
            label=request.called,
            checkpoint_acked=asking.acknowledged["checkpoint"],
            stop_acked=asking.acknowledged["stop"],
        )

    def _hold(self, asking: CooperationRequest, chosen: Collection[str]) -> tuple[tuple[str, ...], tuple[str, ...]]:
        """The trials that stopped because their solution acknowledged it, and those that were frozen: all others that
        have not ended. Raises what says that this pause is not to be."""
        label = asking.request.called
        asking.checkpoint()
        frozen = self._freeze(set(chosen) - asking.chosen.keys(), label)
        asking.stop()
        ending = asking.stopped
        frozen += self._freeze(asking.chosen.keys() - ending.keys(), label)
        deadline = time.monotonic() + _DEATH_S
        while not self.active_attempts.wait_empty(frozenset(ending), _LOOK_S):
            self._check_wanted(asking.request)
            if time.monotonic() > deadline:
                self.active_attempts.remove(ending)
        self._check_open()
        stopped = tuple(name for name in ending if self._is_paused(name))
        if not stopped and not frozen:
            msg = "every trial that was active has just ended"
            raise Refusal(msg, code="pause_no_active_trial")
        asking.take_back()  # what is frozen may start its next case when it is thawed
        return stopped, frozen

    def _freeze(self, names: Collection[str], label: str | None) -> tuple[str, ...]:
        return self.active_attempts.freeze(
            lambda active: active.ids.trial_id in names, lambda active: self._write_paused(active, label)
        )

    def _go_on(self, asking: CooperationRequest) -> None:
        """Undo what was done of a pause that is not to be, as far as the disk and the engine let us."""
        asking.take_back()

        def written(active: ActiveAttempt) -> None:
            with suppress(StorageError):
                self._write_running(active)

        with suppress(AgenticsError):
            self.active_attempts.thaw(lambda _: True, written)
        with suppress(StorageError):
            if self._status() == "paused":
                transition(self.run, to="running")

    def _check_wanted(self, request: ControlRequest) -> None:
        """What goes on while a pause waits. Raises Refusal when something else was asked for meanwhile: a kill is not
        held up, and another controller is only there once the pause's own has gone. A signal ends the run."""
        self.active_attempts.end_late()
        self._check_open()
        others = [each for each in mailbox.pending(self.run.layout) if each.operation_id != request.operation_id]
        if others:
            msg = f"a {others[0].action} was asked for meanwhile"
            raise Refusal(msg, code="pause_overruled")

    def _check_open(self) -> None:
        if self.stop.event.is_set():
            msg = "the run is being stopped by a signal"
            raise Refusal(msg, code="pause_non_running")

    def _targets(self, request: ControlRequest) -> dict[str, ActiveAttempt]:
        if not self.begun():
            msg = "the run is starting, and no trial is active yet"
            raise Refusal(msg, code="pause_no_active_trial")
        status = self._status()
        if status != "running":
            msg = f"the run is {status}, and only a running one can be paused"
            raise Refusal(msg, code="pause_non_running")
        self._check_open()
        active = self.active_attempts.snapshot()
        if request.trial_id is None:
            if not active:
                msg = "no trial is active just now"
                raise Refusal(msg, code="pause_no_active_trial")
            return active
        if request.trial_id not in self.run.slots.values():
            msg = f"this run has no trial {request.trial_id}"
            raise Refusal(msg, code="pause_trial_not_found")
        if request.trial_id not in active:
            msg = f"{request.trial_id} is not active"
            raise Refusal(msg, code="pause_target_not_active")
        return {request.trial_id: active[request.trial_id]}

    def _resume(self, request: ControlRequest) -> ControlResponse:
        if self.active_attempts.over == "paused":
            raise Unanswered  # every trial has stopped, and whoever resumes goes on from the checkpoints
        status = self._status() if self.begun() else "starting"
        if status != "paused":
            msg = f"the run is {status}, and only a paused one can be resumed"
            raise Refusal(msg, code="resume_non_paused")
        thawed = self.active_attempts.thaw(
            lambda active: request.trial_id in (None, active.ids.trial_id), self._write_running
        )
        if not thawed and self.active_attempts.held:
            msg = f"{request.trial_id or 'no trial'} is not frozen here"
            raise Refusal(msg, code="resume_trial_not_paused")
        if not self.active_attempts.held:
            transition(self.run, to="running")
            self.emit("run_resumed")
        return _response(request, trial_ids=thawed, pause_mode="frozen")

    def _kill(self, request: ControlRequest) -> ControlResponse:
        if self.begun() and self._status() == "killed":
            return _response(request)  # two asked for it at once
        chosen = self.active_attempts.snapshot()
        self.active_attempts.close("killed")
        deadline = time.monotonic() + _DEATH_S
        while not (self.active_attempts.wait_idle(0) and self.begun()):
            with suppress(EngineError):
                self.stop.remove_all()
            if self._over.wait(_LOOK_S) and not self.begun():
                raise Unanswered  # it has failed before it began
            if time.monotonic() > deadline:
                msg = f"after {_DEATH_S:g} s some containers or programs were still there"
                raise Refusal(msg, code="kill_incomplete")
        self.stop.remove_all()
        kill(self.run)
        return _response(request, trial_ids=tuple(chosen))

    def _is_paused(self, trial_id: str) -> bool:
        state = read_document(self.run.layout.trial(trial_id).state, TrialState)
        return state is not None and state.status == "paused"

    def _status(self) -> RunStatus | None:
        control = read_document(self.run.layout.control, RunControl)
        return control.status if control is not None else None

    def _write_paused(self, active: ActiveAttempt, label: str | None) -> None:
        at = Stand(label=label)
        transition_trial(self.run, active.ids, to="paused", attempt=active.attempt.number, at=at)

    def _write_running(self, active: ActiveAttempt) -> None:
        if self._is_paused(active.ids.trial_id):
            transition_trial(self.run, active.ids, to="running", attempt=active.attempt.number)


@contextmanager
def controlled(
    run: OpenRun, active_attempts: ActiveAttempts, stop: StopSignal, emit: Emit, begun: Callable[[], bool]
) -> Iterator[None]:
    """While inside, the run answers its controllers. What was asked of an earlier process is dismissed.

    Raises StorageError when that cannot be written.
    """
    controller = Controller(run, active_attempts, stop, emit, begun)
    mailbox.dismiss(run.layout)
    thread = threading.Thread(target=controller.serve, name="controller", daemon=True)
    thread.start()
    try:
        yield
    finally:
        controller.end()
        thread.join()


def _why_not(request: ControlRequest, error: Refusal | NotCooperating | AgenticsError | OSError) -> tuple[str, str]:
    """The code and the message with which a request is refused."""
    match error:
        case NotCooperating():
            return "control_ack_missing", str(error)
        case EngineError() if request.action == "pause":
            return "pause_partial_failure", f"{error.message}; what had been frozen goes on"
        case OSError():
            why = error.strerror or error
            return "control_file_unwritable", f"a solution's control file cannot be written: {why}"
        case _:
            return error.code, error.message


def _mode(*, cooperative: bool, frozen: bool) -> PauseMode:
    if cooperative and frozen:
        return "mixed"
    return "cooperative" if cooperative else "frozen"


def _response(request: ControlRequest, **facts: object) -> ControlResponse:
    known = {"operation_id": request.operation_id, "answered_at": utc_now()}
    return ControlResponse.model_validate({**known, **facts})
