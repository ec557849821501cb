"""What a dead process left: torn lines, staged files, trials still running. Called under the run's lock, before use."""

from __future__ import annotations

import contextlib
import os
from pathlib import Path

from agentics.archive.hostile import remove_at
from agentics.errors import StorageError
from agentics.model.document.record import Ids
from agentics.model.run.directory import (
    InvocationEnded,
    InvocationStarted,
    RunControl,
    TaskSkipped,
    TrialMetadata,
    TrialResult,
    TrialState,
    TrialStatus,
)
from agentics.model.run.ledger import RecoveryReport, ScheduleProgress
from agentics.rundir.commit import roll_forward, written
from agentics.rundir.derived import WORKER_LOST, commit_derived, settle_derived
from agentics.rundir.files import ledger, lock, safe_files
from agentics.rundir.files.atomic import read_document, sweep_staging, utc_now, write_document
from agentics.rundir.files.layout import Layout, TrialLayout
from agentics.rundir.open_run import ENTRIES, OpenRun, transition, transition_trial


def recover(run: OpenRun) -> None:
    """Bring the directory to a state that a living process could have left, and learn which slots are filled."""
    ledger.repair(run.layout.invocations)
    run.artifacts.sweep()
    sweep_staging(run.root, leave=_not_ours_to_sweep(run.layout))
    entries = ledger.read(run.layout.invocations, ENTRIES)
    told = [entry for entry in entries if isinstance(entry, InvocationStarted | TaskSkipped | InvocationEnded)]
    run.unfinished = bool(told) and not isinstance(told[-1], InvocationEnded)
    trials = sorted(place.name for place in run.layout.trials.iterdir() if place.is_dir())
    run.recovered = tuple(trial for trial in trials if _recover_trial(run, trial))
    finished = roll_forward(run)
    settle_derived(run)
    commit_derived(run)
    control = read_document(run.layout.control, RunControl)
    if control is not None and control.status == "completed" and run.mended:
        transition(run, to="running")
        transition(run, to="interrupted")
    elif control is not None and control.status == "running":
        transition(run, to="interrupted")
    run.recovery = bool(run.recovered or finished) or (control is not None and control.status == "running")
    if run.recovery:
        write_document(run.layout.recovery_report, _report(run, control, finished))


def _not_ours_to_sweep(layout: Layout) -> tuple[Path, ...]:
    """The directories that other processes may write to: artifacts, which have a sweep of their own, and the forks,
    replays and regrades of a controller that is at work."""
    beside = (layout.forks, layout.replays, layout.regrades) if lock.is_held(layout.control_lock) else ()
    return (layout.artifacts, *beside)


def _report(run: OpenRun, before: RunControl | None, finished: tuple[str, ...]) -> RecoveryReport:
    progress = read_document(run.layout.progress, ScheduleProgress)
    commits = written(run).commits
    slots = progress.completed_slots if progress else ()
    verified = next((i for i, slot in enumerate(slots) if slot.slot_commit_id not in commits), len(slots))
    after = read_document(run.layout.control, RunControl)
    return RecoveryReport(
        run_id=run.run_id,
        previous_status=before.status if before else None,
        recovered_status=after.status if after else None,
        rewound_to_schedule_idx=verified,
        active_trials_released=run.recovered,
        committed_slots_verified=verified,
        notes=tuple(f"commit {name} was begun by a dead process, and finished now" for name in finished),
        recovered_at=utc_now(),
    )


def end_of(result: TrialResult) -> tuple[TrialStatus, str | None]:
    """The state of a trial that has this result, and its exit reason."""
    if result.ext.status == "pending":
        return "killed", result.ext.reason
    if result.outcome == "error":
        return "failed", result.ext.reason or "result_error"
    return "completed", None


def _recover_trial(run: OpenRun, trial_id: str) -> bool:
    # A trial without readable metadata fills no slot. Its number is used again only if the process that made it died
    # before it wrote metadata.
    place = run.layout.trial(trial_id)
    if not place.metadata.exists() and not any(place.attempts.glob("*")):
        with safe_files.folder(place.root.parent) as at:
            remove_at(at, place.root.name)
            os.fsync(at)
        return False
    metadata = None
    with contextlib.suppress(StorageError):
        metadata = read_document(place.metadata, TrialMetadata)
    if metadata is None:
        return False
    ids = metadata.ids
    run.slots[(ids.variant_id, ids.task_id, ids.repl_idx)] = trial_id
    return _was_running(run, ids, place) and _settle(run, ids, place)


def _was_running(run: OpenRun, ids: Ids, place: TrialLayout) -> bool:
    try:
        trial = read_document(place.state, TrialState)
    except StorageError:
        safe_files.unlink(place.state)
        transition_trial(run, ids, to="running", attempt=max(1, place.last_attempt()))
        return True
    if trial is None:
        return False
    frozen = trial.status == "paused" and trial.exit_reason is None  # its containers went with their owner
    damaged = trial.status == "completed" and not (place.attempt(trial.attempt) / "result.json").exists()
    if frozen or damaged:
        transition_trial(run, ids, to="running", attempt=trial.attempt)
        return True
    return trial.status == "running"


def _settle(run: OpenRun, ids: Ids, place: TrialLayout) -> bool:
    """Whether the worker was lost: a result that was written stands, whatever happened to its writer afterwards."""
    number = max(1, place.last_attempt())
    for path in place.attempt(number).glob("*.jsonl"):
        ledger.repair(path)
    result = None
    with contextlib.suppress(StorageError):
        result = read_document(place.attempt(number) / "result.json", TrialResult)
    if result is None:
        safe_files.unlink(place.result)
        transition_trial(run, ids, to="failed", attempt=number, exit_reason=WORKER_LOST)
        return True
    write_document(place.result, result)
    status, reason = end_of(result)
    transition_trial(run, ids, to=status, attempt=number, exit_reason=reason)
    return False
