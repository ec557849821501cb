"""How an expected failure is told: a block for people on stderr, one envelope for programs on stdout."""

from __future__ import annotations

import os
import sys
import traceback
from typing import Any

from rich.markup import escape

from agentics.cli.console import err, one_line
from agentics.cli.findings import show_findings
from agentics.errors import AgenticsError
from agentics.model.document.finding import Finding, error_body


def hidden(text: str) -> str:
    """A text without secrets: passwords by their place, and those of the command line and the environment by value."""
    from agentics.policy.publish.redact import Redactor, secrets_in  # noqa: PLC0415 - 0.2 s, needed where something failed only

    return Redactor(secrets_in(sys.argv, os.environ)).text(text)


def show_error(error: AgenticsError) -> None:
    """What, where, and the mend; nothing twice."""
    findings = [f for f in getattr(error, "findings", ()) if isinstance(f, Finding)]
    message = error.message if not findings else f"{len(findings)} finding{'s' * (len(findings) > 1)}"
    err.print(f"[red bold]error[/] [bold]{escape(one_line(error.code))}[/]: {escape(one_line(hidden(message), 2000))}")
    show_details(error)


def show_details(error: AgenticsError) -> None:
    """Print the findings with their places, and the hint."""
    findings = [f for f in getattr(error, "findings", ()) if isinstance(f, Finding)]
    show_findings(findings)
    if error.hint and error.hint not in {finding.hint for finding in findings}:
        err.print(f"  [cyan]hint:[/] {escape(one_line(hidden(error.hint), 1000))}")


def envelope(error: AgenticsError) -> dict[str, Any]:
    """The one JSON object of a command that failed before it had a result."""
    run, body = getattr(error, "run", None), error_body(error)
    said = {key: value and hidden(value) for key, value in body.items() if key in ("message", "hint")}
    return {"ok": False, **({"run": run} if run else {}), "error": {**body, **said}}


def show_bug(bug: Exception) -> None:
    """Print the traceback of an error in agentics itself on stderr. Secrets are replaced."""
    err.out(hidden("".join(traceback.format_exception(bug))), end="", highlight=False)


def unexpected(bug: Exception) -> dict[str, Any]:
    """The envelope of a bug of ours. What it says may quote private data: only the traceback, on stderr, has it."""
    message = f"an error in agentics itself: {type(bug).__name__}"
    details = {"exit_status": AgenticsError.exit_status}
    body = {"code": "internal_error", "message": message, "hint": "stderr has the traceback", "details": details}
    return {"ok": False, "error": body}
