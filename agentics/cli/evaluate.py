"""`agentics eval`: bundles and solutions in, results that can be trusted out."""

from __future__ import annotations

import sys
from collections.abc import Mapping
from enum import StrEnum
from pathlib import Path
from typing import Annotated, Any

import typer
from rich.markup import escape

from agentics import config as configuration
from agentics.cli.arguments import (
    AcceptAlterations,
    FreshSetup,
    NamedFileReader,
    NamedPathReader,
    NameReader,
    PathReader,
    image_pair,
    listed,
    named_path,
)
from agentics.cli.console import leave, one_line, out, print_json
from agentics.cli.evalfile import with_file
from agentics.cli.progress import shown
from agentics.cli.report import show_ended
from agentics.cli.stream import streamed
from agentics.errors import UsageError
from agentics.paths import checked
from agentics.request.campaign import EvalRequest, compile_request
from agentics.rundir.files.names import check_run_id
from agentics.usecases.evaluate import evaluate


class ModeOption(StrEnum):
    """What data an evaluation uses."""

    validation = "validation"
    official = "official"


class Policy(StrEnum):
    """What the exit code demands."""

    relaxed = "relaxed"
    smoke = "smoke"
    strict = "strict"


EPILOG = """
Exit codes: 0 accepted by the policy · 1 policy not met: without --exit-policy, a task that
is neither passed nor degraded · 2 usage or configuration, nothing started ·
4 a challenge fault (policy not relaxed) · 5 infrastructure fault · 7 refused (run locked, or another scope) ·
129/130/143 stopped by a signal.

Examples:

  agentics eval bundles/range-sums --solution bundles/range-sums/solutions/accepted-cpp

  agentics eval bundles/range-sums --solution mine=./my-solution --run-id nightly --exit-policy strict --json

  agentics eval bundles/grid-escape --solution s.zip --mode official --overlay bundles/overlays/grid-escape/seed
"""


def register(app: typer.Typer) -> None:
    app.command("eval", epilog=EPILOG)(run)


def run(
    bundles: Annotated[
        list[Path] | None,
        typer.Argument(parser=PathReader("bundle"), help="Bundle or proposal directories.", metavar="BUNDLE..."),
    ] = None,
    solution: Annotated[
        list[str] | None,
        typer.Option(
            parser=NamedPathReader("solution"),
            metavar="[NAME=]DIR|ZIP",
            help="A solution; repeat for several variants.",
        ),
    ] = None,
    target: Annotated[
        str | None,
        typer.Option(parser=NameReader("--target"), help="One of the bundle's targets; all of them if not said."),
    ] = None,
    mode: Annotated[
        ModeOption | None, typer.Option(help="Public data only, or with overlays. [default: validation]")
    ] = None,
    overlay: Annotated[
        list[str] | None,
        typer.Option(
            parser=NamedPathReader("overlay"),
            metavar="[CHALLENGE=]DIR|ZIP",
            help="Private data for official mode; repeatable.",
        ),
    ] = None,
    config: Annotated[
        str | None,
        typer.Option(
            parser=NamedFileReader("--config"), metavar="FILE|NAME", help="A TOML file with these options; flags win."
        ),
    ] = None,
    tasks: Annotated[
        list[str] | None,
        typer.Option(parser=NameReader("--tasks"), help="Only these tasks: challenge names or full references."),
    ] = None,
    limit: Annotated[
        int | None, typer.Option(min=0, help="The first N cases of each task; adds _LIMITED to the id.")
    ] = None,
    run_id: Annotated[str | None, typer.Option(parser=check_run_id, help="Create this run, or continue it.")] = None,
    output_path: Annotated[
        Path | None,
        typer.Option(parser=PathReader("--output-path", "folder"), help="Where run directories go. [default: outputs]"),
    ] = None,
    exit_policy: Annotated[Policy | None, typer.Option(help="What exit code 0 demands. [default: smoke]")] = None,
    image: Annotated[
        list[str] | None,
        typer.Option(
            parser=NameReader("--image"), metavar="REF=LOCAL", help="Use a local image for a declared one; repeatable."
        ),
    ] = None,
    jobs: Annotated[int | None, typer.Option(min=1, help="Cases in flight.")] = None,
    fail_fast: Annotated[bool, typer.Option("--fail-fast", help="Stop after the first task that fails.")] = False,
    no_resume: Annotated[bool, typer.Option("--no-resume", help="Run completed tasks again, too.")] = False,
    fresh_setup: FreshSetup = False,
    accept_alterations: AcceptAlterations = False,
    json: Annotated[bool, typer.Option("--json", help="One JSON object on stdout.")] = False,
    json_stream: Annotated[
        bool, typer.Option("--json-stream", help="A JSON object for each event as it happens, then that of --json.")
    ] = False,
    quiet: Annotated[bool, typer.Option("--quiet", "-q", help="No progress.")] = False,
    verbose: Annotated[bool, typer.Option("--verbose", "-v", help="Every change on a line of its own.")] = False,
) -> None:
    """Evaluate solutions on bundles, in containers, and leave a run directory."""
    given: dict[str, Any] = {
        "bundles": [str(path) for path in bundles or ()],
        "solutions": solution or [],
        "target": target,
        "mode": mode.value if mode else None,
        "overlays": overlay or [],
        "tasks": tasks or [],
        "limit": limit,
        "run_id": run_id,
        "output_path": str(output_path) if output_path else None,
        "exit_policy": exit_policy.value if exit_policy else None,
        "images": image or [],
        "jobs": jobs,
        "fail_fast": fail_fast or None,
        "no_resume": no_resume or None,
        "fresh_setup": fresh_setup or None,
        "accept_alterations": accept_alterations or None,
    }
    settings = configuration.load()
    campaign = compile_request(request(with_file(config, given)), settings)
    with shown(quiet=quiet or json or json_stream, verbose=verbose) as observer, streamed(wanted=json_stream) as sink:
        ended = evaluate(campaign, observer, sink=sink)
    if json_stream:
        print_json(ended.envelope(), indented=False)
    elif json:
        print_json(ended.envelope())
    else:
        show_ended(ended)
        out.print(f"run {escape(one_line(str(ended.run_dir)))}", style="dim")
    leave(ended.exit_status)


def request(given: Mapping[str, Any]) -> EvalRequest:
    """The request that options and file together make. Raises UsageError for what is missing."""
    bundles, solutions = _texts(given, "bundles"), _texts(given, "solutions")
    for what, values in (("bundle", bundles), ("solution", solutions)):
        if not values:
            msg = f"no {what} was given"
            raise UsageError(msg, code=f"no_{what}", hint="agentics eval BUNDLE --solution DIR|ZIP")
    fields: dict[str, Any] = {
        key: given[key]
        for key in ("target", "mode", "limit", "run_id", "exit_policy", "jobs")
        if given.get(key) is not None
    }
    return EvalRequest(
        bundles=tuple(checked(path, "bundle") for path in bundles),
        solutions=tuple(named_path(text, "solution") for text in solutions),
        overlays=tuple(named_path(text, "overlay") for text in _texts(given, "overlays")),
        tasks=listed("--tasks", _texts(given, "tasks")),
        output_path=checked(str(given.get("output_path") or "outputs"), "--output-path", "folder"),
        images=tuple(image_pair(text) for text in _texts(given, "images")),
        fail_fast=bool(given.get("fail_fast")),
        resume=not given.get("no_resume"),
        fresh_setup=bool(given.get("fresh_setup")),
        accept_alterations=bool(given.get("accept_alterations")),
        argv=tuple(sys.argv),
        cli_args={key: value for key, value in given.items() if value not in (None, [])},
        **fields,
    )


def _texts(given: Mapping[str, Any], key: str) -> list[str]:
    value = given.get(key) or []
    return [str(item) for item in value] if isinstance(value, list | tuple) else [str(value)]
