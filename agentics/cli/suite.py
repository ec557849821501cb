"""`agentics suite`: tasks that make one number, those that ship and the operator's own."""

from __future__ import annotations

from dataclasses import asdict
from pathlib import Path
from typing import Annotated

import typer
from rich.markup import escape
from rich.table import Table

from agentics import config as configuration
from agentics.archive.documents import read_document
from agentics.cli.arguments import JsonOption, NameReader, PathReader
from agentics.cli.console import one_line, out, print_json
from agentics.cli.findings import show_findings
from agentics.errors import UsageError
from agentics.lighteval.catalogue import shipped
from agentics.lighteval.places import plugin_folders, suite_places
from agentics.lighteval.suitecheck import rules
from agentics.lighteval.suites import SuiteCatalogue, parse_suite, read_suites
from agentics.model.job.suite import Suite
from agentics.policy.outcome.suites import metric_of
from agentics.request.suite_reader import suite_reader

app = typer.Typer(help="Suites: tasks that make one number.", no_args_is_help=True)


LIST_EPILOG = """
Example:

  agentics suite list
"""

SHOW_EPILOG = """
Examples:

  agentics suite show short-answers

  agentics suite show short-answers@1 --json
"""

CHECK_EPILOG = """
Exit codes: 0 it is in order · 2 something in it must be mended.

Example:

  agentics suite check suites/mine.yaml
"""


def register(root: typer.Typer) -> None:
    root.add_typer(app, name="suite")


@app.command("list", epilog=LIST_EPILOG)
def list_(json: JsonOption = False) -> None:
    """List every suite that is here."""
    book = _book()
    if json:
        suites = [{**each.suite.model_dump(mode="json"), "source": each.source} for each in book.listed]
        findings = [asdict(finding) for finding in book.findings]
        print_json({"ok": True, "command": "suite list", "suites": suites, "findings": findings})
        return
    table = Table("suite", "tasks", "aggregation", "what it measures", "from", box=None, header_style="bold")
    for each in book.listed:
        suite = each.suite
        cells = (suite.id, len(suite.tasks), suite.aggregation, suite.description or "-", each.source)
        table.add_row(*(escape(one_line(str(cell))) for cell in cells))
    out.print(table)
    show_findings(book.findings)


@app.command("show", epilog=SHOW_EPILOG)
def show(
    name: Annotated[
        str, typer.Argument(parser=NameReader("NAME"), help="NAME or NAME@VERSION; without a version the newest.")
    ],
    json: JsonOption = False,
) -> None:
    """Show one suite: its tasks, the metric of each, and how they become one number."""
    found = _book().find(name)
    if found is None:
        msg = f"there is no suite {name!r:.100}"
        raise UsageError(msg, code="pack_not_found", hint="`agentics suite list` shows what is there")
    suite = found.suite
    if json:
        said = {**suite.model_dump(mode="json"), "source": found.source}
        print_json({"ok": True, "command": "suite show", "suite": said})
        return
    out.print(f"[bold]{escape(suite.id)}[/] {escape(one_line(suite.description or ''))}")
    out.print(f"  {suite.aggregation} of {len(suite.tasks)} tasks; a missing one: {suite.missing_tasks}")
    for task in suite.tasks:
        weight = f" x {task.weight:g}" if suite.aggregation == "weighted_mean" else ""
        out.print(f"  {escape(one_line(task.ref))}: {escape(one_line(metric_of(suite, task)))}{weight}")


@app.command("check", epilog=CHECK_EPILOG)
def check(
    file: Annotated[
        Path, typer.Argument(parser=PathReader("suite", "file"), help="A suite: JSON, TOML or YAML.", metavar="FILE")
    ],
    json: JsonOption = False,
) -> None:
    """Check a suite: every finding at once, with its place and its mend."""
    try:
        data = read_document(file, Suite)
    except OSError as error:
        msg = f"{file}: {error.strerror}"
        raise UsageError(msg) from error
    plugins = plugin_folders(configuration.load())
    suite = parse_suite(data, file.name, str(file), rules(shipped(), plugins))
    if json:
        print_json({"ok": True, "command": "suite check", "suite": suite.id, "findings": []})
        return
    out.print(f"[green]in order[/] [bold]{escape(suite.id)}[/] {len(suite.tasks)} tasks")


def _book() -> SuiteCatalogue:
    config = configuration.load()
    return read_suites(suite_places(config), suite_reader(config))
