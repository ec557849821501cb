"""What a controller does to a run: pause, resume, continue, kill, recover. One controller at a time.

Where a runner lives it is asked, and it alone changes states. Where none lives, the controller takes its place.
"""

from __future__ import annotations

import os
import secrets
import socket
import time
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Literal

from agentics.config import Config
from agentics.errors import AgenticsError, Refused, StorageError, UsageError
from agentics.model.run.control import ControlRequest, ControlResponse
from agentics.model.run.directory import RunControl, RunStatus, TrialState
from agentics.model.run.experiment import ResolvedExperiment
from agentics.model.run.ledger import RecoveryReport
from agentics.pipeline.progress import Observer
from agentics.policy.outcome.run_outcome import to_run
from agentics.request.campaign import Campaign, compile_request
from agentics.request.resolved_experiment import differences, request_from, resolve
from agentics.rundir.files import lock, mailbox
from agentics.rundir.files.artifacts import ArtifactStore
from agentics.rundir.files.atomic import read_document, utc_now
from agentics.rundir.files.layout import Layout
from agentics.rundir.files.lease import operating
from agentics.rundir.files.safe_files import real
from agentics.rundir.integrity.guard import admit, check_unaltered
from agentics.rundir.integrity.trust import recorded_experiment
from agentics.rundir.open_run import OpenRun
from agentics.rundir.projections.attest import is_concluded, write_attestation
from agentics.rundir.projections.rebuild import write_projections
from agentics.rundir.reader import RunView, read_run
from agentics.rundir.run import kill as end_for_good
from agentics.rundir.run import open_run
from agentics.runner.machine import open_engine, open_scratch, reap
from agentics.sandbox.labels import RUN
from agentics.usecases.evaluate import EndedRun, evaluate

TERMINAL: frozenset[RunStatus | None] = frozenset({"completed", "killed"})
_ANSWER_S = 30.0
"""Beyond what the request itself may take: freezing, removing containers, writing it down."""
_OTHERS_S = 2.0
"""How long a kill of a run without a process waits for a controller that is about to go away."""
_LOOK_S = 0.05
_HOW_TO_REPEAT = "it is over: `agentics run replay` runs one of its trials again, `agentics eval` makes a new run"


@dataclass(frozen=True, kw_only=True)
class Killed:
    """What a kill found. `trial_ids`: the trials that were active."""

    run_id: str
    trial_ids: tuple[str, ...]
    containers_removed: int


def pause(root: Path, *, trial_id: str | None, label: str | None, timeout_s: float) -> ControlResponse:
    """Raises Refused with the code that says why not; nothing was changed then."""
    layout = _place(root)
    with operating(layout, "pause"):
        while lock.is_held(layout.lock):
            answer = _ask(layout, _request("pause", trial_id=trial_id, label=label, timeout_s=timeout_s))
            if answer is not None:
                return answer
        msg = f"run {layout.root.name} is {_status(layout)}, and no process works on it"
        raise Refused(msg, code="pause_non_running")


def unfreeze(root: Path, *, trial_id: str | None) -> ControlResponse | None:
    """Let a frozen run go on, where its process still lives; None where it does not. Raises Refused."""
    layout = _place(root)
    with operating(layout, "resume"):
        while lock.is_held(layout.lock):
            answer = _ask(layout, _request("resume", trial_id=trial_id))
            if answer is not None:
                return answer
        if _status(layout) != "paused":
            msg = f"run {layout.root.name} is {_status(layout)}, and only a paused one can be resumed"
            raise Refused(
                msg,
                code="resume_non_paused",
                hint=_HOW_TO_REPEAT if _is_over(read_run(root)) else "`agentics run continue` goes on with it",
            )
        return None


def check_label(root: Path, label: str | None) -> None:
    """Raises Refused (resume_checkpoint_not_found) when the run was paused under another label, if one is wanted."""
    control = read_document(read_run(root).layout.control, RunControl)
    paused = control.pause.label if control is not None and control.pause is not None else None
    if label is not None and label != paused:
        msg = f"the run was not paused as {label!r}"
        hint = f"it was paused as {paused!r}" if paused else "it is not paused"
        raise Refused(msg, code="resume_checkpoint_not_found", hint=hint)


def kill(root: Path, config: Config, *, accept_alterations: bool = False) -> Killed:
    """End a run for good: no container of it is left when its state says so.

    It waits for no other controller that speaks to the run's process. Raises Refused: kill_terminal_status, and
    operation_in_progress while a fork, replay or regrade is at work on a run without a process.
    """
    layout, asked, deadline = _place(root), False, time.monotonic() + _OTHERS_S
    while True:
        status = _status(layout)
        if status == "killed" and asked:
            return Killed(run_id=layout.root.name, trial_ids=(), containers_removed=0)
        if status in TERMINAL:
            msg = f"run {layout.root.name} is {status}, which is final"
            raise Refused(msg, code="kill_terminal_status")
        if lock.is_held(layout.lock):
            answer, asked = _ask(layout, _request("kill")), True
            if answer is not None:
                return Killed(run_id=layout.root.name, trial_ids=answer.trial_ids, containers_removed=0)
            continue  # its process has ended meanwhile
        try:
            with operating(layout, "kill"):
                return _kill_dead(read_run(root), config, accept=accept_alterations)
        except Refused as refused:
            # A controller that has just lost the run's process goes away, and so does one that brings it into order.
            if refused.code not in ("operation_in_progress", "run_locked") or time.monotonic() > deadline:
                raise
            time.sleep(_LOOK_S)


def recover(root: Path, *, force: bool = False, accept_alterations: bool = False) -> RecoveryReport:
    """Bring a run whose process died to a state that one can go on from. Raises Refused (run_owner_alive)."""
    view = read_run(root)
    with (
        operating(view.layout, "recover", force=force),
        _taken(view, "recover", force=force, accept=accept_alterations) as run,
    ):
        report = read_document(run.layout.recovery_report, RecoveryReport)
        if run.announced or not is_concluded(run.layout):
            _settle(run)
        if report is not None and run.recovery:
            return report
        status = _status(view.layout)
        return RecoveryReport(
            run_id=run.run_id,
            previous_status=status,
            recovered_status=status,
            rewound_to_schedule_idx=0,
            active_trials_released=(),
            committed_slots_verified=len(report.notes) if report else 0,
            notes=("there was nothing to recover",),
            recovered_at=utc_now(),
        )


def continue_run(
    root: Path,
    config: Config,
    observer: Observer,
    *,
    operation: Literal["continue", "resume"] = "continue",
    changes: Mapping[str, Any] | None = None,
    trust: bool = False,
) -> EndedRun:
    """Go on with a run that stopped, under the request that it was made with.

    `changes`: fields of the request that are this invocation's own: how it was called, `fresh_setup` and
    `accept_alterations`. `trust`: carry out what the run says, also where another user or machine made it. Raises
    Refused: run_untrusted, continue_completed, run_owner_alive, continue_experiment_changed (which names the fields);
    RunAltered.
    """
    view = read_run(root)
    if _is_over(view):
        status = _status(view.layout)
        msg = f"run {view.manifest.run_id} is {status}: there is nothing to continue"
        raise Refused(msg, code=f"continue_{status}", hint=_HOW_TO_REPEAT)
    if lock.is_held(view.layout.lock):
        raise _alive(view)
    if not (changes or {}).get("accept_alterations"):
        check_unaltered(view.layout)
    recorded = recorded_experiment(view.layout, trust=trust)
    with operating(view.layout, operation):
        request = request_from(recorded)
        request = replace(request, run_id=view.manifest.run_id, output_path=view.layout.root.parent, fresh=False)
        request = replace(request, **(changes or {}))
        campaign = compile_request(request, config)
        _check_unchanged(recorded, campaign)
    return evaluate(campaign, observer, operation=operation)


def rebuild(root: Path, *, accept_alterations: bool = False) -> tuple[str, ...]:
    """Bring every projection of a run that nobody works on up to date; the paths of those that were written or removed.

    Raises Refused (run_locked), RunAltered, and StorageError where what they are made of is damaged.
    """
    view = read_run(root)
    held = lock.acquire(view.layout.lock, "rebuild")
    with OpenRun(
        view.layout, view.manifest.run_id, ArtifactStore(view.layout.artifacts), held, None, operation="rebuild"
    ) as run:
        before = admit(run, accept=accept_alterations)
        if damaged := read_run(root).damaged:
            hint = "`agentics run verify` names what was altered"
            raise StorageError(damaged[0], code="damaged_file", hint=hint)
        written = write_projections(run)
        if before.accepted and before.attested:
            write_attestation(run)
        return written


def _check_unchanged(recorded: ResolvedExperiment, campaign: Campaign) -> None:
    fields = differences(recorded, resolve(campaign))
    if fields:
        msg = f"the experiment is no longer what the run was made with: {', '.join(fields)} differ"
        hint = "take the change back, or start a new run"
        raise Refused(msg, code="continue_experiment_changed", hint=hint)


def _place(root: Path) -> Layout:
    """A run that is there, or that a process is just making. Raises UsageError (no_such_run)."""
    layout = Layout(real(root))
    if not layout.manifest.exists() and not lock.is_held(layout.lock):
        msg = f"{root}: no run directory (manifest.json is missing)"
        raise UsageError(msg, code="no_such_run")
    return layout


def _ask(layout: Layout, request: ControlRequest) -> ControlResponse | None:
    """What the run's process did; None when it ended before. Raises Refused when it did not do what was asked."""
    patience = request.timeout_s + _ANSWER_S if request.action == "pause" else 2 * _ANSWER_S
    try:
        answer = mailbox.ask(layout, request, patience_s=patience, alive=lambda: lock.is_held(layout.lock))
    except TimeoutError as error:
        msg = f"{lock.holder(layout.lock)} works on this run, and did not answer within {patience:g} s"
        hint = "once that process has ended, `agentics run kill` and `agentics run continue` work without it"
        raise Refused(msg, code="runner_silent", hint=hint) from error
    if answer is None or answer.code == mailbox.RUNNER_ENDED:
        return None
    if answer.code is not None:
        raise Refused(answer.message or answer.code, code=answer.code)
    return answer


def _request(
    action: Literal["pause", "resume", "kill"],
    *,
    trial_id: str | None = None,
    label: str | None = None,
    timeout_s: float = 60.0,
) -> ControlRequest:
    return ControlRequest(
        operation_id=secrets.token_hex(8),
        action=action,
        trial_id=trial_id,
        label=label,
        timeout_s=timeout_s,
        requested_at=utc_now(),
        requested_by=f"{socket.gethostname()}:{os.getpid()}",
    )


def _kill_dead(view: RunView, config: Config, *, accept: bool) -> Killed:
    base, name = view.layout.root.parent, view.manifest.run_id
    with open_run(base, name, operation="kill", accept_alterations=accept) as run:
        with open_scratch(config) as scratch, open_engine(config, scratch) as engine:
            removed = engine.remove({RUN: run.run_id})
            reap(config, engine)
        end_for_good(run)
        _settle(run)
        return Killed(run_id=run.run_id, trial_ids=run.recovered, containers_removed=removed)


def _settle(run: OpenRun) -> None:
    """States were changed: what is said of them follows."""
    write_projections(run)
    write_attestation(run)


def _taken(view: RunView, operation: str, *, force: bool = False, accept: bool = False) -> OpenRun:
    try:
        root = view.layout.root
        return open_run(root.parent, view.manifest.run_id, operation=operation, force=force, accept_alterations=accept)
    except Refused as refused:
        if refused.code == "run_locked":
            raise _alive(view) from refused
        raise


def _alive(view: RunView) -> AgenticsError:
    msg = f"a living process works on run {view.manifest.run_id}"
    hint = "`agentics run pause` and `agentics run kill` speak to it"
    return Refused(msg, code="run_owner_alive", hint=hint)


def _is_over(view: RunView) -> bool:
    """Whether there is nothing to go on with. A process that died right after it had set the status has not written all
    that is made of the run. A model's task that is not completed is run again, as by the same `agentics job run`: the
    answers that it has are kept."""
    layout = view.layout
    status = _status(layout)
    if status != "completed" or not is_concluded(layout):
        return status == "killed"
    models = {name for directory, name in view.variants.items() if layout.jobspec(directory).exists()}
    ends = [trial.result.ext for trial in view.trials if trial.result is not None and trial.ids.variant_id in models]
    return not any(to_run(end.status, end.fault) for end in ends)


def _status(layout: Layout) -> RunStatus | None:
    control = read_document(layout.control, RunControl)
    return control.status if control is not None else None


def paused_trials(view: RunView) -> tuple[TrialState, ...]:
    """The trials that are paused, by their states."""
    states = (trial.state for trial in view.trials)
    return tuple(state for state in states if state is not None and state.status == "paused")
