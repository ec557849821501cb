"""`agentics run`: look at a run directory, and let it decide."""

from __future__ import annotations

import json as jsonlib
from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated, Any

import typer
from rich.markup import escape

from agentics.cli import case, compare, control, derive, rebuild, verify, watch
from agentics.cli.arguments import PathReader, RunDir
from agentics.cli.console import leave, one_line, out, print_json
from agentics.cli.report import show_outcomes
from agentics.errors import StorageError, UsageError
from agentics.model.run.outcome import RunOutcome
from agentics.policy.outcome.run_outcome import gate as gate_opens
from agentics.rundir.files.atomic import read_document
from agentics.rundir.files.safe_files import read_file, real
from agentics.rundir.projections.explain import dumped, explanations
from agentics.rundir.projections.outcome import rebuild_outcome
from agentics.rundir.reader import read_run

app = typer.Typer(help="Look at a run directory, and let it decide.", no_args_is_help=True)


def register(root: typer.Typer) -> None:
    root.add_typer(app, name="run")


SHOW_EPILOG = """
Example:

  agentics run show outputs/nightly --public
"""

GATE_EPILOG = """
Exit codes: 0 open · 1 closed.

Example:

  agentics run gate outputs/nightly
"""


@app.command("show", epilog=SHOW_EPILOG)
def show(
    run: RunDir,
    public: Annotated[bool, typer.Option("--public", help="Only what everybody may see.")] = False,
    json: Annotated[bool, typer.Option("--json", help="JSON on stdout.")] = False,
) -> None:
    """Show the outcomes of a run, rebuilt from its trials; or its public view."""
    view = read_run(run)
    if public:
        print_json(_public(run))
        return
    at = datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%S.%fZ")
    outcomes = [rebuild_outcome(run, directory, at=at) for directory in view.variants]
    if json:
        told = explanations(view, outcomes)
        print_json({o.model: {**o.model_dump(mode="json"), "explanations": dumped(told[o.model])} for o in outcomes})
        return
    show_outcomes(view.layout.root, outcomes)
    state = view.control.status if view.control else "unknown"
    now = ", being worked on now" if view.held else ""
    out.print(escape(one_line(f"run {view.manifest.run_id}: {state}{now}")), style="dim")


@app.command("gate", epilog=GATE_EPILOG)
def gate(
    outcome: Annotated[
        Path,
        typer.Argument(parser=PathReader("run directory or outcome"), help="A run directory, or one run_outcome.json."),
    ],
    exit_code: Annotated[int | None, typer.Option(help="The exit code of the process, if you have it.")] = None,
    json: Annotated[bool, typer.Option("--json", help="One JSON object on stdout, as without it.")] = False,  # noqa: ARG001 - programs add it everywhere
) -> None:
    """Exit 0 when an agent may go on: every task passed or degraded, none failed, pending, skipped or empty; else 1."""
    documents = [_outcome(path) for path in _outcome_files(outcome)]
    opened = all(gate_opens(d, d.exit_code if exit_code is None else exit_code) for d in documents)
    print_json({"ok": opened, "command": "gate", "gate": opened, "outcomes": {d.model: d.status for d in documents}})
    leave(0 if opened else 1)


def _outcome_files(path: Path) -> list[Path]:
    if path.is_file():
        return [path]
    files = [path / directory / "run_outcome.json" for directory in read_run(path).variants]
    if not files:
        msg = f"{path}: no outcome was written here"
        raise UsageError(msg, code="no_outcome")
    return files


def _outcome(path: Path) -> RunOutcome:
    found = read_document(real(path), RunOutcome)
    if found is None:
        msg = f"{path}: missing"
        raise UsageError(msg, code="no_outcome")
    return found


def _public(run: Path) -> Any:  # noqa: ANN401 - a JSON document
    place = real(run) / "public" / "run.json"
    try:
        return jsonlib.loads(read_file(place))
    except (OSError, ValueError, RecursionError) as error:
        msg = f"{place}: {error}"
        raise StorageError(msg, hint="the run has not ended yet, or the file was damaged") from error


for module in (case, control, derive, watch, compare, verify, rebuild):
    module.add(app)
