"""The command line: parses, calls one use case, prints. One file per noun, imported when its command is called."""

from __future__ import annotations

import os
import signal
import sys
from collections.abc import Sequence
from importlib import import_module
from typing import Annotated, Any, NamedTuple, NoReturn

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


class Noun(NamedTuple):
    """A command of the root: the module here whose `register` adds it, and what the list of commands says of it."""

    module: str
    help: str


COMMANDS = {
    "eval": Noun("evaluate", "Evaluate solutions on bundles, in containers, and leave a run directory."),
    "plan": Noun(
        "plan",
        "Print the plan of an evaluation as JSON, one object for each target. "
        "An official plan names official locators.",
    ),
    "doctor": Noun(
        "machine",
        "Check everything that evaluations need of this machine, with a fix for each line that fails; or attack it.",
    ),
    "clean": Noun(
        "machine",
        "Remove containers and scratch space that dead evaluations left on this machine. Run directories stay.",
    ),
    "challenge": Noun("challenge", "Check bundles, and see what the public sees of them."),
    "experiment": Noun("experiment", "Compare variants: tasks x variants x replications, from one file."),
    "images": Noun("images", "The images that evaluations run in."),
    "job": Noun("job", "Evaluate models, each job from one file: a JobSpec."),
    "run": Noun("run", "Look at a run directory, and let it decide."),
    "schema": Noun("schema", "JSON Schemas of every document."),
    "stages": Noun("stages", "What plans are made of, and the options of each."),
    "suite": Noun("suite", "Suites: tasks that make one number."),
}

_FOR_PROGRAMS = frozenset({"--json", "--json-stream"})
_COMPLETION = "_AGENTICS_COMPLETE"
"""Set by the shell that asks which words may follow."""
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


def command_tree(words: Sequence[str] | None = None) -> typer.Typer:
    """The root with all commands; where `words` are given, with the one command that they begin with.

    Models and policies cost most of a second to import. So words without a command, such as `--help`, get a list of the
    commands that has their names and help, and no module is imported.
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
    command = next((word for word in words or () if not word.startswith("-")), None)
    if words is None or _COMPLETION in os.environ:
        for module in dict.fromkeys(noun.module for noun in COMMANDS.values()):
            _register(module, app)
    elif command in COMMANDS:
        _register(COMMANDS[command].module, app)
    else:
        for name, noun in COMMANDS.items():
            app.command(name, help=noun.help)(_named_only)
    return app


def _register(module: str, app: typer.Typer) -> None:
    import_module(f"agentics.cli.{module}").register(app)


def _named_only() -> None:
    """A command in the list of commands. Words that call it get the real one."""


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
