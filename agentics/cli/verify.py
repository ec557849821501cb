"""`agentics run verify`: is everything in a run directory still what it was."""

from __future__ import annotations

from typing import Annotated

import typer
from rich.markup import escape

from agentics.cli.arguments import RunDir
from agentics.cli.console import err, leave, one_line, out, print_json
from agentics.model.run.directory import Alteration
from agentics.rundir.integrity.verify import Verified, verify

EPILOG = """
Every artifact, ledger, record and projection is held against the digests that the run keeps of them; what is wrong
first is named first. Out of scope: locks, leases, requests of controllers, and runtime/eval.log.

Exit codes: 0 everything is as it was · 1 something was altered, or is missing.

Example:

  agentics run verify outputs/nightly
"""


def add(app: typer.Typer) -> None:
    """Register the command with the noun `run`."""
    app.command("verify", epilog=EPILOG)(check)


def check(
    run: RunDir,
    json: Annotated[bool, typer.Option("--json", help="One JSON object on stdout.")] = False,
) -> None:
    """Recompute every digest and chain of a run, and name what was altered."""
    found = verify(run)
    if json:
        print_json(_envelope(found))
    else:
        _show(found)
    leave(1 if found.altered else 0)


def _envelope(found: Verified) -> dict[str, object]:
    body: dict[str, object] = {
        "ok": not found.altered,
        "command": "verify",
        "run_id": found.run_id,
        "files": found.files,
        "altered": [each.model_dump() for each in found.altered],
        "accepted": [each.model_dump() for each in found.accepted],
        "notes": list(found.notes),
    }
    if found.altered:
        first = found.altered[0]
        details = {"exit_status": 1, **first.model_dump()}
        message = f"{_where(first)}: {first.what}"
        body["error"] = {"code": "altered", "message": message, "hint": None, "details": details}
    return body


def _show(found: Verified) -> None:
    for each in found.altered:
        err.print(f"[red]altered[/] [bold]{escape(one_line(_where(each)))}[/]: {escape(one_line(each.what))}")
        if each.expected is not None:
            err.print(
                f"    expected {escape(one_line(each.expected))}, found {escape(one_line(each.found or 'nothing'))}"
            )
    for each in found.accepted:
        err.print(f"[yellow]accepted[/] {escape(one_line(_where(each)))}: {escape(one_line(each.what))}")
    for note in found.notes:
        err.print(f"[yellow]note[/] {escape(one_line(note))}")
    number = len(found.altered)
    verdict = f"{number} altered" if number else f"nothing {'else ' if found.accepted else ''}was altered"
    out.print(f"{found.files} files looked at, {verdict}")


def _where(each: Alteration) -> str:
    return each.path if each.line is None else f"{each.path}:{each.line}"
