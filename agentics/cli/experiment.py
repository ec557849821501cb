"""`agentics experiment`: tasks x variants x replications as one file, and what becomes of it."""

from __future__ import annotations

import sys
from dataclasses import asdict, replace
from pathlib import Path
from typing import Annotated, Any

import typer
from rich.markup import escape
from rich.table import Table

from agentics import config as configuration
from agentics.cli.arguments import FreshSetup, JsonOption, PathReader
from agentics.cli.console import leave, one_line, out, print_json
from agentics.cli.evaluate import Policy
from agentics.cli.failure import hidden
from agentics.cli.progress import shown
from agentics.cli.report import show_ended
from agentics.cli.stream import streamed
from agentics.request.campaign import Campaign
from agentics.request.experiment_file import asked_for, compiled, parse_experiment
from agentics.request.planned_trial import PlannedTrial
from agentics.request.resolved_experiment import resolved
from agentics.rundir.files.names import check_run_id
from agentics.usecases.evaluate import EndedRun, evaluate
from agentics.usecases.preflight import passed, preflight

app = typer.Typer(help="Compare variants: tasks x variants x replications, from one file.", no_args_is_help=True)

ExperimentPath = Annotated[
    Path,
    typer.Argument(
        parser=PathReader("experiment file", "file"), help="An experiment file: YAML, TOML or JSON.", metavar="FILE"
    ),
]

RUN_EPILOG = """
Exit codes: as `agentics eval`.

Examples:

  agentics experiment run experiment.yaml

  agentics experiment run experiment.yaml --exit-policy strict --json
"""

PLAN_EPILOG = """
Example:

  agentics experiment plan experiment.yaml
"""

PREFLIGHT_EPILOG = """
Exit codes: 0 nothing stands in the way · 1 a check failed · 2 the file cannot be read.

Example:

  agentics experiment preflight experiment.yaml
"""


def register(root: typer.Typer) -> None:
    root.add_typer(app, name="experiment")


@app.command("run", epilog=RUN_EPILOG)
def run(
    file: ExperimentPath,
    run_id: Annotated[
        str | None, typer.Option(parser=check_run_id, help="The id of the new run; one that is taken is refused.")
    ] = None,
    output_path: Annotated[
        Path, typer.Option(parser=PathReader("--output-path", "folder"), help="Where run directories go.")
    ] = Path("outputs"),
    exit_policy: Annotated[
        Policy | None, typer.Option(help="What exit code 0 demands; the file's if not said.")
    ] = None,
    limit: Annotated[
        int | None, typer.Option(min=0, help="The first N cases of each task; adds _LIMITED to the id.")
    ] = None,
    fresh_setup: FreshSetup = False,
    json: JsonOption = False,
    json_stream: Annotated[
        bool, typer.Option("--json-stream", help="A JSON object for each event as it happens, then that of --json.")
    ] = False,
    quiet: Annotated[bool, typer.Option("--quiet", "-q", help="No progress.")] = False,
    verbose: Annotated[bool, typer.Option("--verbose", "-v", help="Every change on a line of its own.")] = False,
) -> None:
    """Run an experiment: always a new run. `agentics run compare` says afterwards what came of it."""
    changes: dict[str, Any] = {
        "run_id": run_id,
        "output_path": output_path,
        "fresh": True,
        "fresh_setup": fresh_setup,
        "argv": tuple(sys.argv),
        "cli_args": {"file": str(file)},
    }
    if exit_policy is not None:
        changes["exit_policy"] = exit_policy.value
    if limit is not None:
        changes["limit"] = limit
    campaign = _campaign(file, **changes)
    with shown(quiet=quiet or json or json_stream, verbose=verbose) as observer, streamed(wanted=json_stream) as sink:
        ended = evaluate(campaign, observer, sink=sink, operation="experiment")
    if json_stream:
        print_json(_envelope(campaign, ended), indented=False)
    elif json:
        print_json(_envelope(campaign, ended))
    else:
        show_ended(ended)
        out.print(f"run {escape(one_line(str(ended.run_dir)))}", style="dim")
    leave(ended.exit_status)


@app.command("plan", epilog=PLAN_EPILOG)
def plan(file: ExperimentPath, json: JsonOption = False) -> None:
    """Show what an experiment would do: every slot in order, and what each field came out as. Needs no engine."""
    campaign = _campaign(file)
    if json:
        schedule = [_slot(trial) for trial in campaign.trials]
        facts = {"summary": summary(campaign), "schedule": schedule, "resolved_experiment": resolved(campaign)}
        print_json({"ok": True, "command": "experiment plan", **facts})
        return
    table = Table("slot", "variant", "task", "replication", box=None, pad_edge=False, header_style="bold")
    for trial in campaign.trials:
        row = _slot(trial)
        cells = (row["schedule_idx"], row["variant_id"], row["task_id"], row["repl_idx"])
        table.add_row(*(escape(one_line(str(cell))) for cell in cells))
    out.print(table)
    words = " · ".join(f"{_word(name)} {_word(value)}" for name, value in summary(campaign).items())
    out.print(escape(one_line(words, 1000)), style="dim")


@app.command("preflight", epilog=PREFLIGHT_EPILOG)
def check(
    file: ExperimentPath,
    output_path: Annotated[
        Path, typer.Option(parser=PathReader("--output-path", "folder"), help="Where run directories would go.")
    ] = Path("outputs"),
    json: JsonOption = False,
) -> None:
    """Find what would keep an experiment from its end, before hours are spent on it."""
    found = parse_experiment(file)
    checks = preflight(found, file.parent, configuration.load(), output_path)
    good = passed(checks)
    if json:
        told = [{**asdict(one), "message": hidden(one.message)} for one in checks]
        print_json({"ok": good, "command": "experiment preflight", "passed": good, "checks": told})
    for one in () if json else checks:
        mark = "[green]✓[/]" if one.passed else "[yellow]![/]" if one.severity == "warning" else "[red]✗[/]"
        out.print(f"{mark} [bold]{one.name}[/]: {escape(one_line(hidden(one.message)))}")
    leave(0 if good else 1)


def summary(campaign: Campaign) -> dict[str, Any]:
    """An experiment in a few words, as envelopes carry it."""
    request, design = campaign.request, campaign.request.design
    tasks, variants = len(_tasks(campaign)), len(campaign.directories)
    return {
        "experiment": request.experiment.get("name") or "eval",
        "workload_type": "challenge_evaluation" if campaign.solutions else "model_evaluation",
        "dataset": request.mode,
        "tasks": tasks,
        "replications": design.replications,
        "variant_count": variants,
        "total_trials": len(campaign.trials),
        "network": "none",
        "scheduling": design.scheduling,
        "state_policy": "isolate_per_trial",
        "comparison": design.comparison,
        "retry_max_attempts": design.retry.max_attempts,
    }


def _envelope(campaign: Campaign, ended: EndedRun) -> dict[str, Any]:
    return {**ended.envelope(), "command": "experiment run", "summary": summary(campaign)}


def _campaign(file: Path, **changes: Any) -> Campaign:  # noqa: ANN401 - fields of a request
    asked = asked_for(parse_experiment(file), file.parent)
    return compiled(replace(asked, request=replace(asked.request, **changes)), configuration.load())


def _tasks(campaign: Campaign) -> list[str]:
    return list(dict.fromkeys(trial.ref for trial in campaign.trials))


def _slot(trial: PlannedTrial) -> dict[str, Any]:
    return {**trial.slot.model_dump(), "variant_id": trial.variant, "task_id": trial.ref}


def _word(value: object) -> str:
    return str(value).replace("_", " ")
