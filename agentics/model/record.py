"""The base of what we write ourselves, and the words that every record shares."""

from __future__ import annotations

from typing import Literal

from pydantic import BaseModel, ConfigDict, NonNegativeInt

Fault = Literal["participant", "challenge", "infrastructure", "user"]
Status = Literal["passed", "degraded", "failed", "error", "no_samples", "skipped", "pending"]
Mode = Literal["validation", "official"]
Trust = Literal["isolated", "shared_container", "model_worker"]
"""model_worker: the model, its plugins and the metrics share one process, whose owner is the operator."""


class Record(BaseModel):
    """Frozen and closed: a key that the model does not know is a damaged file."""

    model_config = ConfigDict(frozen=True, extra="forbid", defer_build=True)


class Ids(Record):
    """Which trial a record belongs to. `task_id` is the full task reference, `variant_id` the variant's name."""

    model_config = ConfigDict(strict=True)  # adapters write these, and "0" is no number

    run_id: str
    trial_id: str
    variant_id: str
    task_id: str
    repl_idx: NonNegativeInt
