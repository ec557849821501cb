"""What a run commits: one evidence record and one chain state for each attempt, the journal of slots, and progress.

A slot is committed once for each attempt that ended with a result: intent, rows, commit, progress, in this order.
"""

from __future__ import annotations

from typing import Literal

from pydantic import Field, FiniteFloat, JsonValue, NonNegativeInt, PositiveInt

from agentics.model.document.record import ArtifactRef, Ids, Record
from agentics.model.run.directory import Digest, RunStatus
from agentics.model.run.outcome import UtcTimestamp

StatePolicy = Literal["isolate_per_trial", "persist_per_task", "accumulate"]
SlotStatus = Literal["completed", "failed", "skipped_pruned", "skipped_unsupported"]
EvidenceRow = Literal["evidence", "chain_states"]


class ChainPolicy(Record):
    """Every trial starts from a fresh workspace, so each is a chain of its own with one step."""

    state_policy: StatePolicy = "isolate_per_trial"
    task_model: Literal["independent", "dependent"] = "independent"
    chain_id: str
    chain_step_index: NonNegativeInt = 0


class EvidenceRuntime(Record):
    """`exit_status` is "0" exactly when the attempt came to a verdict."""

    executor: str = "local_docker"
    exit_status: str
    duration_ms: FiniteFloat


class EvidenceRefs(Record):
    """Content addresses of everything that the attempt rests on. Null: there is no such thing here."""

    trial_input_ref: ArtifactRef
    trial_output_ref: ArtifactRef
    workspace_pre_ref: ArtifactRef | None
    workspace_post_ref: ArtifactRef | None
    diff_incremental_ref: ArtifactRef | None
    diff_cumulative_ref: ArtifactRef | None
    patch_incremental_ref: ArtifactRef | None
    patch_cumulative_ref: ArtifactRef | None
    stdout_ref: ArtifactRef | None = None
    stderr_ref: ArtifactRef | None = None
    hook_events_ref: ArtifactRef | None = None
    harness_request_ref: ArtifactRef | None = None
    harness_response_ref: ArtifactRef | None = None
    supplemental_refs: tuple[ArtifactRef, ...] = ()


class EvidenceRecord(Record):
    """R4, one line of evidence/evidence_records.jsonl. `paths` are the same things by name, relative to the run."""

    schema_version: Literal["evidence_record_v1"] = "evidence_record_v1"
    ts: UtcTimestamp
    ids: Ids
    attempt: PositiveInt
    slot_commit_id: str
    schedule_idx: NonNegativeInt | None = None
    policy: ChainPolicy
    runtime: EvidenceRuntime
    evidence: EvidenceRefs
    paths: dict[str, str]
    ext: dict[str, JsonValue] = Field(default_factory=dict)


class ChainIds(Record):
    trial_id: str
    variant_id: str
    task_id: str
    repl_idx: NonNegativeInt = 0


class ChainSnapshots(Record):
    chain_root_ref: ArtifactRef | None
    prev_ref: ArtifactRef | None
    post_ref: ArtifactRef | None


class ChainDiffs(Record):
    incremental_ref: ArtifactRef | None
    cumulative_ref: ArtifactRef | None
    patch_incremental_ref: ArtifactRef | None
    patch_cumulative_ref: ArtifactRef | None


class TaskChainState(Record):
    """R4, one line of evidence/task_chain_states.jsonl."""

    schema_version: Literal["task_chain_state_v1"] = "task_chain_state_v1"
    ts: UtcTimestamp
    run_id: str
    chain_id: str
    task_model: Literal["independent", "dependent"] = "independent"
    step_index: NonNegativeInt = 0
    ids: ChainIds
    attempt: PositiveInt
    slot_commit_id: str
    snapshots: ChainSnapshots
    diffs: ChainDiffs
    ext: dict[str, JsonValue] = Field(default_factory=dict)


class SlotCommit(Record):
    """One line of runtime/slot_commit_journal.jsonl. `payload_digest` is over the rows; they lie between intent and
    commit."""

    schema_version: Literal["slot_commit_record_v1"] = "slot_commit_record_v1"
    record_type: Literal["intent", "commit", "abort"]
    run_id: str
    invocation_id: str
    """Of a trial that was made from another: its fork's or replay's id, and no place in the schedule."""
    schedule_idx: NonNegativeInt | None
    slot_commit_id: str
    trial_id: str | None
    slot_status: SlotStatus
    attempt: NonNegativeInt
    recorded_at: UtcTimestamp
    expected_rows: dict[EvidenceRow, NonNegativeInt] | None = None
    written_rows: dict[EvidenceRow, NonNegativeInt] | None = None
    payload_digest: Digest
    facts_fsync_completed: bool | None = None
    runtime_fsync_completed: bool | None = None


class ScheduledSlot(Record):
    variant_idx: NonNegativeInt
    task_idx: NonNegativeInt
    repl_idx: NonNegativeInt


class CompletedSlot(Record):
    """`trial_id` null: the slot got no trial."""

    schedule_index: NonNegativeInt
    trial_id: str | None
    status: SlotStatus
    slot_commit_id: str
    attempt: NonNegativeInt


class ScheduleProgress(Record):
    """runtime/schedule_progress.json: the schedule of the newest invocation, and how far it is committed."""

    schema_version: Literal["schedule_progress_v2"] = "schedule_progress_v2"
    run_id: str
    invocation_id: str
    total_slots: NonNegativeInt
    next_schedule_index: NonNegativeInt
    next_trial_index: NonNegativeInt
    schedule: tuple[ScheduledSlot, ...]
    completed_slots: tuple[CompletedSlot, ...] = ()
    pruned_variants: tuple[str, ...] = ()
    consecutive_failures: dict[str, NonNegativeInt] = Field(default_factory=dict)
    use_container: bool = True
    updated_at: UtcTimestamp


class EngineLease(Record):
    """runtime/engine_lease.json: who runs the trials, and that it still does. The epoch grows with every takeover."""

    schema_version: Literal["engine_lease_v1"] = "engine_lease_v1"
    run_id: str
    owner_id: str
    pid: int
    hostname: str
    started_at: UtcTimestamp
    heartbeat_at: UtcTimestamp
    expires_at: UtcTimestamp
    epoch: PositiveInt


class OperationLease(Record):
    """runtime/operation_lease.json: the controller that is at work on a run, or was."""

    schema_version: Literal["operation_lease_v1"] = "operation_lease_v1"
    operation_id: str
    op_type: str
    owner_pid: int
    owner_host: str
    acquired_at: UtcTimestamp
    expires_at: UtcTimestamp
    stale_takeover_of: str | None = None


class RecoveryReport(Record):
    """runtime/recovery_report.json: what the newest recovery found and did."""

    schema_version: Literal["recovery_report_v1"] = "recovery_report_v1"
    run_id: str
    previous_status: RunStatus | None
    recovered_status: RunStatus | None
    rewound_to_schedule_idx: NonNegativeInt
    active_trials_released: tuple[str, ...]
    committed_slots_verified: NonNegativeInt
    notes: tuple[str, ...] = ()
    recovered_at: UtcTimestamp


DOCUMENTS: dict[str, type[Record]] = {
    "evidence_record": EvidenceRecord,
    "task_chain_state": TaskChainState,
    "slot_commit_record": SlotCommit,
    "schedule_progress": ScheduleProgress,
    "engine_lease": EngineLease,
    "operation_lease": OperationLease,
    "recovery_report": RecoveryReport,
}
