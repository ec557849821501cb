"""What a cooperative solution is told and what it answers: the control file, its task, and hook events.

Hook events are written by participants. The models take what they need of a line and leave any other key alone.
"""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field, RootModel

from agentics.model.document.record import Record

Action = Literal["continue", "checkpoint", "stop"]
Requester = Literal["run_loop", "lab_pause"]
Index = Annotated[int, Field(ge=0, lt=1 << 53)]
Word = Annotated[str, Field(max_length=1000)]


class ControlPlane(Record):
    """`control.json`. Its version is the SHA-256 of the file's bytes, in hex."""

    schema_version: Literal["control_plane_v1"] = "control_plane_v1"
    seq: int
    action: Action
    label: str | None
    requested_at: str
    requested_by: Requester


class CaseTask(Record):
    """`task.json`: what the solution may know of what it is run on. `alias` names the case to nobody."""

    schema_version: Literal["case_task_v1"] = "case_task_v1"
    challenge_name: str
    target: str
    alias: str


class Hook(BaseModel):
    """One line of the events file. `seq` increases from line to line; `ts` is the solution's own clock."""

    model_config = ConfigDict(frozen=True, extra="ignore", strict=True, defer_build=True)

    schema_version: Literal["hook_events_v1"] = "hook_events_v1"
    seq: Index
    ts: Word | None = None


class StepStart(Hook):
    event_type: Literal["agent_step_start"]
    step_index: Index


class StepEnd(Hook):
    event_type: Literal["agent_step_end"]
    step_index: Index


class ControlAck(Hook):
    """The control file was read after this step. `control_version` may have `sha256:` before its hex."""

    event_type: Literal["control_ack"]
    step_index: Index
    control_version: Word
    control_seq: Index | None = None
    action_observed: Action
    action_taken: Word | None = None
    reason: Word | None = None

    def answers(self, action: Action, version: str) -> bool:
        return self.action_observed == action and self.control_version.removeprefix("sha256:") == version


class ModelCallEnd(Hook):
    event_type: Literal["model_call_end"]


class ToolCallEnd(Hook):
    event_type: Literal["tool_call_end"]


class HookError(Hook):
    event_type: Literal["error"]


class HookEvent(
    RootModel[
        Annotated[
            StepStart | StepEnd | ControlAck | ModelCallEnd | ToolCallEnd | HookError,
            Field(discriminator="event_type"),
        ]
    ]
):
    """Any of the events, by its `event_type`."""


class CheckpointFacts(BaseModel):
    """`checkpoint.json` inside a checkpoint, if the solution wrote one."""

    model_config = ConfigDict(frozen=True, extra="ignore", strict=True, defer_build=True)

    step: Index | None = None
    label: Word | None = None


DOCUMENTS: dict[str, type[BaseModel]] = {
    "control_plane": ControlPlane,
    "case_task": CaseTask,
    "hook_event": HookEvent,
}
