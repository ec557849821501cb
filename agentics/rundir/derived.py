"""Trials that were made from a committed one: forks and replays. They lie beside the schedule and fill no slot.

Whoever makes one needs no lock of the run, which may go on meanwhile: it writes only below its own directory. Its rows
reach the ledgers with the next holder of the lock, which is at once where nobody holds it.
"""

from __future__ import annotations

import secrets
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from datetime import UTC, datetime

from agentics.errors import Refused, StorageError
from agentics.model.document.record import Ids
from agentics.model.evidence.trial_evidence import TrialEvidence
from agentics.model.run.directory import Chain, Scope, TrialInput, TrialMetadata, TrialResult, TrialRuntime, TrialState
from agentics.model.run.ledger import SlotStatus
from agentics.rundir.commit import CommittedSlot, commit_rows, written
from agentics.rundir.files import ledger, lock
from agentics.rundir.files.artifacts import ArtifactStore
from agentics.rundir.files.atomic import make_directory, read_document, write_document
from agentics.rundir.files.layout import Layout, TrialLayout
from agentics.rundir.integrity.guard import admit
from agentics.rundir.open_run import OpenRun, transition_trial
from agentics.rundir.projections.attest import write_attestation
from agentics.rundir.reader import TrialView, read_evidence
from agentics.rundir.scope import fingerprint

WORKER_LOST = "worker_lost_recovered"
REGRADE = "regrade"
"""What an attempt's input is marked with where an evaluator said again what it makes of an earlier attempt."""


def new_id(kind: str) -> str:
    """`fork_…` or `replay_…`: sorts by time, and two of one second do not meet."""
    return f"{kind}_{datetime.now(UTC):%Y%m%d_%H%M%S}_{secrets.token_hex(3)}"


@dataclass(frozen=True, kw_only=True)
class ParentTrial:
    """The newest attempt at a trial in which its solution ran: what is made from the trial is made from this attempt,
    however many regrades followed. `evidence` None: nothing was observed."""

    trial: TrialView
    attempt: int
    given: TrialInput
    result: TrialResult
    evidence: TrialEvidence | None


def source_of(trial: TrialView) -> ParentTrial | None:
    """None for a trial whose newest attempt that was no regrade came to no result. Raises StorageError."""
    for number in reversed(TrialLayout(trial.root).attempt_numbers()):
        place = trial.root / "attempts" / str(number)
        given = read_document(place / "trial_input.json", TrialInput)
        if given is None or REGRADE in given.ext:
            continue
        result = read_document(place / "result.json", TrialResult)
        if result is None:
            return None
        evidence = read_evidence(trial, number)
        return ParentTrial(trial=trial, attempt=number, given=given, result=result, evidence=evidence)
    return None


@contextmanager
def beside(layout: Layout, run_id: str, *, accept_alterations: bool = False) -> Iterator[OpenRun]:
    """The run, to write derived trials into. The caller is the one controller at work on it.

    Raises RunAltered where nobody works on the run and it is not what it was; `accept_alterations` records that.
    """
    _take_in(layout, run_id, accept=accept_alterations)
    run = OpenRun(layout, run_id, ArtifactStore(layout.artifacts), None, None)
    try:
        yield run
    finally:
        run.close()
        commit_now(layout, run_id)


def make_trial(run: OpenRun, ids: Ids, scope: Scope, runtime: TrialRuntime) -> None:
    """The directory of a derived trial, and which slot its parent fills."""
    place = run.layout.trial(ids.trial_id)
    make_directory(place.attempts)
    place.root.chmod(0o700)  # as below trials/: evidence of an official evaluation is its operator's alone
    metadata = TrialMetadata(
        ids=ids,
        chain=Chain(chain_id=ids.trial_id),
        scope=scope,
        scope_fingerprint=fingerprint(scope),
        runtime=runtime,
    )
    write_document(place.metadata, metadata)


def commit_derived(run: OpenRun) -> int:
    """Give the ledgers the rows of every derived trial that has ended; how many. For the holder of the run's lock."""
    have, count = written(run), 0
    for place in run.layout.derived():
        with suppress(StorageError):
            metadata = read_document(place.metadata, TrialMetadata)
            result = read_document(place.result, TrialResult)
            if metadata is None or result is None:
                continue
            status: SlotStatus = "failed" if result.outcome == "error" else "completed"
            filled = CommittedSlot(
                schedule_idx=None, status=status, trial_id=metadata.ids.trial_id, attempt=result.ext.attempt
            )
            count += commit_rows(run, filled, place.root.parent.name, have)
    return count


def commit_now(layout: Layout, run_id: str) -> None:
    """Commit what is there, unless somebody has the run: then it is theirs to do."""
    with suppress(Refused), _held(layout, run_id) as run:
        before = admit(run, accept=False)
        ledger.repair(layout.journal)
        if commit_derived(run) and before.attested:  # what a dead process left is attested by whoever goes on with it
            write_attestation(run)


def _take_in(layout: Layout, run_id: str, *, accept: bool) -> None:
    try:
        run = _held(layout, run_id)
    except Refused:
        return  # whoever works on the run has done this
    with run:
        before = admit(run, accept=accept)
        if before.accepted and before.attested:
            write_attestation(run)


def _held(layout: Layout, run_id: str) -> OpenRun:
    held = lock.acquire(layout.lock, "commit")
    return OpenRun(layout, run_id, ArtifactStore(layout.artifacts), held, None, operation="commit")


def settle_derived(run: OpenRun) -> None:
    """Derived trials that a dead process left running are lost: nobody goes on with them."""
    for place in run.layout.derived():
        if not _somebody_is_at_it(run.layout):
            with suppress(StorageError):
                _settle(run, place)


def _settle(run: OpenRun, place: TrialLayout) -> None:
    metadata, state = read_document(place.metadata, TrialMetadata), read_document(place.state, TrialState)
    if metadata is not None and state is not None and state.status == "running":
        beside_run = OpenRun(run.layout, run.run_id, run.artifacts, None, None)
        transition_trial(beside_run, metadata.ids, to="failed", attempt=state.attempt, exit_reason=WORKER_LOST)


def _somebody_is_at_it(layout: Layout) -> bool:
    """A controller works on the run: what runs beside the schedule may be its own."""
    return lock.is_held(layout.control_lock)
