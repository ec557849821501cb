"""What one trial came to: its status, why, and whose fault it is when there is no clean verdict."""

from __future__ import annotations

from typing import Literal

from agentics.model.document.record import Fault, Record, Status


class Verdict(Record):
    """`outcome` is the word of the trial's own result; `status` that of the run's outcome."""

    status: Status
    reason: str | None = None
    fault: Fault | None = None
    detail: str | None = None
    outcome: Literal["success", "failure", "missing", "error"]
    retryable: bool = False
