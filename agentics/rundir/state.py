"""The states of runs and trials, and which may follow which. `held.transition` alone changes one."""

from __future__ import annotations

from agentics.errors import StorageError
from agentics.model.run.directory import RunStatus, TrialStatus

RUN_TRANSITIONS: dict[RunStatus | None, frozenset[RunStatus]] = {
    None: frozenset({"running"}),
    "running": frozenset({"completed", "failed", "paused", "interrupted", "killed"}),
    "paused": frozenset({"running", "killed"}),
    "interrupted": frozenset({"running"}),
    "failed": frozenset({"running"}),
    # The same id again: tasks that failed are tried again, and new ones may be asked for.
    "completed": frozenset({"running"}),
    "killed": frozenset(),
}

TRIAL_TRANSITIONS: dict[TrialStatus | None, frozenset[TrialStatus]] = {
    None: frozenset({"running"}),
    "running": frozenset({"completed", "failed", "paused", "killed"}),
    "paused": frozenset({"running", "killed"}),
    # From an end, only as another attempt.
    "completed": frozenset({"running"}),
    "failed": frozenset({"running"}),
    "killed": frozenset({"running"}),
}


def check_run(now: RunStatus | None, to: RunStatus) -> None:
    if to not in RUN_TRANSITIONS[now]:
        msg = f"a run that is {now or 'not there yet'} cannot become {to}"
        raise StorageError(msg, code="impossible_transition")


def check_trial(now: TrialStatus | None, to: TrialStatus) -> None:
    if to not in TRIAL_TRANSITIONS[now]:
        msg = f"a trial that is {now or 'not there yet'} cannot become {to}"
        raise StorageError(msg, code="impossible_transition")
