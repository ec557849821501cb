"""`agentics doctor` and `agentics clean`: is this machine fit to evaluate, and what was left behind on it."""

from __future__ import annotations

from dataclasses import asdict
from typing import Annotated

import typer
from rich.markup import escape

from agentics import config as configuration
from agentics.cli.arguments import NameReader
from agentics.cli.console import leave, one_line, out, print_json
from agentics.cli.failure import hidden
from agentics.errors import UsageError
from agentics.runner.machine import clean as clean_machine
from agentics.runner.machine import clean_setups
from agentics.sandbox.kept_setups import size_text
from agentics.usecases.doctor import examine

DOCTOR_EPILOG = """
Exit codes: 0 fit · 5 something that evaluations need is missing. With --attack: 0 no case failed · 1 a case failed ·
5 no container engine.

Examples:

  agentics doctor

  agentics doctor --json

  agentics doctor --setups

  agentics doctor --attack

  agentics doctor --attack --full --json

  agentics doctor --attack --case piped/c32_fills_its_place
"""

CLEAN_EPILOG = """
Exit codes: 0 nothing is left · 5 a directory that only its owner or root can remove is left.

Examples:

  agentics clean

  agentics clean --setups
"""


def register(app: typer.Typer) -> None:
    app.command("doctor", epilog=DOCTOR_EPILOG)(doctor)
    app.command("clean", epilog=CLEAN_EPILOG)(clean)


def _attack(names: list[str] | None, *, full: bool, as_json: bool) -> int:
    from agentics.attacks.catalogue import cases, named  # noqa: PLC0415 - see tests/test_budgets.py
    from agentics.cli import attack  # noqa: PLC0415

    return attack.run(named(names) if names else cases(full=full), as_json=as_json)


def doctor(
    setups: Annotated[bool, typer.Option("--setups", help="Read every byte that is kept of challenge setups.")] = False,
    attacked: Annotated[
        bool, typer.Option("--attack", help="Run the quick half of the attack suite: hostile solutions and files.")
    ] = False,
    full: Annotated[bool, typer.Option("--full", help="With --attack: the whole suite.")] = False,
    case: Annotated[
        list[str] | None,
        typer.Option(
            "--case",
            parser=NameReader("--case"),
            metavar="GROUP/CASE",
            help="With --attack: only this case. Can be repeated.",
        ),
    ] = None,
    json: Annotated[bool, typer.Option("--json", help="One JSON object on stdout.")] = False,
) -> None:
    """Check everything that evaluations need of this machine, with a fix for each line that fails; or attack it."""
    if attacked:
        if setups:
            msg = "--setups and --attack are two examinations"
            raise UsageError(msg, hint="ask for one at a time")
        if full and case:
            msg = "--full is the whole suite, and --case a part of it"
            raise UsageError(msg, hint="leave one of them out")
        leave(_attack(case, full=full, as_json=json))
    if full or case:
        msg = f"{'--full' if full else '--case'} is an option of --attack"
        raise UsageError(msg, hint="add --attack")
    checks = examine(configuration.load(), whole_setups=setups)
    fit = all(check.ok or check.severity == "warning" for check in checks)
    if json:
        told = [{**asdict(check), "detail": hidden(check.detail)} for check in checks]
        print_json({"ok": fit, "checks": told})
    else:
        for check in checks:
            mark = "[green]✓[/]" if check.ok else "[yellow]![/]" if check.severity == "warning" else "[red]✗[/]"
            out.print(f"{mark} [bold]{check.name}[/]: {escape(one_line(hidden(check.detail)))}")
            if not check.ok and check.fix:
                out.print(f"    [cyan]fix:[/] {escape(one_line(check.fix))}")
    leave(0 if fit else 5)


def clean(
    everything: Annotated[
        bool, typer.Option("--all", help="Also what living evaluations use: they will fail and try again.")
    ] = False,
    setups: Annotated[
        bool, typer.Option("--setups", help="Also what is kept of challenge setups: the next ones run again.")
    ] = False,
    json: Annotated[bool, typer.Option("--json", help="One JSON object on stdout.")] = False,
) -> None:
    """Remove containers and scratch space that dead evaluations left on this machine. Run directories stay."""
    config = configuration.load()
    gone = clean_setups(config) if setups else None
    if gone is not None and not json:
        in_use = f"; {gone.in_use} in use stayed" if gone.in_use else ""
        out.print(f"kept setups: removed {gone.count} ({size_text(gone.bytes)}){in_use}", highlight=False)
    done = clean_machine(config, everything=everything)
    if json:
        kept = asdict(gone) if gone is not None else None
        facts = {**asdict(done), "left": [*map(str, done.left)], "setups": kept}
        print_json({"ok": not done.left, "command": "clean", **facts})
    else:
        out.print(f"removed {done.containers} containers and {done.scratch_directories} scratch directories")
        for path in done.left:
            out.print(f"[yellow]![/] cannot be removed: {escape(one_line(str(path)))}", highlight=False)
    leave(5 if done.left else 0)
