"""`agentics plan`: what an evaluation would do, as data, without an engine."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer
from rich.markup import escape

from agentics import config as configuration
from agentics.cli.arguments import NamedPathReader, NameReader, PathReader, named_path
from agentics.cli.console import err, one_line, print_json
from agentics.cli.evaluate import ModeOption
from agentics.request.campaign import EvalRequest, compile_request
from agentics.request.granted_network import network_of

EPILOG = """
Example:

  agentics plan bundles/range-sums --solution bundles/range-sums/solutions/accepted-cpp
"""


def register(app: typer.Typer) -> None:
    app.command("plan", epilog=EPILOG)(run)


def run(
    bundle: Annotated[Path, typer.Argument(parser=PathReader("bundle"), help="A bundle or proposal directory.")],
    solution: Annotated[
        str,
        typer.Option(parser=NamedPathReader("solution"), metavar="[NAME=]DIR|ZIP", help="The solution to plan for."),
    ],
    target: Annotated[
        str | None, typer.Option(parser=NameReader("--target"), help="One of the bundle's targets.")
    ] = None,
    mode: Annotated[ModeOption, typer.Option(help="Public data only, or official.")] = ModeOption.validation,
    limit: Annotated[int | None, typer.Option(min=0, help="The first N cases.")] = None,
    json: Annotated[bool, typer.Option("--json", help="One JSON object on stdout.")] = False,
) -> None:
    """Print the plan of an evaluation as JSON, one object for each target. An official plan names official locators.

    On stderr: which stages get network on this machine, and with what.
    """
    request = EvalRequest(
        bundles=(bundle,), solutions=(named_path(solution, "solution"),), target=target, mode=mode.value, limit=limit
    )
    settings = configuration.load()
    plans = [trial.plan for trial in compile_request(request, settings).trials]
    documents = [plan.model_dump(mode="json") for plan in plans]
    networks = {plan.target: network_of(plan, settings) for plan in plans}
    if json:
        print_json({"ok": True, "command": "plan", "plans": documents, "network": networks})
        return
    print_json(documents[0] if len(documents) == 1 else documents)
    for name, network in networks.items():
        if network is not None:
            err.print(escape(one_line(f"{name}: {network}")), style="dim")
