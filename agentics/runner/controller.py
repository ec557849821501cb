"""Answers controllers while a run goes on: pauses, resumes and kills what is on the floor, and writes it down.

One thread of the runner's process. It alone changes states on request: a controller that dies half-way changes nothing.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Literal

from agentics.errors import AgenticsError, EngineError
from agentics.model.control import ControlRequest, ControlResponse, PauseMode
from agentics.model.rundir import PauseRequest, RunControl, RunStatus, TrialState
from agentics.rundir import mailbox
from agentics.rundir.atomic import read_document, utc_now
from agentics.rundir.held import Paused, Run, transition, transition_trial
from agentics.runner.cooperate import Asking, Deaf
from agentics.runner.floor import Floor, Ticket

_LOOK_S = 0.1
_DEATH_S = 60.0
Emit = Callable[[Literal["run_paused", "run_resumed"]], None]


class Refusal(Exception):
    """What was asked cannot be done, and nothing was changed. Answered, never raised to anybody else."""

    def __init__(self, message: str, *, code: str) -> None:
        super().__init__(message)
        self.code = code
        self.message = message


@dataclass(eq=False)
class Controller:
    """Serves one run. `emit` is told `run_paused` and `run_resumed`, once they are durable."""

    run: Run
    floor: Floor
    emit: Emit
    _over: threading.Event = field(default_factory=threading.Event)

    def serve(self) -> None:
        """Look for what is asked, and for attempts whose time is up, until told that all is over."""
        while not self._over.wait(_LOOK_S):
            self.floor.end_late()
            for request in mailbox.pending(self.run.layout):
                mailbox.answer(self.run.layout, self.answer(request))

    def stop(self) -> None:
        self._over.set()

    def answer(self, request: ControlRequest) -> ControlResponse:
        """Do what is asked, or say why not. Never raises for what a request or an engine can cause."""
        done = {"pause": self._pause, "resume": self._resume, "kill": self._kill}[request.action]
        try:
            return done(request)
        except Refusal as refusal:
            return _response(request, code=refusal.code, message=refusal.message)
        except AgenticsError as error:
            return _response(request, code=error.code, message=error.message)

    def _pause(self, request: ControlRequest) -> ControlResponse:
        with self.floor.nothing_new():
            return self._pause_all(request)

    def _pause_all(self, request: ControlRequest) -> ControlResponse:
        tickets = self._targets(request)
        asking = Asking(tickets, request)
        try:
            asking.checkpoint()
        except Deaf as deaf:
            raise Refusal(str(deaf), code="control_ack_missing") from deaf
        try:
            frozen = self.floor.freeze(
                lambda ticket: ticket.ids.trial_id in tickets and ticket.ids.trial_id not in asking.tickets,
                lambda ticket: self._write_paused(ticket, request.label),
            )
        except EngineError as error:
            asking.take_back()
            msg = f"{error.message}; what had been frozen goes on"
            raise Refusal(msg, code="pause_partial_failure") from error
        if not frozen and not asking.tickets:
            msg = "every trial that was active has just ended"
            raise Refusal(msg, code="pause_no_active_trial")
        self._stop_cooperative(asking, frozen)
        stopped = tuple(name for name in asking.tickets if self._is_paused(name))
        if not frozen and not stopped:
            msg = "every trial that was active has just ended"
            raise Refusal(msg, code="pause_no_active_trial")
        pause = PauseRequest(
            label=request.label or request.operation_id,
            requested_at=request.requested_at,
            requested_by=request.requested_by,
        )
        transition(self.run, to="paused", pause=pause)
        self.emit("run_paused")
        if not frozen:
            self.floor.close("paused")
        return _response(
            request,
            trial_ids=(*stopped, *frozen),
            pause_mode=_mode(cooperative=bool(stopped), frozen=bool(frozen)),
            checkpoint_acked=asking.acknowledged.get("checkpoint", False),
            stop_acked=asking.acknowledged.get("stop", False),
        )

    def _targets(self, request: ControlRequest) -> dict[str, Ticket]:
        status = self._status()
        if status != "running":
            msg = f"the run is {status}, and only a running one can be paused"
            raise Refusal(msg, code="pause_non_running")
        active = self.floor.snapshot()
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

    def _stop_cooperative(self, asking: Asking, frozen: tuple[str, ...]) -> None:
        """All or nothing: if one of them is deaf, those that were frozen go on, and so do the others."""
        self.floor.mark(asking.tickets, "paused", asking.request.label)
        try:
            asking.stop()
        except Deaf as deaf:
            self.floor.mark(asking.tickets, None)
            asking.take_back()
            self.floor.thaw(lambda ticket: ticket.ids.trial_id in frozen, self._write_running)
            raise Refusal(str(deaf), code="control_ack_missing") from deaf
        self.floor.end(asking.tickets, _DEATH_S)

    def _resume(self, request: ControlRequest) -> ControlResponse:
        status = self._status()
        if status != "paused":
            msg = f"the run is {status}, and only a paused one can be resumed"
            raise Refusal(msg, code="resume_non_paused")
        thawed = self.floor.thaw(lambda ticket: request.trial_id in (None, ticket.ids.trial_id), self._write_running)
        if not thawed:
            msg = f"{request.trial_id or 'no trial'} is not frozen here"
            raise Refusal(msg, code="resume_trial_not_paused")
        if not self.floor.held:
            transition(self.run, to="running")
            self.emit("run_resumed")
        return _response(request, trial_ids=thawed, pause_mode="frozen")

    def _kill(self, request: ControlRequest) -> ControlResponse:
        tickets = self.floor.snapshot()
        self.floor.mark(tickets, "killed")
        self.floor.close("killed")
        deadline = time.monotonic() + _DEATH_S
        while not self.floor.wait_idle(_LOOK_S):
            self.floor.end_all()
            if time.monotonic() > deadline:
                msg = f"after {_DEATH_S:g} s some containers or programs were still there"
                raise Refusal(msg, code="kill_incomplete")
        self.floor.end_all()
        transition(self.run, to="killed")
        return _response(request, trial_ids=tuple(tickets))

    def _is_paused(self, trial_id: str) -> bool:
        state = read_document(self.run.layout.trial(trial_id).state, TrialState)
        return state is not None and state.status == "paused"

    def _status(self) -> RunStatus | None:
        control = read_document(self.run.layout.control, RunControl)
        return control.status if control is not None else None

    def _write_paused(self, ticket: Ticket, label: str | None) -> None:
        paused = Paused(label=label)
        transition_trial(self.run, ticket.ids, to="paused", attempt=ticket.attempt.number, paused=paused)

    def _write_running(self, ticket: Ticket) -> None:
        transition_trial(self.run, ticket.ids, to="running", attempt=ticket.attempt.number)


@contextmanager
def controlled(run: Run, floor: Floor, emit: Emit) -> Iterator[None]:
    """While inside, the run answers its controllers."""
    controller = Controller(run, floor, emit)
    thread = threading.Thread(target=controller.serve, name="controller", daemon=True)
    thread.start()
    try:
        yield
    finally:
        controller.stop()
        thread.join()


def _mode(*, cooperative: bool, frozen: bool) -> PauseMode:
    if cooperative and frozen:
        return "mixed"
    return "cooperative" if cooperative else "frozen"


def _response(request: ControlRequest, **facts: object) -> ControlResponse:
    known = {"operation_id": request.operation_id, "answered_at": utc_now()}
    return ControlResponse.model_validate({**known, **facts})
