"""The command line: parses, calls one use case, prints. One file per noun."""

from __future__ import annotations

import sys
from typing import Annotated

import typer

from agentics import __version__
from agentics.cli.arguments import spread
from agentics.cli.challenge import app as challenge
from agentics.cli.console import err, print_json
from agentics.cli.evaluate import register as register_eval
from agentics.cli.failure import envelope, show_error
from agentics.cli.images import app as images
from agentics.cli.machine import register as register_machine
from agentics.cli.plan import register as register_plan
from agentics.cli.run import app as run
from agentics.cli.schema import app as schema
from agentics.errors import AgenticsError

EPILOG = """
Examples:

  agentics eval bundles/range-sums --solution bundles/range-sums/solutions/accepted-cpp

  agentics challenge check bundles

  agentics doctor
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


def _version(*, wanted: bool) -> None:
    if wanted:
        typer.echo(f"agentics {__version__}")
        raise typer.Exit


@app.callback()
def _root(
    *, version: Annotated[bool, typer.Option("--version", help="Print the version.", is_eager=True)] = False
) -> None:
    _version(wanted=version)


register_eval(app)
register_plan(app)
register_machine(app)
app.add_typer(challenge, name="challenge")
app.add_typer(images, name="images")
app.add_typer(run, name="run")
app.add_typer(schema, name="schema")


def main(arguments: list[str] | None = None) -> None:
    """The process: expected failures end it with their own status and a sentence; anything else is a bug of ours."""
    given = spread(sys.argv[1:] if arguments is None else arguments)
    try:
        app(args=given, prog_name="agentics")
    except AgenticsError as error:
        if "--json" in given:
            print_json(envelope(error))
        else:
            show_error(error)
        sys.exit(error.exit_status)
    except BrokenPipeError:
        # The reader went away; what was computed is in the run directory.
        sys.stderr.close()
        sys.exit(1)
    except KeyboardInterrupt:
        err.print("stopped")
        sys.exit(130)
