"""The command line: parses, calls one use case, prints. One file per noun, imported when its command is called."""

from __future__ import annotations

import signal
import sys
from collections.abc import Sequence
from importlib import import_module
from typing import Annotated, Any, NoReturn

import typer

from agentics import __version__
from agentics.cli.arguments import spread
from agentics.cli.console import CliAnswer, out, print_json
from agentics.cli.failure import envelope, show_bug, show_error, unexpected
from agentics.control.signals import terminable
from agentics.errors import AgenticsError, Stopped, StorageError, Terminated, UsageError
from agentics.paths import translated
from agentics.pipeline import stdout

EPILOG = """
Examples:

  agentics eval bundles/range-sums --solution bundles/range-sums/solutions/accepted-python

  agentics challenge check bundles

  agentics doctor
"""

COMMANDS = {
    "eval": "evaluate",
    "plan": "plan",
    "doctor": "machine",
    "clean": "machine",
    "challenge": "challenge",
    "experiment": "experiment",
    "images": "images",
    "job": "job",
    "run": "run",
    "schema": "schema",
    "stages": "stages",
    "suite": "suite",
}
"""The module here that knows each command. Its `register` adds what it has to the root."""


_FOR_PROGRAMS = frozenset({"--json", "--json-stream"})
_GATE = ["run", "gate"]
"""The command that always prints JSON, and so its errors, too."""
# The base of whatever typer has to say about the words; its own name for it changed between versions.
_Misuse: Any = typer.BadParameter.__base__


def _version(wanted: bool) -> None:
    if wanted:
        typer.echo(f"agentics {__version__}")
        raise typer.Exit


def _root(
    version: Annotated[
        bool, typer.Option("--version", help="Print the version.", is_eager=True, callback=_version)
    ] = False,
) -> None:
    pass


def command_tree(words: Sequence[str] = ()) -> typer.Typer:
    """The root with the one command that the words begin with; with all of them where they begin with none.

    Models and policies cost 0.3 s to import: `agentics --version` needs none of them, `agentics schema` not all.
    """
    app = typer.Typer(
        name="agentics",
        help="Evaluate challenge solutions in containers, and get a result that can be trusted.",
        epilog=EPILOG,
        no_args_is_help=True,
        rich_markup_mode="rich",
        pretty_exceptions_enable=False,
        context_settings={"help_option_names": ["-h", "--help"]},
    )
    app.callback()(_root)
    command = next((word for word in words if not word.startswith("-")), None)
    modules = [COMMANDS[command]] if command in COMMANDS else list(dict.fromkeys(COMMANDS.values()))
    if "--version" not in words[:1]:
        for name in modules:
            import_module(f"agentics.cli.{name}").register(app)
    return app


def main(arguments: list[str] | None = None) -> None:
    """The process: expected failures end it with their own status and a sentence; anything else is a bug of ours."""
    if arguments is None:
        out.file = stdout.take()
    try:
        _carry_out(spread(sys.argv[1:] if arguments is None else arguments))
    except SystemExit as end:
        _check_said(end)
        raise


def _check_said(end: SystemExit) -> None:
    """Say that stdout could not be written. A reader who goes away has seen enough; anything else fails a command whose
    stdout is all that it leaves."""
    why = stdout.lost(out.file)
    if why is None or isinstance(why, BrokenPipeError):
        return
    error = StorageError(f"stdout cannot be written: {why.strerror or why}", code="stdout_unwritable")
    show_error(error)
    if not end.code and not isinstance(end, CliAnswer):
        end.code = error.exit_status


def _carry_out(given: list[str]) -> NoReturn:
    as_json = not _FOR_PROGRAMS.isdisjoint(given) or given[:2] == _GATE
    try:
        with terminable():
            # For programs, what typer would draw in a box is one JSON object like every other failure.
            status = command_tree(given)(args=given, prog_name="agentics", standalone_mode=not as_json)
    except _Misuse as misuse:
        _fail(UsageError(misuse.format_message()), as_json=True)
    except AgenticsError as error:
        _fail(error, as_json=as_json)
    except Terminated as signalled:
        stopped = Stopped(f"stopped by {signal.Signals(signalled.number).name} before there was a result")
        stopped.exit_status = 128 + signalled.number
        _fail(stopped, as_json=as_json)
    except Exception as bug:  # noqa: BLE001 - a bug of ours: its traceback is shown, without secrets
        refused = translated(bug)
        if refused is not None:
            _fail(refused, as_json=as_json)
        if as_json:
            print_json(unexpected(bug), indented=False)
        show_bug(bug)
        sys.exit(AgenticsError.exit_status)
    sys.exit(status)


def _fail(error: AgenticsError, *, as_json: bool) -> NoReturn:
    if as_json:
        print_json(envelope(error))
    else:
        show_error(error)
    sys.exit(error.exit_status)
