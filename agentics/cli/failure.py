"""How an expected failure is told: a block for people on stderr, one envelope for programs on stdout."""

from __future__ import annotations

from dataclasses import asdict
from typing import Any

from rich.markup import escape

from agentics.cli.console import err, one_line
from agentics.cli.findings import show_findings
from agentics.errors import AgenticsError, BenchmarkError, InvalidDocument, RunAltered
from agentics.model.finding import Finding


def show_error(error: AgenticsError) -> None:
    """What, where, and the mend; nothing twice."""
    findings = [f for f in getattr(error, "findings", ()) if isinstance(f, Finding)]
    message = error.message if not findings else f"{len(findings)} finding{'s' * (len(findings) > 1)}"
    err.print(f"[red bold]error[/] [bold]{error.code}[/]: {escape(one_line(message, 2000))}")
    show_findings(findings)
    if error.hint and error.hint not in {finding.hint for finding in findings}:
        err.print(f"  [cyan]hint:[/] {escape(one_line(error.hint, 1000))}")


def envelope(error: AgenticsError) -> dict[str, Any]:
    """The one JSON object of a command that failed before it had a result."""
    details: dict[str, Any] = {"exit_status": error.exit_status}
    if isinstance(error, InvalidDocument | BenchmarkError | RunAltered):
        details["findings"] = [asdict(finding) for finding in error.findings if isinstance(finding, Finding)]
    body = {"code": error.code, "message": error.message, "hint": error.hint, "details": details}
    return {"ok": False, "error": body}


def unexpected(bug: Exception) -> dict[str, Any]:
    """The envelope of a bug of ours. What it says may quote private data: only the traceback, on stderr, has it."""
    message = f"an error in agentics itself: {type(bug).__name__}"
    details = {"exit_status": AgenticsError.exit_status}
    body = {"code": "internal_error", "message": message, "hint": "stderr has the traceback", "details": details}
    return {"ok": False, "error": body}
