"""How an expected failure is told: a block for people on stderr, one envelope for programs on stdout."""

from __future__ import annotations

from dataclasses import asdict
from typing import Any

from rich.markup import escape

from agentics.cli.console import err, one_line
from agentics.cli.report import show_findings
from agentics.errors import AgenticsError, InvalidDocument
from agentics.model.finding import Finding


def show_error(error: AgenticsError) -> None:
    """What, where, and the mend."""
    err.print(f"[red bold]error[/] [bold]{error.code}[/]: {escape(one_line(error.message, 2000))}")
    if isinstance(error, InvalidDocument):
        show_findings(finding for finding in error.findings if isinstance(finding, Finding))
    if error.hint:
        err.print(f"  [cyan]hint:[/] {escape(one_line(error.hint, 1000))}")


def envelope(error: AgenticsError) -> dict[str, Any]:
    """The one JSON object of a command that failed before it had a result."""
    details: dict[str, Any] = {"exit_status": error.exit_status}
    if isinstance(error, InvalidDocument):
        details["findings"] = [asdict(finding) for finding in error.findings if isinstance(finding, Finding)]
    body = {"code": error.code, "message": error.message, "hint": error.hint, "details": details}
    return {"ok": False, "error": body}
