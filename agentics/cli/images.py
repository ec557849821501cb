"""`agentics images`: the images that this version defines, and the making of those that the engine lacks."""

from __future__ import annotations

from typing import Annotated

import typer
from rich.markup import escape
from rich.table import Table

from agentics import config as configuration
from agentics.cli.arguments import NameReader
from agentics.cli.console import err, out, print_json
from agentics.control.signals import StopSignal, stopping
from agentics.runner.machine import build_folders, open_images, open_scratch
from agentics.sandbox.image_building import build_missing
from agentics.sandbox.images import ListedImage, list_images
from agentics.sandbox.steps import Steps

app = typer.Typer(help="The images that evaluations run in.", no_args_is_help=True)


def register(root: typer.Typer) -> None:
    root.add_typer(app, name="images")


MIB = 1 << 20

BUILD_EPILOG = """
Example:

  agentics images build

  agentics images build cpu lighteval
"""

LIST_EPILOG = """
Example:

  agentics images list
"""


@app.command("build", epilog=BUILD_EPILOG)
def build(
    names: Annotated[
        list[str] | None,
        typer.Argument(
            parser=NameReader("NAMES"), help="Which ones, for example cpu; all that are not optional by default."
        ),
    ] = None,
    quiet: Annotated[bool, typer.Option("--quiet", "-q", help="Only say what was made.")] = False,
    json: Annotated[bool, typer.Option("--json", help="One JSON object on stdout.")] = False,
) -> None:
    """Make the images that are missing or whose definition changed. Needs no image registry on Debian or Ubuntu.

    An evaluation makes an image that it needs by itself; this makes it before.
    """

    def log(line: str) -> None:
        if not quiet and not json:
            err.print(line, markup=False, style="dim")

    config, stop = configuration.load(), StopSignal()
    steps = Steps(log=log, output=log, interrupt=stop.event)
    with stopping(stop), open_images(config) as store, open_scratch(config) as scratch:
        made = build_missing(store, names or (), build_folders(scratch), steps)
    if json:
        print_json({"ok": True, "command": "images build", "built": [one.reference for one in made]})
        return
    for definition in made:
        out.print(f"built {definition.reference}")
    if not made:
        out.print("every image is here already")


@app.command("list", epilog=LIST_EPILOG)
def show(json: Annotated[bool, typer.Option("--json", help="JSON on stdout.")] = False) -> None:
    """List the images that are defined, what they are for, and whether the engine has them."""
    with open_images(configuration.load()) as store:
        listed = list_images(store)
    if json:
        print_json(
            [
                {
                    "name": one.definition.name,
                    "reference": one.definition.reference,
                    "id": one.stored.id if one.stored else None,
                    "size_bytes": one.stored.size_bytes if one.stored else None,
                    "current": one.current,
                    "optional": one.definition.optional,
                    "purpose": one.definition.purpose,
                }
                for one in listed
            ]
        )
        return
    table = Table("reference", "size", "state", "for", box=None, pad_edge=False, header_style="bold")
    for one in listed:
        size = f"{one.stored.size_bytes / MIB:.0f} MiB" if one.stored else "-"
        table.add_row(one.definition.reference, size, _state(one), escape(one.definition.purpose))
    out.print(table)


def _state(one: ListedImage) -> str:
    if one.stored is None:
        return "[dim]built when needed[/]" if one.definition.optional else "[red]missing[/]"
    return "[green]here[/]" if one.current else "[yellow]out of date[/]"
