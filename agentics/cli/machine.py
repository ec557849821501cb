"""`agentics doctor` and `agentics clean`: is this machine fit to evaluate, and what was left behind on it."""

from __future__ import annotations

import sys
from dataclasses import asdict
from typing import Annotated

import typer
from rich.markup import escape

from agentics import config as configuration
from agentics.cli.console import one_line, out, print_json
from agentics.runner.doctor import examine
from agentics.runner.machine import clean as clean_machine

DOCTOR_EPILOG = """
Exit codes: 0 fit · 5 something that evaluations need is missing.

Examples:

  agentics doctor

  agentics doctor --json
"""

CLEAN_EPILOG = """
Example:

  agentics clean
"""


def register(app: typer.Typer) -> None:
    app.command("doctor", epilog=DOCTOR_EPILOG)(doctor)
    app.command("clean", epilog=CLEAN_EPILOG)(clean)


def doctor(json: Annotated[bool, typer.Option("--json", help="One JSON object on stdout.")] = False) -> None:
    """Check everything that evaluations need of this machine, with a fix for each line that fails."""
    checks = examine(configuration.load())
    fit = all(check.ok or check.severity == "warning" for check in checks)
    if json:
        print_json({"ok": fit, "checks": [asdict(check) for check in checks]})
    else:
        for check in checks:
            mark = "[green]✓[/]" if check.ok else "[yellow]![/]" if check.severity == "warning" else "[red]✗[/]"
            out.print(f"{mark} [bold]{check.name}[/]: {escape(one_line(check.detail))}")
            if not check.ok and check.fix:
                out.print(f"    [cyan]fix:[/] {escape(one_line(check.fix))}")
    sys.exit(0 if fit else 5)


def clean(
    everything: Annotated[
        bool, typer.Option("--all", help="Also what living evaluations use: they will fail and try again.")
    ] = False,
) -> None:
    """Remove containers and scratch space that dead evaluations left on this machine. Run directories stay."""
    containers, places = clean_machine(configuration.load(), everything=everything)
    out.print(f"removed {containers} containers and {places} scratch directories")
