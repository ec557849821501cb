"""What a run tells while it goes on. For people: nothing is decided on it, and nothing is kept of it."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

ProgressKind = Literal[
    "run_started",
    "trial_started",
    "stage_started",
    "stage_finished",
    "case_finished",
    "samples_done",
    "setup_waiting",
    "setup_finished",
    "attempt_failed",
    "trial_finished",
    "load_doubtful",
    "trial_skipped",
    "trial_reused",
    "image_step",
    "image_over",
    "note",
]


@dataclass(frozen=True, kw_only=True)
class Progress:
    """One thing that happened. `facts` by kind: stage, case, done, total, status, reason, text, limit_s, image, …
    `replication` counts from 1, where there is more than one."""

    kind: ProgressKind
    trial_id: str | None = None
    task: str | None = None
    variant: str | None = None
    replication: int | None = None
    facts: Mapping[str, Any] = field(default_factory=dict)


Observer = Callable[[Progress], None]


def silent(_: Progress) -> None:
    """For callers that look at the run directory instead."""
