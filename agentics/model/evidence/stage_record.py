"""What is kept of stages: a record for each, and the events of a trace. One closed list of event types, here."""

from __future__ import annotations

from typing import Any, Literal

from pydantic import Field

from agentics.model.document.record import Record

StageStatus = Literal["completed", "failed", "skipped"]
EventType = Literal[
    "stage_started",
    "stage_completed",
    "stage_failed",
    "stage_skipped",
    "decision",
    "note",
]


class StageError(Record):
    """Why a stage failed. `traceback` is of an exception that nobody expected; neither text is for the public."""

    code: str
    message: str
    traceback: str | None = None


class StageRecord(Record):
    """One stage of one run, written when it has ended. Times are UTC, the duration is of a clock that nobody sets."""

    name: str
    status: StageStatus
    started_at: str
    ended_at: str
    duration_ms: int = Field(ge=0)
    error: StageError | None = None


class TraceEvent(Record):
    """One thing that was decided or happened, and why. `confidence` from 0 to 1, where there is any to state."""

    id: str
    timestamp: str
    type: EventType
    decision: str
    alternatives: tuple[str, ...] = ()
    reasoning: str = ""
    confidence: float | None = Field(default=None, ge=0, le=1)
    code_section: str | None = None
    spec_reference: str | None = None
    metadata: dict[str, Any] = Field(default_factory=dict)
    parent_id: str | None = None
    depends_on: tuple[str, ...] = ()
    stage_id: str | None = None
    experiment_id: str


class ConfidenceStatistics(Record):
    """Of the events that state a confidence; None where no event does."""

    count: int
    mean: float | None = None
    least: float | None = None
    most: float | None = None


class TraceChain(Record):
    """The events of one run, in the order in which they happened."""

    id: str
    name: str
    description: str = ""
    events: tuple[TraceEvent, ...] = ()
    metadata: dict[str, Any] = Field(default_factory=dict)
    created_at: str
    updated_at: str
    statistics: dict[str, int] = Field(default_factory=dict)


class PipelineRun(Record):
    """How a run of a pipeline stands. `metadata` has the `failure` {stage, reason} and the assigns declared public."""

    schema_version: Literal["pipeline_run_v1"] = "pipeline_run_v1"
    experiment_id: str
    run_id: str
    status: Literal["running", "completed", "failed"]
    started_at: str
    ended_at: str | None = None
    completed_stages: tuple[str, ...] = ()
    metrics: dict[str, Any] = Field(default_factory=dict)
    outputs: tuple[Any, ...] = ()
    artifacts: dict[str, Any] = Field(default_factory=dict)
    metadata: dict[str, Any] = Field(default_factory=dict)


DOCUMENTS: dict[str, type[Record]] = {
    "pipeline_run": PipelineRun,
    "stage_record": StageRecord,
    "trace_chain": TraceChain,
    "trace_event": TraceEvent,
}
