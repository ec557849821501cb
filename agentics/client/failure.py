"""What a call that failed says."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from agentics.errors import AgenticsError


@dataclass(frozen=True, kw_only=True)
class Exited:
    """A command that was started, or was to be: `exit_code` None while it runs or where it could not be started.

    `exit_code` is negative for a signal; `stderr` is the end of what it wrote there."""

    command: tuple[str, ...]
    exit_code: int | None = None
    stderr: str = ""


@dataclass(frozen=True, kw_only=True)
class Cause:
    """Why: `code` is the envelope's own, or one of ours where there is no envelope to be had."""

    code: str
    message: str
    hint: str | None = None
    details: Mapping[str, Any] = field(default_factory=dict)


class ClientError(AgenticsError):
    """A call failed, or what it left cannot be read.

    Codes of the client: `spawn_failed`, `runner_exit_nonzero` (and no envelope), `empty_payload`, `invalid_json`,
    `invalid_payload`; of its readers `missing_file`, `damaged_file`. Any other is the envelope's. `exit_code` is None
    where no process ended.
    """

    def __init__(self, cause: Cause, exited: Exited | None = None) -> None:
        super().__init__(cause.message, code=cause.code, hint=cause.hint)
        self.details = dict(cause.details)
        self.exit_code = exited.exit_code if exited else None
        self.command: Sequence[str] = exited.command if exited else ()
        self.stderr = exited.stderr if exited else ""
