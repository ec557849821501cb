"""`agentics job plan|run`: model evaluations as runs, with everything that `agentics eval` has."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Annotated, Any

import typer
from rich.markup import escape
from rich.table import Table

from agentics import config as configuration
from agentics.cli.arguments import AcceptAlterations, JsonOption, NameReader, PathReader, listed
from agentics.cli.console import leave, one_line, out, print_json
from agentics.cli.evaluate import Policy
from agentics.cli.job_table import show_job
from agentics.cli.progress import shown
from agentics.cli.report import show_ended
from agentics.cli.stream import streamed
from agentics.model.run.outcome import DEFAULT_EXIT_POLICY
from agentics.request.campaign import Campaign, EvalRequest, compile_request
from agentics.rundir.files.names import check_run_id
from agentics.rundir.projections.jobs import suite_scores
from agentics.rundir.reader import read_run
from agentics.usecases.evaluate import evaluate
from agentics.usecases.probe_worker import probe_worker

Spec = Annotated[Path, typer.Argument(parser=PathReader("JobSpec", "file"), help="A JobSpec: JSON.", metavar="JOBSPEC")]

RUN_EPILOG = """
Exit codes: as `agentics eval`.

Examples:

  agentics job run docs/examples/jobspec-quick.json

  agentics job run job.json --run-id nightly --exit-policy strict --json

  agentics job run other-judge.json --answers outputs/nightly
"""

PLAN_EPILOG = """
Example:

  agentics job plan docs/examples/jobspec-quick.json --json
"""


WORKER_EPILOG = """
Example:

  agentics job worker
"""


def add(app: typer.Typer) -> None:
    app.command("plan", epilog=PLAN_EPILOG)(plan)
    app.command("run", epilog=RUN_EPILOG)(run)
    app.command("worker", epilog=WORKER_EPILOG)(worker)


def plan(spec: Spec, json: JsonOption = False) -> None:
    """Show what a job would do: every task's stages, as they would be carried out. Starts nothing."""
    campaign = _campaign(EvalRequest(bundles=(), solutions=(), jobspecs=(spec,)))
    plans = [trial.plan.model_dump(mode="json") for trial in campaign.trials]
    if json:
        digests = {job.variant: {"jobspec": job.digest, "plan": job.plan_digest} for job in campaign.jobs}
        print_json({"ok": True, "command": "job plan", "digests": digests, "plans": plans})
        return
    table = Table("task", "model", "backend", "stages", box=None, pad_edge=False, header_style="bold")
    for trial in campaign.trials:
        stages = " → ".join(stage.name for stage in trial.plan.stages)
        table.add_row(*(escape(one_line(text)) for text in (trial.ref, trial.variant, trial.plan.target, stages)))
    out.print(table)
    for job in campaign.jobs:
        out.print(f"plan {job.plan_digest}", style="dim")


def worker(json: JsonOption = False) -> None:
    """Start this machine's worker, and show what it is and which backends it can run."""
    with shown(quiet=json, verbose=False) as observer:
        found = probe_worker(configuration.load(), observer)
    if json:
        print_json({"ok": True, "command": "job worker", **found.model_dump(mode="json", exclude={"type", "order"})})
        return
    for kind, why in found.backends.items():
        out.print(f"[red]✗[/] [bold]{kind}[/]: {escape(one_line(why, 400))}" if why else f"[green]✓[/] [bold]{kind}[/]")
    told = ", ".join(f"{name} {version}" for name, version in found.versions.items() if version)
    out.print(escape(one_line(told, 400)), style="dim")
    gpus = found.machine.get("gpus")
    names = [str(name) for name in gpus] if isinstance(gpus, list) and gpus else ["no GPU"]
    out.print(escape(one_line(", ".join(names))), style="dim")


def run(
    spec: Spec,
    run_id: Annotated[str | None, typer.Option(parser=check_run_id, help="Create this run, or continue it.")] = None,
    output_path: Annotated[
        Path, typer.Option(parser=PathReader("--output-path", "folder"), help="Where run directories go.")
    ] = Path("outputs"),
    exit_policy: Annotated[
        Policy, typer.Option(show_default=False, help="What exit code 0 demands. [default: smoke]")
    ] = Policy(DEFAULT_EXIT_POLICY),
    tasks: Annotated[
        list[str] | None,
        typer.Option(parser=NameReader("--tasks"), help="Only these tasks, as `agentics job plan` names them."),
    ] = None,
    limit: Annotated[
        int | None, typer.Option(min=1, help="At most N documents of each task; adds _LIMITED to the id.")
    ] = None,
    answers: Annotated[
        list[Path] | None,
        typer.Option(
            parser=PathReader("--answers"),
            metavar="RUN",
            help="A run whose answers need not be asked for again; repeatable.",
        ),
    ] = None,
    image: Annotated[
        str | None, typer.Option(parser=NameReader("--image"), help="The worker's image, instead of ours.")
    ] = None,
    fail_fast: Annotated[bool, typer.Option("--fail-fast", help="Stop after the first task that fails.")] = False,
    no_resume: Annotated[bool, typer.Option("--no-resume", help="Run completed tasks again, too.")] = False,
    accept_alterations: AcceptAlterations = False,
    json: JsonOption = False,
    json_stream: Annotated[
        bool, typer.Option("--json-stream", help="A JSON object for each event as it happens, then that of --json.")
    ] = False,
    quiet: Annotated[bool, typer.Option("--quiet", "-q", help="No progress.")] = False,
    verbose: Annotated[bool, typer.Option("--verbose", "-v", help="Every change on a line of its own.")] = False,
) -> None:
    """Evaluate a model as a JobSpec says, and leave a run directory and the job's artifacts."""
    given: dict[str, Any] = {
        "run_id": run_id,
        "output_path": str(output_path),
        "limit": limit,
        "tasks": tasks,
        "image": image,
    }
    request = EvalRequest(
        bundles=(),
        solutions=(),
        jobspecs=(spec,),
        answers_from=tuple(answers or ()),
        run_id=run_id,
        output_path=output_path,
        exit_policy=exit_policy.value,
        tasks=listed("--tasks", tasks or ()),
        limit=limit,
        images=(("*", image),) if image else (),
        fail_fast=fail_fast,
        resume=not no_resume,
        accept_alterations=accept_alterations,
        experiment={"id": "job", "name": "job", "workload_type": "model_evaluation"},
        argv=tuple(sys.argv),
        cli_args={"jobspec": str(spec), **{key: value for key, value in given.items() if value is not None}},
    )
    campaign = _campaign(request)
    with shown(quiet=quiet or json or json_stream, verbose=verbose) as observer, streamed(wanted=json_stream) as sink:
        ended = evaluate(campaign, observer, sink=sink, operation="job")
    scores = {name: score.model_dump(mode="json") for name, score in suite_scores(read_run(ended.run_dir))}
    envelope = {**ended.envelope(), "command": "job run", **({"suites": scores} if scores else {})}
    if json or json_stream:
        print_json(envelope, indented=not json_stream)
    else:
        show_ended(ended)
        show_job(ended.run_dir)
        out.print(f"run {escape(one_line(str(ended.run_dir)))}", style="dim")
    leave(ended.exit_status)


def _campaign(request: EvalRequest) -> Campaign:
    return compile_request(request, configuration.load())
