"""`agentics run rebuild`: make every projection of a run again from what the run holds."""

from __future__ import annotations

from typing import Annotated

import typer
from rich.markup import escape

from agentics.cli.arguments import AcceptAlterations, RunDir
from agentics.cli.console import err, leave, one_line, out, print_json
from agentics.rundir.projections.rebuild import compare
from agentics.usecases import control_run

EPILOG = """
Projections are the outcome, summary and task status of every variant, public/ and analysis/. A file that is as the run
would make it is left alone, whenever it was written.

Exit codes: 0 done, or with --check nothing differs · 1 with --check something does.

Example:

  agentics run rebuild outputs/nightly --check
"""


def add(app: typer.Typer) -> None:
    """Register the command with the noun `run`."""
    app.command("rebuild", epilog=EPILOG)(rebuild)


def rebuild(
    run: RunDir,
    check: Annotated[bool, typer.Option("--check", help="Change nothing; exit 1 when something would be.")] = False,
    accept_alterations: AcceptAlterations = False,
    json: Annotated[bool, typer.Option("--json", help="One JSON object on stdout.")] = False,
) -> None:
    """Make every projection of a run again."""
    if not check:
        written = control_run.rebuild(run, accept_alterations=accept_alterations)
        if json:
            print_json({"ok": True, "command": "rebuild", "check": False, "written": list(written)})
        else:
            _list("written", written)
        return
    found = compare(run)
    if json:
        print_json(_envelope([(each.path, each.text) for each in found]))
    else:
        for each in found:
            err.print(f"[red]differs[/] [bold]{escape(one_line(each.path))}[/]: {escape(each.text)}")
        _list("differ", tuple(each.path for each in found))
    leave(1 if found else 0)


def _envelope(found: list[tuple[str, str]]) -> dict[str, object]:
    differ = [{"path": path, "what": what} for path, what in found]
    body: dict[str, object] = {"ok": not found, "command": "rebuild", "check": True, "differ": differ}
    if found:
        path, what = found[0]
        hint = "agentics run rebuild writes it again"
        details = {"exit_status": 1, "path": path}
        body["error"] = {"code": "projection_differs", "message": f"{path}: {what}", "hint": hint, "details": details}
    return body


def _list(word: str, paths: tuple[str, ...]) -> None:
    for path in paths:
        out.print(escape(one_line(path)))
    out.print(f"{len(paths)} {word}")
