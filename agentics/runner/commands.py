"""What a controller does to a run: pause, resume, continue, kill, recover. One controller at a time.

Where a runner lives it is asked, and it alone changes states. Where none lives, the controller takes its place.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path
from typing import Literal

from agentics.config import Config
from agentics.errors import AgenticsError, Refused, StorageError, UsageError
from agentics.model.control import ControlRequest, ControlResponse
from agentics.model.experiment import ResolvedExperiment
from agentics.model.ledger import OperationLease, RecoveryReport
from agentics.model.rundir import RunControl, RunStatus, TrialState
from agentics.rundir import lock, mailbox
from agentics.rundir.artifacts import Artifacts
from agentics.rundir.atomic import read_document, utc_now
from agentics.rundir.attest import is_concluded, write_attestation
from agentics.rundir.guard import admit, check_unaltered
from agentics.rundir.held import Run, transition, transition_trial
from agentics.rundir.layout import Layout
from agentics.rundir.lease import operating
from agentics.rundir.reader import RunView, read_run
from agentics.rundir.rebuild import write_projections
from agentics.rundir.run import open_run
from agentics.runner.campaign import Campaign, compile_request
from agentics.runner.evaluate import Ended, evaluate
from agentics.runner.experiment import differences, request_from, resolve
from agentics.runner.machine import open_engine, open_scratch, reap
from agentics.runner.progress import Observer
from agentics.sandbox.labels import RUN

TERMINAL: frozenset[RunStatus | None] = frozenset({"completed", "killed"})
_ANSWER_S = 30.0
"""Beyond what the request itself may take: freezing, removing containers, writing it down."""
_EXPERIMENT_BYTES = 64 << 20


@dataclass(frozen=True, kw_only=True)
class Killed:
    """What a kill found. `trial_ids`: the trials that were active."""

    run_id: str
    trial_ids: tuple[str, ...]
    containers_removed: int


def pause(root: Path, *, trial_id: str | None, label: str | None, timeout_s: float) -> ControlResponse:
    """Raises Refused with the code that says why not; nothing was changed then."""
    view = read_run(root)
    with operating(view.layout, "pause") as lease:
        if not lock.is_held(view.layout.lock):
            msg = f"run {view.manifest.run_id} is {_status(view)}, and no process works on it"
            raise Refused(msg, code="pause_non_running")
        return _ask(view.layout, _request(lease, "pause", trial_id=trial_id, label=label, timeout_s=timeout_s))


def unfreeze(root: Path, *, trial_id: str | None) -> ControlResponse | None:
    """Let a frozen run go on, where its process still lives; None where it does not. Raises Refused."""
    view = read_run(root)
    with operating(view.layout, "resume") as lease:
        if not lock.is_held(view.layout.lock):
            if _status(view) != "paused":
                msg = f"run {view.manifest.run_id} is {_status(view)}, and only a paused one can be resumed"
                raise Refused(msg, code="resume_non_paused", hint="`agentics run continue` goes on with any other")
            return None
        return _ask(view.layout, _request(lease, "resume", trial_id=trial_id))


def check_label(root: Path, label: str | None) -> None:
    """Raises Refused (resume_checkpoint_not_found) when the run was paused under another label, if one is wanted."""
    control = read_document(read_run(root).layout.control, RunControl)
    paused = control.pause.label if control is not None and control.pause is not None else None
    if label is not None and label != paused:
        msg = f"the run was not paused as {label!r}"
        hint = f"it was paused as {paused!r}" if paused else "it is not paused"
        raise Refused(msg, code="resume_checkpoint_not_found", hint=hint)


def kill(root: Path, config: Config, *, accept_alterations: bool = False) -> Killed:
    """End a run for good: no container of it is left when its state says so. Raises Refused (kill_terminal_status)."""
    view = read_run(root)
    with operating(view.layout, "kill") as lease:
        status = _status(view)
        if status in TERMINAL:
            msg = f"run {view.manifest.run_id} is {status}, which is final"
            raise Refused(msg, code="kill_terminal_status")
        if lock.is_held(view.layout.lock):
            answer = _ask(view.layout, _request(lease, "kill"))
            return Killed(run_id=view.manifest.run_id, trial_ids=answer.trial_ids, containers_removed=0)
        with _taken(view, "kill", accept=accept_alterations) as run:
            return _kill_dead(run, config)


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
        status = _status(read_run(root))
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
    fresh_setup: bool = False,
    accept_alterations: bool = False,
) -> Ended:
    """Go on with a run that stopped, under the request that it was made with.

    `fresh_setup`, `accept_alterations`: as in a request. Raises Refused: continue_completed, run_owner_alive,
    continue_experiment_changed (which names the fields); RunAltered.
    """
    view = read_run(root)
    status = _status(view)
    # A process that died right after it had set the status has not written all that is made of the run.
    if status == "killed" or (status == "completed" and is_concluded(view.layout)):
        msg = f"run {view.manifest.run_id} is {status}: there is nothing to continue"
        raise Refused(msg, code=f"continue_{status}", hint="start a new run, or evaluate again with `agentics eval`")
    if lock.is_held(view.layout.lock):
        raise _alive(view)
    if not accept_alterations:
        check_unaltered(view.layout)
    with operating(view.layout, operation):
        recorded = recorded_experiment(view.layout)
        request = request_from(recorded)
        request = replace(request, run_id=view.manifest.run_id, output_path=view.layout.root.parent, fresh=False)
        request = replace(request, fresh_setup=fresh_setup, accept_alterations=accept_alterations)
        campaign = compile_request(request, config)
        _check_unchanged(recorded, campaign)
    return evaluate(campaign, observer, operation=operation)


def rebuild(root: Path, *, accept_alterations: bool = False) -> tuple[str, ...]:
    """Bring every projection of a run that nobody works on up to date; the paths of those that were written or removed.

    Raises Refused (run_locked), RunAltered, and StorageError where what they are made of is damaged.
    """
    view = read_run(root)
    held = lock.acquire(view.layout.lock, "rebuild")
    with Run(
        view.layout, view.manifest.run_id, Artifacts(view.layout.artifacts), held, None, operation="rebuild"
    ) as run:
        went_on = admit(run, accept=accept_alterations)
        if damaged := read_run(root).damaged:
            hint = "`agentics run verify` names what was altered"
            raise StorageError(damaged[0], code="damaged_file", hint=hint)
        written = write_projections(run)
        if went_on:
            write_attestation(run)
        return written


def recorded_experiment(layout: Layout) -> ResolvedExperiment:
    """What the run was made with. Raises UsageError (not_resumable) where that is not written down."""
    found = read_document(layout.resolved, ResolvedExperiment)
    if found is None:
        msg = f"{layout.resolved}: missing"
        raise UsageError(msg, code="not_resumable")
    return found


def _check_unchanged(recorded: ResolvedExperiment, campaign: Campaign) -> None:
    fields = differences(recorded, resolve(campaign))
    if fields:
        msg = f"the experiment is no longer what the run was made with: {', '.join(fields)} differ"
        hint = "take the change back, or start a new run"
        raise Refused(msg, code="continue_experiment_changed", hint=hint)


def _ask(layout: Layout, request: ControlRequest) -> ControlResponse:
    patience = request.timeout_s + _ANSWER_S if request.action == "pause" else 2 * _ANSWER_S
    answer = mailbox.ask(layout, request, patience_s=patience, alive=lambda: lock.is_held(layout.lock))
    if answer is None:
        msg = "the process that worked on this run did not answer"
        raise Refused(msg, code="runner_silent", hint="`agentics run recover` where it died, and try again")
    if answer.code is not None:
        raise Refused(answer.message or answer.code, code=answer.code)
    return answer


def _request(
    lease: OperationLease,
    action: Literal["pause", "resume", "kill"],
    *,
    trial_id: str | None = None,
    label: str | None = None,
    timeout_s: float = 60.0,
) -> ControlRequest:
    return ControlRequest(
        operation_id=lease.operation_id,
        action=action,
        trial_id=trial_id,
        label=label,
        timeout_s=timeout_s,
        requested_at=utc_now(),
        requested_by=f"{lease.owner_host}:{lease.owner_pid}",
    )


def _kill_dead(run: Run, config: Config) -> Killed:
    with open_scratch(config) as scratch, open_engine(config, scratch) as engine:
        removed = engine.remove({RUN: run.run_id})
        reap(config, engine)
    for trial in read_run(run.root).trials:
        if trial.state is not None and trial.state.status == "paused":
            killed = trial.state.attempt
            transition_trial(run, trial.ids, to="killed", attempt=killed, exit_reason="killed_by_user")
    if _status(read_run(run.root)) != "paused":
        transition(run, to="running")
    transition(run, to="killed")
    _settle(run)
    return Killed(run_id=run.run_id, trial_ids=run.recovered, containers_removed=removed)


def _settle(run: Run) -> None:
    """States were changed: what is said of them follows."""
    write_projections(run)
    write_attestation(run)


def _taken(view: RunView, operation: str, *, force: bool = False, accept: bool = False) -> Run:
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


def _status(view: RunView) -> RunStatus | None:
    control = read_document(view.layout.control, RunControl)
    return control.status if control is not None else None


def paused_trials(view: RunView) -> tuple[TrialState, ...]:
    """The trials that are paused, by their states."""
    states = (trial.state for trial in view.trials)
    return tuple(state for state in states if state is not None and state.status == "paused")
