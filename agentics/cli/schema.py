"""`agentics schema`: the JSON Schemas of every document, generated from the models."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Annotated

import typer

from agentics.cli.console import err, out
from agentics.schemas import DOCUMENTS
from agentics.schemas import export as write_schemas
from agentics.schemas import stale as stale_schemas

app = typer.Typer(help="JSON Schemas of every document.", no_args_is_help=True)


def register(root: typer.Typer) -> None:
    root.add_typer(app, name="schema")


EXPORT_EPILOG = """
Example:

  agentics schema export schemas
"""

CHECK_EPILOG = """
Exit codes: 0 all are current · 1 some are not.

Example:

  agentics schema check schemas
"""


@app.command("export", epilog=EXPORT_EPILOG)
def export(folder: Annotated[Path, typer.Argument(help="Where the files go.")] = Path("schemas")) -> None:
    """Write a Draft 2020-12 schema for every document."""
    write_schemas(folder)
    out.print(f"{len(DOCUMENTS)} schemas in {folder}")


@app.command("check", epilog=CHECK_EPILOG)
def check(folder: Annotated[Path, typer.Argument(help="Where the files are.")] = Path("schemas")) -> None:
    """Exit 1 when a file differs from what the models say."""
    stale = stale_schemas(folder)
    for name in stale:
        err.print(f"[red]stale[/] {name}; run `agentics schema export {folder}`")
    sys.exit(1 if stale else 0)
