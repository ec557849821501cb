"""What one invocation writes of itself in the run directory: that it began, how it ended, and what went wrong."""

from __future__ import annotations

import time
import traceback
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal

from agentics import __version__
from agentics.errors import AgenticsError, BenchmarkError
from agentics.model.run.directory import RunControl, RunStatus
from agentics.model.run.outcome import ErrorRecord, Invocation
from agentics.policy.outcome.run_outcome import EXIT_CONTROLLED
from agentics.policy.publish.exposure import may_expose_private
from agentics.policy.publish.redact import Redactor
from agentics.request.campaign import Campaign
from agentics.request.public_challenges import public_challenges
from agentics.request.redaction import redactor_of
from agentics.request.resolved_experiment import resolved
from agentics.rundir.files.atomic import read_document
from agentics.rundir.open_run import OpenRun
from agentics.rundir.projections.attest import write_attestation
from agentics.rundir.provenance import git_facts
from agentics.rundir.run import RunRequest, begin, conclude, end
from agentics.runner.run_events import RunEvents


@dataclass
class InvocationRecorder:
    """`began` is the monotonic time of the beginning that is recorded. `fatal` is the exit status that overrides every
    policy, if there is one."""

    run: OpenRun
    campaign: Campaign
    events: RunEvents
    operation: str = "eval"
    began: float = 0.0
    invocation_id: str = ""
    status: RunStatus | None = "completed"
    ended_as: RunStatus = "completed"
    fatal: int | None = None
    unscored: BenchmarkError | None = None
    """Why an adapter's scores were not taken; the run has failed then."""
    errors: list[ErrorRecord] = field(default_factory=list)

    @property
    def begun(self) -> bool:
        return bool(self.invocation_id)

    def begin(self) -> None:
        """Write that the invocation starts. Nothing of it has run before."""
        request = self.campaign.request
        asked = RunRequest(
            variants=dict(self.campaign.directories),
            requested=self.campaign.requested(),
            exit_policy=request.exit_policy,
            invocation=self._called(),
            git=git_facts(Path.cwd()),
            agentics_version=__version__,
            limit=request.limit,
            replications=request.design.replications,
            operation=self.operation,
            redactor=self._hide,
            public_challenges=public_challenges(self.campaign),
        )
        before = read_document(self.run.layout.control, RunControl)
        self.invocation_id = begin(self.run, asked, resolved(self.campaign))
        self.began = time.monotonic()
        self.events.emit("run_started")
        if before is not None and before.status == "paused":
            self.events.emit("run_resumed")

    def _called(self) -> Invocation:
        request, hide = self.campaign.request, self._hide
        args = hide.mapping(dict(request.cli_args))
        return Invocation(argv=hide.argv(request.argv), cli_args=args, cwd=str(Path.cwd()))

    @property
    def _private(self) -> bool:
        challenges = (trial.task.bundle.challenge for trial in self.campaign.solutions)
        return self.campaign.request.mode == "official" and any(map(may_expose_private, challenges))

    @property
    def _hide(self) -> Redactor:
        return redactor_of(self.campaign)

    def failed(
        self, stage: Literal["pipeline_preflight", "task_execution"], error: Exception, exit_status: int
    ) -> None:
        kind = error.code if isinstance(error, AgenticsError) else type(error).__name__
        message, text = str(error), None
        if stage == "task_execution" and self._private:
            # It may quote official data, and this is written where others read. Whoever started the run is told all.
            message = f"{kind}; what it says may quote official data"
        elif not isinstance(error, AgenticsError):
            text = self._hide.text("".join(traceback.format_exception(error)))
        record = ErrorRecord(stage=stage, error_type=kind, message=self._hide.text(message), traceback=text)
        self.errors.append(record)
        self.status, self.fatal = "failed", exit_status

    def stopped(self, signal_number: int, exit_status: int) -> None:
        message = f"stopped by signal {signal_number}; what was not finished is pending"
        self.errors.append(ErrorRecord(stage="interrupted", error_type="interrupted", message=message))
        self.status, self.fatal = "interrupted", exit_status

    def controlled(self, over: Literal["paused", "killed"]) -> None:
        """A controller has ended the run, and set its status."""
        message = f"{over} by a controller; what was not finished is pending"
        self.errors.append(ErrorRecord(stage="interrupted", error_type=over, message=message))
        self.status, self.ended_as, self.fatal = None, over, EXIT_CONTROLLED

    def close(self) -> None:
        """Write how it ended, also for an invocation that failed before its first trial."""
        if not self.begun:
            self.begin()
        self.ended_as = self.status or self.ended_as
        end(
            self.run,
            self.invocation_id,
            None,
            duration_s=time.monotonic() - self.began,
            fatal=self.fatal,
            errors=tuple(self.errors),
        )

    def conclude(self) -> None:
        """Set the run's status, unless a controller has; then tell that it is over, and attest to what it holds."""
        if self.status is not None:
            conclude(self.run, self.status)
        self.events.emit("run_finished", status=self.ended_as)
        write_attestation(self.run)
