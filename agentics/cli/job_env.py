"""`agentics job worker-env`: the worker's environment on this machine, where no container can have its GPU."""

from __future__ import annotations

import sys
from dataclasses import asdict
from pathlib import Path
from typing import Annotated

import typer
from rich.markup import escape

from agentics.cli.arguments import NamedFileReader, PathReader
from agentics.cli.console import err, one_line, out, print_json
from agentics.control.signals import StopSignal, stopping
from agentics.sandbox.steps import Steps
from agentics.sandbox.worker_env import make_worker_env

EPILOG = """
Then agentics.toml names DIR/bin/python as `worker`, in the table `lighteval`. A job runs as a process of yours there:
neither its memory nor its network has a limit.

Examples:

  agentics job worker-env ~/lighteval

  agentics job worker-env ~/lighteval --cpu --python python3.12
"""


def add(app: typer.Typer) -> None:
    app.command("worker-env", epilog=EPILOG)(worker_env)


def worker_env(
    directory: Annotated[
        Path,
        typer.Argument(
            parser=PathReader("environment directory", "folder"),
            help="Where: new, empty, or made by this command.",
            metavar="DIR",
        ),
    ],
    python: Annotated[
        str | None,
        typer.Option(
            parser=NamedFileReader("--python"),
            help="The interpreter to make it from: 3.11 to 3.13. By default the one that runs this.",
        ),
    ] = None,
    cpu: Annotated[bool, typer.Option("--cpu", help="torch without CUDA: 2 GB instead of 5.")] = False,
    json: Annotated[bool, typer.Option("--json", help="One JSON object on stdout.")] = False,
    quiet: Annotated[bool, typer.Option("--quiet", "-q", help="Only say what was made.")] = False,
) -> None:
    """Make a virtual environment with LightEval, locked as in our image, for jobs without containers."""

    def log(line: str) -> None:
        if not quiet and not json:
            err.print(line, markup=False, style="dim")

    stop = StopSignal()
    with stopping(stop):
        steps = Steps(log=log, output=log, interrupt=stop.event)
        made = make_worker_env(directory.expanduser(), python or sys.executable, steps, cpu=cpu)
    if json:
        print_json({"ok": True, "command": "job worker-env", **asdict(made), "python": str(made.python)})
        return
    gpu = "with a GPU" if made.cuda else "without a GPU"
    what = "made" if made.made else "there already:"
    out.print(f"{what} {escape(one_line(str(made.python)))} (LightEval {made.lighteval}, torch {made.torch}, {gpu})")
    out.print(f'in agentics.toml: \\[lighteval] worker = "{escape(one_line(str(made.python)))}"', style="dim")
