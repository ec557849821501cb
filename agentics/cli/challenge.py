"""`agentics challenge`: is a bundle fit to publish, and what does the public see of it."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer
from rich.markup import escape

from agentics.bundle import check as check_bundles
from agentics.bundle import load_challenge
from agentics.cli.arguments import PathReader
from agentics.cli.console import leave, one_line, out, print_json
from agentics.cli.findings import show_findings
from agentics.policy.publish.public_challenge import public_challenge

app = typer.Typer(help="Check bundles, and see what the public sees of them.", no_args_is_help=True)


def register(root: typer.Typer) -> None:
    root.add_typer(app, name="challenge")


CHECK_EPILOG = """
Exit codes: 0 everything passed · 1 something failed.

Examples:

  agentics challenge check bundles/range-sums

  agentics challenge check bundles --json
"""

SHOW_EPILOG = """
Example:

  agentics challenge show bundles/range-sums
"""


@app.command("check", epilog=CHECK_EPILOG)
def check(
    path: Annotated[
        Path, typer.Argument(parser=PathReader("bundle"), help="A proposal, a bundle, or a folder of many.")
    ],
    json: Annotated[bool, typer.Option("--json", help="One JSON report on stdout.")] = False,
) -> None:
    """Check proposals and bundles against the bundle contract; every finding with its place and what to do."""
    report = check_bundles(path)
    if json:
        print_json(report.model_dump(mode="json"))
        leave(1 if report.failed_count else 0)
    for result in report.results:
        show_findings(result.findings)
        mark = "[green]passed[/]" if result.status == "passed" else "[red]failed[/]"
        out.print(
            f"{mark} [bold]{escape(one_line(result.challenge_name or result.path))}[/] [dim]{escape(result.path)}[/]"
        )
    out.print(
        f"{report.checked_count} checked, {report.passed_count} passed, {report.failed_count} failed, "
        f"{report.warning_count} warnings"
    )
    leave(1 if report.failed_count else 0)


@app.command("show", epilog=SHOW_EPILOG)
def show(
    path: Annotated[Path, typer.Argument(parser=PathReader("bundle"), help="A bundle or proposal directory.")],
    json: Annotated[bool, typer.Option("--json", help="As without it; errors are JSON, too.")] = False,  # noqa: ARG001 - programs add it everywhere
) -> None:
    """Print the public view of a challenge as JSON. It never holds an official locator."""
    print_json(public_challenge(load_challenge(path).challenge).model_dump(mode="json", exclude_none=False))
