"""What controllers ask of a living runner, what it answers, and the manifests of what was made from a trial."""

from __future__ import annotations

from typing import Literal

from pydantic import Field, FiniteFloat, JsonValue, NonNegativeInt

from agentics.model.document.record import Record
from agentics.model.run.design import Integration
from agentics.model.run.outcome import UtcTimestamp

Operation = Literal["pause", "resume", "kill", "continue", "recover", "fork", "replay", "regrade"]
PauseMode = Literal["cooperative", "frozen", "mixed"]
ReplayGrade = Literal["strict", "checkpointed", "best_effort", "none"]


class ControlRequest(Record):
    """runtime/requests/<operation_id>.request.json. `trial_id` None: every trial that is active."""

    schema_version: Literal["control_request_v1"] = "control_request_v1"
    operation_id: str
    action: Literal["pause", "resume", "kill"]
    trial_id: str | None = None
    label: str | None = None
    timeout_s: FiniteFloat = 60.0
    requested_at: UtcTimestamp
    requested_by: str

    @property
    def called(self) -> str:
        """What a pause is called, everywhere: its label, or the id of the operation where it was given none."""
        return self.label or self.operation_id


class ControlResponse(Record):
    """runtime/requests/<operation_id>.response.json. `code` is null exactly when what was asked is done. `label`: what
    a pause is called."""

    schema_version: Literal["control_response_v1"] = "control_response_v1"
    operation_id: str
    code: str | None = None
    message: str | None = None
    trial_ids: tuple[str, ...] = ()
    pause_mode: PauseMode | None = None
    label: str | None = None
    checkpoint_acked: bool = False
    stop_acked: bool = False
    answered_at: UtcTimestamp


class ReplayManifest(Record):
    """replays/<replay_id>/manifest.json. `differences`: what is no longer as it was recorded; `source_checkpoint`: the
    newest one that the parent's cases had gone on from, and the replay's too."""

    schema_version: Literal["replay_manifest_v1"] = "replay_manifest_v1"
    operation: Literal["replay"] = "replay"
    replay_id: str
    parent_trial_id: str
    strict: bool
    integration_level: Integration
    replay_grade: ReplayGrade
    created_at: UtcTimestamp
    differences: tuple[str, ...] = ()
    source_checkpoint: str | None = None


class ReuseStep(Record):
    """What a fork or a regrade does with one stage of its parent, and why."""

    stage: str
    action: Literal["reuse", "rerun"]
    reason: str


class ForkManifest(Record):
    """forks/<fork_id>/manifest.json."""

    schema_version: Literal["fork_manifest_v1"] = "fork_manifest_v1"
    operation: Literal["fork"] = "fork"
    fork_id: str
    parent_trial_id: str
    selector: str
    source_checkpoint: str | None
    fallback_mode: Literal["checkpoint", "input_only"]
    strict: bool
    integration_level: Integration
    replay_grade: ReplayGrade
    created_at: UtcTimestamp
    bindings: dict[str, JsonValue] = Field(default_factory=dict)
    reuse: tuple[ReuseStep, ...] = ()


class ScoreChange(Record):
    """What evaluating again says of one trial, beside what was said before. Null: no verdict."""

    trial_id: str
    variant_id: str
    task_id: str
    repl_idx: NonNegativeInt
    status_before: str | None
    status_after: str | None
    metric_name: str | None = None
    value_before: FiniteFloat | None = None
    value_after: FiniteFloat | None = None
    skipped: str | None = None
    """Why this trial was not evaluated again."""


class RegradeManifest(Record):
    """regrades/<regrade_id>.json: an evaluator's second opinion. The old results stay in their attempts."""

    schema_version: Literal["regrade_manifest_v1"] = "regrade_manifest_v1"
    operation: Literal["regrade"] = "regrade"
    regrade_id: str
    created_at: UtcTimestamp
    bundle_digests: dict[str, str]
    changes: tuple[ScoreChange, ...]


DOCUMENTS: dict[str, type[Record]] = {
    "control_request": ControlRequest,
    "control_response": ControlResponse,
    "replay_manifest": ReplayManifest,
    "fork_manifest": ForkManifest,
    "regrade_manifest": RegradeManifest,
}
