"""The report of a shared container's supervisor, read as hostile text: JSON lines, each a fact or a part of a log."""

from __future__ import annotations

import base64
from collections.abc import Iterator

from pydantic import Field

from agentics.model.document.record import Record
from agentics.model.evidence.trial_evidence import SharedUse, UsedUp

MOST_KINDS = 16
_COUNTED = {"runs", "refused", "log_bytes", "left_behind", "users_apart"}
_COUNT = Field(default=None, ge=0, le=2**53)


class _Used(Record):
    resource: str = Field(pattern=r"^[a-z_]{1,32}$")
    used: int = Field(ge=0, le=2**53)
    limit: int = Field(ge=0, le=2**53)


class _Line(Record):
    """What is in it replaces what an earlier line said, but parts of the log and used up resources add up."""

    runs: int | None = _COUNT
    refused: int | None = _COUNT
    log_bytes: int | None = _COUNT
    left_behind: bool | None = None
    users_apart: bool | None = None
    log: str | None = None
    used_up: _Used | None = None
    evaluator: dict[str, int] | None = None


def read_report(report: bytes) -> tuple[SharedUse, bytes]:
    """What was reported, and the log of the solution. A line that is none of these is left out."""
    use, log, found = SharedUse(), bytearray(), dict[str, UsedUp]()
    for line in _lines(report):
        counted = line.model_dump(include=_COUNTED, exclude_none=True)
        use = use.model_copy(update=counted)
        if line.log is not None:
            log += _decoded(line.log)
        if line.used_up is not None and len(found) < MOST_KINDS:
            found[line.used_up.resource] = UsedUp(**line.used_up.model_dump())
    seen = max(use.log_bytes, len(log))
    facts = {"log_bytes": seen, "log_truncated": seen > len(log), "used_up": tuple(found.values())}
    return use.model_copy(update=facts), bytes(log)


def _lines(report: bytes) -> Iterator[_Line]:
    for line in report.split(b"\n"):
        try:
            yield _Line.model_validate_json(line, strict=True)
        except ValueError:
            continue


def _decoded(text: str) -> bytes:
    try:
        return base64.b64decode(text, validate=True)
    except ValueError:
        return b""
