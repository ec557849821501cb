"""The commit of a slot: intent, rows, commit, progress, each durable before the next. In the order of the schedule.

Rows are made of nothing but what lies in the trial's directory, so that whoever finds an intent without its commit
makes the same rows again, and appends those that are missing.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

from pydantic import TypeAdapter

from agentics.content import sha256_of
from agentics.model.run.ledger import (
    CompletedSlot,
    EvidenceRecord,
    EvidenceRow,
    ScheduledSlot,
    ScheduleProgress,
    SlotCommit,
    SlotStatus,
    TaskChainState,
)
from agentics.rundir.files import ledger
from agentics.rundir.files.atomic import canonical_bytes, make_directory, utc_now, write_document
from agentics.rundir.open_run import OpenRun
from agentics.rundir.projections.rows import Rows, rows_of

COMMITS: TypeAdapter[Any] = TypeAdapter(SlotCommit)
RECORDS: TypeAdapter[Any] = TypeAdapter(EvidenceRecord)
CHAINS: TypeAdapter[Any] = TypeAdapter(TaskChainState)


@dataclass(frozen=True, kw_only=True)
class CommittedSlot:
    """A slot that is over. `trial_id` None: it got no trial, for the reason that `status` names."""

    schedule_idx: int | None
    status: SlotStatus
    trial_id: str | None = None
    attempt: int = 0


@dataclass(frozen=True, kw_only=True)
class Written:
    """What the ledgers hold: the commit that each row came with, by trial and attempt; and all commits."""

    evidence: dict[tuple[str, int], str]
    chain_states: dict[tuple[str, int], str]
    commits: set[str]

    def elsewhere(self, trial_id: str, commit: str) -> frozenset[int]:
        """Attempts of the trial that another commit has the rows of."""
        return frozenset(n for (trial, n), c in self.evidence.items() if trial == trial_id and c != commit)


def written(run: OpenRun) -> Written:
    """Read once for each invocation; `commit` keeps it up to date."""
    records: Sequence[EvidenceRecord] = ledger.read(run.layout.evidence_records, RECORDS)
    states: Sequence[TaskChainState] = ledger.read(run.layout.chain_states, CHAINS)
    entries: Sequence[SlotCommit] = ledger.read(run.layout.journal, COMMITS)
    return Written(
        evidence={(r.ids.trial_id, r.attempt): r.slot_commit_id for r in records},
        chain_states={(s.ids.trial_id, s.attempt): s.slot_commit_id for s in states},
        commits={entry.slot_commit_id for entry in entries if entry.record_type == "commit"},
    )


@dataclass(kw_only=True)
class CommitProgress:
    """What `schedule_progress.json` says, while it grows. One for each invocation."""

    run: OpenRun
    invocation_id: str
    schedule: tuple[ScheduledSlot, ...]
    written: Written
    completed: list[CompletedSlot] = field(default_factory=list)
    pruned: list[str] = field(default_factory=list)
    failures: dict[str, int] = field(default_factory=dict)

    def save(self) -> None:
        names = (trial_id.removeprefix("trial_") for trial_id in self.run.slots.values())
        numbers = [int(name) for name in names if name.isdecimal()]
        document = ScheduleProgress(
            run_id=self.run.run_id,
            invocation_id=self.invocation_id,
            total_slots=len(self.schedule),
            next_schedule_index=len(self.completed),
            next_trial_index=max(numbers, default=0) + 1,
            schedule=self.schedule,
            completed_slots=tuple(self.completed),
            pruned_variants=tuple(self.pruned),
            consecutive_failures=self.failures,
            updated_at=utc_now(),
        )
        write_document(self.run.layout.progress, document)


def commit_id(invocation_id: str, filled: CommittedSlot) -> str:
    """One for each attempt that decided a slot, whoever commits it; for slots without a trial, one an invocation."""
    if filled.trial_id is None:
        return f"{filled.status}.{invocation_id}.{filled.schedule_idx}"
    return f"{filled.trial_id}.{filled.attempt}"


def commit(progress: CommitProgress, filled: CommittedSlot) -> None:
    """Commit a slot, once; progress is written in any case. Raises StorageError."""
    run, name = progress.run, commit_id(progress.invocation_id, filled)
    with run.guard:
        commit_rows(run, filled, progress.invocation_id, progress.written)
        progress.completed.append(
            CompletedSlot(
                schedule_index=filled.schedule_idx,
                trial_id=filled.trial_id,
                status=filled.status,
                slot_commit_id=name,
                attempt=filled.attempt,
            )
        )
        progress.save()


def commit_rows(run: OpenRun, filled: CommittedSlot, invocation_id: str, have: Written) -> bool:
    """Intent, rows and commit, unless they are there already; whether they were not."""
    name = commit_id(invocation_id, filled)
    if name in have.commits:
        return False
    run.announce()
    rows = _rows(run, filled.trial_id, filled.attempt, name, have)
    intent = _entry(run, invocation_id, filled, rows)
    make_directory(run.layout.evidence)
    run.layout.evidence.chmod(0o700)
    append_intent(run, intent)
    append_rows(run, rows, have)
    append_commit(run, intent, rows)
    have.commits.add(name)
    return True


def append_intent(run: OpenRun, intent: SlotCommit) -> None:
    ledger.append(run.layout.journal, intent)


def append_rows(run: OpenRun, rows: Rows, written: Written) -> None:
    """Those that are not there yet."""
    for record in rows.evidence:
        key = (record.ids.trial_id, record.attempt)
        if key not in written.evidence:
            ledger.append(run.layout.evidence_records, record)
            written.evidence[key] = record.slot_commit_id
    for state in rows.chain_states:
        key = (state.ids.trial_id, state.attempt)
        if key not in written.chain_states:
            ledger.append(run.layout.chain_states, state)
            written.chain_states[key] = state.slot_commit_id


def append_commit(run: OpenRun, intent: SlotCommit, rows: Rows) -> None:
    done = intent.model_copy(
        update={
            "record_type": "commit",
            "recorded_at": utc_now(),
            "expected_rows": None,
            "written_rows": rows.counts,
            "facts_fsync_completed": True,
            "runtime_fsync_completed": True,
        }
    )
    ledger.append(run.layout.journal, done)


def roll_forward(run: OpenRun) -> tuple[str, ...]:
    """Finish what a dead process had begun to commit; the ids of those commits. Under the run's lock."""
    for path in (run.layout.journal, run.layout.evidence_records, run.layout.chain_states):
        ledger.repair(path)
    entries: Sequence[SlotCommit] = ledger.read(run.layout.journal, COMMITS)
    over = {e.slot_commit_id for e in entries if e.record_type != "intent"}
    begun = [e for e in entries if e.record_type == "intent" and e.slot_commit_id not in over]
    have = written(run)
    for intent in begun:
        rows = _rows(run, intent.trial_id, intent.attempt, intent.slot_commit_id, have)
        append_rows(run, rows, have)
        append_commit(run, intent, rows)
    return tuple(intent.slot_commit_id for intent in begun)


def _rows(run: OpenRun, trial_id: str | None, attempt: int, name: str, have: Written) -> Rows:
    if trial_id is None:
        return Rows()
    return rows_of(run, trial_id, attempt, name, elsewhere=have.elsewhere(trial_id, name))


def _entry(run: OpenRun, invocation_id: str, filled: CommittedSlot, rows: Rows) -> SlotCommit:
    expected: dict[EvidenceRow, int] = rows.counts
    return SlotCommit(
        record_type="intent",
        run_id=run.run_id,
        invocation_id=invocation_id,
        schedule_idx=filled.schedule_idx,
        slot_commit_id=commit_id(invocation_id, filled),
        trial_id=filled.trial_id,
        slot_status=filled.status,
        attempt=filled.attempt,
        recorded_at=utc_now(),
        expected_rows=expected,
        payload_digest=sha256_of(canonical_bytes(rows.payload())),
    )
