"""The records of a run directory: what is written at which place, one model per file or ledger line."""

from __future__ import annotations

from typing import Annotated, Literal, Self

from pydantic import BaseModel, Field, FiniteFloat, JsonValue, NonNegativeInt, PositiveInt, RootModel, model_validator

from agentics.model.document.record import ArtifactRef, Fault, Ids, Mode, Record, Status, Trust
from agentics.model.evidence.machine_load import MachineLoad
from agentics.model.evidence.setup_record import SetupRecord
from agentics.model.run.outcome import (
    ErrorDetails,
    ErrorRecord,
    ExitPolicy,
    GitFacts,
    Invocation,
    LimitUsage,
    NoGit,
    PrimaryMetric,
    SampleSummary,
    SubtaskRecord,
    UtcTimestamp,
)

RunStatus = Literal["running", "paused", "interrupted", "completed", "failed", "killed"]
TrialStatus = Literal["running", "completed", "failed", "paused", "killed"]
ResultOutcome = Literal["success", "failure", "missing", "error"]
Digest = Annotated[str, Field(pattern=r"^sha256:[0-9a-f]{64}$")]


class Control(Record):
    """How a running trial can be spoken to."""

    id: str
    version: str
    command_path: str
    events_path: str


class ActiveTrial(Record):
    trial_id: str
    worker_id: str
    schedule_idx: NonNegativeInt | None = None
    variant_id: str | None = None
    started_at: UtcTimestamp | None = None
    control: Control | None = None


class PauseRequest(Record):
    label: str
    requested_at: UtcTimestamp
    requested_by: str | None = None


class RunControl(Record):
    """R1, runtime/run_control.json. The keys of its first version are there while exactly one trial is active."""

    schema_version: Literal["run_control_v2"] = "run_control_v2"
    run_id: str
    status: RunStatus
    active_trials: dict[str, ActiveTrial] = Field(default_factory=dict)
    active_trial_id: str | None = None
    active_adapter: Control | None = None
    pause: PauseRequest | None = None
    updated_at: UtcTimestamp

    @model_validator(mode="after")
    def _both_versions_agree(self) -> Self:
        only = next(iter(self.active_trials.values())) if len(self.active_trials) == 1 else None
        if self.active_trial_id != (only and only.trial_id) or self.active_adapter != (only and only.control):
            msg = "active_trial_id and active_adapter must be those of the only active trial, else null"
            raise ValueError(msg)
        return self


class TrialState(Record):
    """R2, trials/<trial_id>/trial_state.json. `attempt` counts from 1 and never goes back."""

    schema_version: Literal["trial_state_v1"] = "trial_state_v1"
    trial_id: str
    status: TrialStatus
    pause_label: str | None = None
    checkpoint_selected: str | None = None
    exit_reason: str | None = None
    updated_at: UtcTimestamp
    attempt: PositiveInt


class Scope(Record):
    """Everything that can change the result of a task. Two trials with equal scopes may stand for each other."""

    task: str
    bundle_digest: str
    overlay_digests: tuple[str, ...] = ()
    solution_digest: str
    target: str
    mode: Mode
    limit: NonNegativeInt | None = None
    images: dict[str, str] = Field(default_factory=dict)
    config: dict[str, JsonValue] = Field(default_factory=dict)


class TrialRuntime(Record):
    container_mode: bool = True
    integration_level: Literal["cli_basic", "cli_events", "otel", "sdk_control", "sdk_full"] = "cli_basic"
    network_mode_requested: str = "none"
    network_mode_effective: str = "none"


class Chain(Record):
    chain_id: str
    step_index: NonNegativeInt = 0


class TrialMetadata(Record):
    """trials/<trial_id>/trial_metadata.json: which slot this trial fills, and under which scope. `policy_merge` says
    of every effective setting where it comes from."""

    schema_version: Literal["trial_metadata_v1"] = "trial_metadata_v1"
    ids: Ids
    task_index: NonNegativeInt = 0
    schedule_idx: NonNegativeInt | None = None
    chain: Chain | None = None
    scope: Scope
    scope_fingerprint: Digest
    runtime: TrialRuntime = TrialRuntime()
    policy_merge: dict[str, JsonValue] = Field(default_factory=dict)


class Dependencies(Record):
    services: tuple[JsonValue, ...] = ()


class TaskPolicy(Record):
    timeout_ms: PositiveInt | None = None
    network: str = "none"
    sandbox: str = "container"


class TrialInput(Record):
    """R3, trials/<trial_id>/trial_input.json (agent_task_v1). Names nothing of an official evaluation's data."""

    schema_version: Literal["agent_task_v1"] = "agent_task_v1"
    ids: Ids
    task: dict[str, JsonValue]
    bindings: dict[str, JsonValue] = Field(default_factory=dict)
    dependencies: Dependencies = Dependencies()
    policy: TaskPolicy = TaskPolicy()
    ext: dict[str, JsonValue] = Field(default_factory=dict)


class Objective(Record):
    name: str
    value: FiniteFloat
    direction: Literal["maximize", "minimize"] | None = None


class ResultError(Record):
    error_type: str
    message: str
    stack: str | None = None


class ResultArtifact(Record):
    path: str
    logical_name: str
    mime_type: str | None = None


class ResultExt(Record):
    """Our own part of a trial's result: the judgement, and the facts that an outcome shows beside it."""

    status: Status
    reason: str | None = None
    fault: Fault | None = None
    mode: Mode
    trust: Trust
    attempt: PositiveInt
    started_at: UtcTimestamp
    ended_at: UtcTimestamp
    wall_s: FiniteFloat | None = None
    memory_peak_bytes: NonNegativeInt | None = None
    usage: LimitUsage | None = None
    summary: SampleSummary = SampleSummary()
    subtasks: dict[str, SubtaskRecord] = Field(default_factory=dict)
    primary_metric: PrimaryMetric | None = None
    details: ErrorDetails | None = None
    timed_out: bool = False
    """Whether a container of the solution, or the trial as a whole, ran into a time limit."""
    load: MachineLoad | None = None
    """How busy the machine was during the attempt, where that was looked at."""
    setup: SetupRecord | None = None
    """How the attempt came by what the challenge's setup leaves, where that may be kept."""
    parent: dict[str, JsonValue] | None = None
    """Of a fork, a replay or a regrade: what it was made from. Of an attempt that goes on where a paused one stopped:
    from which attempt of which invocation, and from which checkpoints."""

    @model_validator(mode="after")
    def _a_bad_end_names_its_cause(self) -> Self:
        if self.status in {"failed", "error"} and self.reason is None:
            msg = f"status {self.status} needs a reason"
            raise ValueError(msg)
        if self.status == "error" and self.fault is None:
            msg = "status error needs a fault: challenge, infrastructure or user"
            raise ValueError(msg)
        if self.mode == "official" and self.subtasks:
            msg = "subtasks of an official evaluation are not recorded here"
            raise ValueError(msg)
        return self


class TrialResult(Record):
    """R3, trials/<trial_id>/result.json (agent_result_v1). Its presence is what makes a trial complete."""

    schema_version: Literal["agent_result_v1"] = "agent_result_v1"
    ids: Ids
    outcome: ResultOutcome
    metrics: dict[str, int | FiniteFloat | bool | str | None] = Field(default_factory=dict)
    objective: Objective | None = None
    artifacts: tuple[ResultArtifact, ...] = ()
    error: ResultError | None = None
    ext: ResultExt


class DigestOnly(Record):
    digest: Digest


class Manifest(Record):
    """manifest.json: written last when a run directory is made, so its presence says that the run exists."""

    schema_version: Literal["manifest_v1"] = "manifest_v1"
    run_id: str
    created_at: UtcTimestamp
    runner_version: str
    resolved_experiment: DigestOnly
    git: GitFacts | NoGit


class InvocationStarted(Record):
    """One evaluation or regrade of this run begins. `requested` maps a variant's directory to its task references;
    `public_challenges` a challenge's name to the document that everybody may see of it. `seal`: a
    code by which the user who began it recognises the run. Other users cannot check it. None where their home could
    keep no key."""

    kind: Literal["started"] = "started"
    invocation_id: str
    started_at: UtcTimestamp
    pid: int
    host: str
    agentics_version: str
    exit_policy: ExitPolicy
    variants: dict[str, str]
    requested: dict[str, tuple[str, ...]]
    invocation: Invocation
    git: GitFacts | NoGit
    resolved_experiment_ref: ArtifactRef
    limit: NonNegativeInt | None = None
    replications: PositiveInt = 1
    operation: str = "eval"
    public_challenges: dict[str, ArtifactRef] = Field(default_factory=dict)
    seal: str | None = None


class TaskSkipped(Record):
    """A requested slot for which no trial was made. A later trial of the same slot takes its place. `detail`: why, in
    words."""

    kind: Literal["skipped"] = "skipped"
    invocation_id: str
    variant: str
    task: str
    repl_idx: NonNegativeInt = 0
    reason: str
    detail: str | None = None
    at: UtcTimestamp


class InvocationEnded(Record):
    """`fatal` is the exit status that overrides the policy: an exception that stopped the run, or a signal."""

    kind: Literal["ended"] = "ended"
    invocation_id: str
    ended_at: UtcTimestamp
    duration_s: Annotated[FiniteFloat, Field(ge=0)]
    fatal: PositiveInt | None = None
    errors: tuple[ErrorRecord, ...] = ()


class OperationOpened(Record):
    """Written before an operation changes a run that was attested: from here on the attestation may be out of date."""

    kind: Literal["opened"] = "opened"
    operation: str
    pid: int
    host: str
    at: UtcTimestamp


class RunAttested(Record):
    """attestation.json was written; `digest` is the one that it has of itself."""

    kind: Literal["attested"] = "attested"
    digest: Digest
    at: UtcTimestamp


class Alteration(Record):
    """A file that is not what it was. `path` is relative to the run directory; `line` counts from 1, null for the whole
    file; the digests are of the whole file, where they are known."""

    path: str
    line: PositiveInt | None = None
    what: str
    expected: str | None = None
    found: str | None = None


class AlterationsAccepted(Record):
    """An operation was told to go on although the run was altered (`--accept-alterations`)."""

    kind: Literal["alterations_accepted"] = "alterations_accepted"
    operation: str
    alterations: tuple[Alteration, ...]
    at: UtcTimestamp


InvocationEntry = Annotated[
    InvocationStarted | TaskSkipped | InvocationEnded | OperationOpened | RunAttested | AlterationsAccepted,
    Field(discriminator="kind"),
]


class InvocationLine(RootModel[InvocationEntry]):
    """One line of runtime/invocations.jsonl."""


class LockOwner(Record):
    """Who holds runtime/operation.lock, for the message to whoever is refused. The lock itself is the kernel's."""

    pid: int
    host: str
    operation: str
    acquired_at: UtcTimestamp


DOCUMENTS: dict[str, type[BaseModel]] = {
    "invocation": InvocationLine,
    "run_control": RunControl,
    "trial_state": TrialState,
    "trial_metadata": TrialMetadata,
    "trial_input": TrialInput,
    "trial_result": TrialResult,
    "manifest": Manifest,
}
