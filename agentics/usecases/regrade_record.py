"""What a regrade writes of itself: it is an invocation of its run, which evaluates what is there already.

It asks for what the newest invocation asked for, so outcomes are about the same tasks; the resolved experiment stays.
"""

from __future__ import annotations

import json
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from pydantic import JsonValue

from agentics import __version__
from agentics.control.signals import StopSignal
from agentics.errors import AgenticsError, BenchmarkError
from agentics.model.run.directory import InvocationEnded, InvocationStarted, RunStatus
from agentics.model.run.outcome import ErrorRecord, Invocation
from agentics.policy.publish.exposure import may_expose_private
from agentics.request.campaign import Campaign
from agentics.request.public_challenges import public_challenges
from agentics.request.redaction import redactor_of
from agentics.rundir.derived import REGRADE
from agentics.rundir.files.safe_files import read_file
from agentics.rundir.open_run import OpenRun, transition
from agentics.rundir.projections.attest import newest_start, write_attestation
from agentics.rundir.projections.rebuild import write_projections
from agentics.rundir.provenance import git_facts
from agentics.rundir.reader import RunView
from agentics.rundir.run import RunRequest, begin, end
from agentics.runner.run_events import RunEvents


@dataclass(frozen=True, kw_only=True)
class RegradeRecorder:
    """The regrade that goes on. `view`: the run as it was before; `began`: a monotonic time."""

    run: OpenRun
    view: RunView
    events: RunEvents
    invocation_id: str
    began: float

    def end(self, to: RunStatus, fatal: int | None, errors: tuple[ErrorRecord, ...]) -> None:
        """Write how it ended and what follows from it; then the run's status."""
        run, control = self.run, self.view.control
        end(run, self.invocation_id, None, duration_s=time.monotonic() - self.began, fatal=fatal, errors=errors)
        write_projections(run)
        transition(run, to=to, pause=control.pause if control is not None and to == "paused" else None)
        self.events.emit("run_finished", status=to)
        write_attestation(run)


@contextmanager
def recorded(
    run: OpenRun, view: RunView, campaign: Campaign, stop: StopSignal, events: RunEvents, asked: dict[str, JsonValue]
) -> Iterator[RegradeRecorder]:
    """The regrade ends when this is left. `view`: the run as it was before; `asked`: the options.

    The run is then what the newest evaluation had left it as, but for what only an adapter's scores were missing to.
    """
    invocation_id = begin(run, _request(view, campaign, asked), json.loads(read_file(view.layout.resolved)))
    record = RegradeRecorder(run=run, view=view, events=events, invocation_id=invocation_id, began=time.monotonic())
    events.emit("run_started")
    try:
        yield record
    except Exception as error:
        status = error.exit_status if isinstance(error, AgenticsError) else 1
        record.end("failed", status, (_error(error, campaign),))
        raise
    left = _left_by_the_evaluation(view)
    if stop.number is not None:
        message = f"stopped by signal {stop.number}; what was not finished is pending"
        stopped = ErrorRecord(stage="interrupted", error_type="interrupted", message=message)
        record.end("interrupted", 128 + stop.number, (stopped,))
    else:
        record.end(_status(view, left), left.fatal if left else None, left.errors if left else ())


def _request(view: RunView, campaign: Campaign, asked: dict[str, JsonValue]) -> RunRequest:
    newest, redactor = newest_start(view), redactor_of(campaign)
    return RunRequest(
        variants=newest.variants,
        requested=newest.requested,
        exit_policy=newest.exit_policy,
        invocation=Invocation(argv=(), cli_args=redactor.mapping(asked), cwd=redactor.text(str(Path.cwd()))),
        git=git_facts(Path.cwd()),
        agentics_version=__version__,
        limit=newest.limit,
        replications=newest.replications,
        operation=REGRADE,
        redactor=redactor,
        public_challenges=public_challenges(campaign),
    )


def _left_by_the_evaluation(view: RunView) -> InvocationEnded | None:
    """How the newest invocation ended that ran solutions, where that still stands: not where its end was never written,
    and not where all that it lacked was the adapter's scores, which this one has when it ends well."""
    started = next(
        (e for e in reversed(view.entries) if isinstance(e, InvocationStarted) and e.operation != REGRADE), None
    )
    ended = (e for e in view.entries if isinstance(e, InvocationEnded))
    found = next((e for e in ended if started is not None and e.invocation_id == started.invocation_id), None)
    return None if found is None or found.fatal in (None, BenchmarkError.exit_status) else found


def _status(view: RunView, left: InvocationEnded | None) -> RunStatus:
    if view.control is not None and view.control.status == "paused":
        return "paused"
    if left is None:
        return "completed"
    return "interrupted" if any(error.stage == "interrupted" for error in left.errors) else "failed"


def _error(error: Exception, campaign: Campaign) -> ErrorRecord:
    kind = error.code if isinstance(error, AgenticsError) else type(error).__name__
    challenges = (trial.task.bundle.challenge for trial in campaign.solutions)
    private = campaign.request.mode == "official" and any(map(may_expose_private, challenges))
    message = f"{kind}; what it says may quote official data" if private else str(error)
    return ErrorRecord(stage="task_execution", error_type=kind, message=message)
