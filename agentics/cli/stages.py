"""`agentics stages`: what plans can be made of, built in and added by packages, with the options of each."""

from __future__ import annotations

from typing import Annotated, Any

import typer
from pydantic_core import to_jsonable_python
from rich.markup import escape
from rich.table import Table

from agentics.cli.arguments import JsonOption, NameReader
from agentics.cli.console import err, one_line, out, print_json
from agentics.errors import UsageError
from agentics.pipeline.contract.stage import Registered
from agentics.stages import registry

app = typer.Typer(help="What plans are made of, and the options of each.", invoke_without_command=True)


LIST_EPILOG = """
Example:

  agentics stages list
"""

SHOW_EPILOG = """
Example:

  agentics stages show cases
"""


def register(root: typer.Typer) -> None:
    root.add_typer(app, name="stages")


@app.callback()
def bare(
    context: typer.Context,
    name: Annotated[
        str | None, typer.Option("--name", "-n", parser=NameReader("--name"), help="Show this one.")
    ] = None,
    json: JsonOption = False,
) -> None:
    """What plans are made of, and the options of each. Lists them where nothing else is said."""
    if context.invoked_subcommand is None:
        list_(json=json) if name is None else show(name, json=json)
    elif json or name is not None:
        msg = f"options go behind `stages {context.invoked_subcommand}`, not before it"
        raise UsageError(msg)


@app.command("list", epilog=LIST_EPILOG)
def list_(json: JsonOption = False) -> None:
    """List every stage that is here."""
    found, refused = registry().listed()
    if json:
        left_out = [{"code": error.code, "message": error.message} for error in refused]
        print_json({"ok": True, "command": "stages", "stages": [_said(each) for each in found], "refused": left_out})
        return
    table = Table("stage", "what it does", "required", "from", box=None, pad_edge=False, header_style="bold")
    for each in found:
        said = each.description
        cells = (each.name, said["description"], ", ".join(said["required"]) or "-", each.module)
        table.add_row(*(escape(one_line(str(cell))) for cell in cells))
    out.print(table)
    for error in refused:
        err.print(f"[red]refused[/] {escape(one_line(error.message))}")


@app.command("show", epilog=SHOW_EPILOG)
def show(
    name: Annotated[str, typer.Argument(parser=NameReader("NAME"), help="A stage's name.")], json: JsonOption = False
) -> None:
    """Show one stage: what it does, and its options with types and defaults."""
    found = registry().find(name)
    if json:
        print_json({"ok": True, "command": "stages", "stage": _said(found)})
        return
    said = _said(found)
    out.print(f"[bold]{found.name}[/] {escape(said['description'])}", highlight=False)
    for key in ("version", "__schema_version__", "module"):
        if said.get(key):
            out.print(f"  {key.strip('_')}: {escape(str(said[key]))}", highlight=False)
    for key in (*said["required"], *said["optional"]):
        need = "required" if key in said["required"] else f"default {said.get('defaults', {}).get(key)!r}"
        kind = said["types"].get(key, "any")
        out.print(f"  {key}: {escape(str(kind))} ({escape(need)})", highlight=False)


def _said(found: Registered) -> dict[str, Any]:
    """The description as JSON, and where the stage comes from."""
    said: dict[str, Any] = to_jsonable_python(dict(found.description), fallback=repr)
    return {**said, "module": found.module}
