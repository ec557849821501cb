"""What commands answer, as types. A key that a later version adds is kept, and is had by `response["key"]`."""

from __future__ import annotations

from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, Field, JsonValue

from agentics.model.evidence.explanation import Explanation
from agentics.model.run.outcome import RunOutcome


class RawResponse(BaseModel):
    """Frozen, and open to keys that this version does not know."""

    model_config = ConfigDict(frozen=True, extra="allow")

    def __getitem__(self, key: str) -> Any:  # noqa: ANN401 - JSON, or a type of this module
        """The value of a key, known here or not. Raises KeyError."""
        return getattr(self, key) if key in type(self).model_fields else (self.model_extra or {})[key]


class Response(RawResponse):
    """An envelope. `ok` false is an answer, too: the policy of a run was not met, or a gate is closed."""

    ok: bool
    command: str


class RunPlace(RawResponse):
    run_id: str
    run_dir: str


class RunResponse(Response):
    """How an evaluation, an experiment or a job ended. `outcomes` is by variant name; `explanations` by variant name
    and task, one for each trial that is not passed; `suites`: by model, what a job's suite came to."""

    run: RunPlace
    exit_code: int | None = None
    outcomes: dict[str, RunOutcome] = Field(default_factory=dict)
    explanations: dict[str, dict[str, tuple[Explanation, ...]]] = Field(default_factory=dict)
    suites: dict[str, dict[str, JsonValue]] = Field(default_factory=dict)


class Paused(RawResponse):
    """`checkpoint_acked` and `stop_acked`: the solution itself said so. A frozen one was never asked."""

    run_id: str
    trial_ids: tuple[str, ...] = ()
    label: str | None = None
    pause_mode: Literal["cooperative", "frozen"]
    checkpoint_acked: bool
    stop_acked: bool


class PauseResponse(Response):
    pause: Paused


class Resumed(RawResponse):
    trial_id: str | None = None
    mode: Literal["runtime_unpause", "checkpoint", "restart"]


class ResumeResponse(Response):
    resume: Resumed


class Forked(RawResponse):
    fork_id: str | None = None
    fork_dir: str | None = None
    parent_trial_id: str
    selector: str
    strict: bool
    source_checkpoint: JsonValue = None
    fallback_mode: str | None = None
    replay_grade: str | None = None
    harness_status: str | None = None


class ForkResponse(Response):
    fork: Forked


class Replayed(RawResponse):
    replay_id: str
    replay_dir: str
    parent_trial_id: str
    strict: bool
    replay_grade: str | None = None
    harness_status: str | None = None


class ReplayResponse(Response):
    replay: Replayed


class KillResponse(Response):
    kill: dict[str, JsonValue]
