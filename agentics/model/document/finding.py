"""What a check found: one place in one file, a stable code, and what to do."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Any, Literal

from agentics.errors import AgenticsError, BenchmarkError, InvalidDocument, RunAltered

_POINTER_SHOWN = 60


@dataclass(frozen=True, kw_only=True)
class Finding:
    """`pointer` is an RFC 6901 JSON pointer ("" is the whole document); line and column count from 1, and 0 means the
    file as a whole."""

    code: str
    message: str
    file: str
    line: int = 0
    column: int = 0
    pointer: str = ""
    hint: str | None = None
    severity: Literal["error", "warning"] = "error"


def error_body(error: AgenticsError) -> dict[str, Any]:
    """What envelopes say of an error: `code`, `message`, `hint`, and `details` with the exit status and findings."""
    details: dict[str, Any] = {"exit_status": error.exit_status}
    if isinstance(error, InvalidDocument | BenchmarkError | RunAltered):
        details["findings"] = [asdict(finding) for finding in error.findings if isinstance(finding, Finding)]
    return {"code": error.code, "message": error.message, "hint": error.hint, "details": details}


def shown_pointer(pointer: str) -> str:
    """The pointer as people read it: at most 60 characters. A longer one lacks its middle: both ends say the most."""
    if len(pointer) <= _POINTER_SHOWN:
        return pointer
    end = _POINTER_SHOWN // 2
    return f"{pointer[: _POINTER_SHOWN - end - 1]}…{pointer[-end:]}"
