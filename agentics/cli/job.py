"""`agentics job`: model evaluations, each from one versioned file."""

from __future__ import annotations

from dataclasses import asdict
from pathlib import Path
from typing import Annotated, Any

import typer
from rich.markup import escape

from agentics import config as configuration
from agentics.cli import job_env, job_init, job_read, job_run, job_tasks
from agentics.cli.arguments import JsonOption, PathReader
from agentics.cli.console import one_line, out, print_json
from agentics.cli.findings import show_findings
from agentics.lighteval.job import CheckedJob
from agentics.model.document.parsing import invalid
from agentics.request.job_file import check_file

app = typer.Typer(help="Evaluate models, each job from one file: a JobSpec.", no_args_is_help=True)

JobSpecFile = Annotated[
    Path, typer.Argument(parser=PathReader("JobSpec", "file"), help="A JobSpec: JSON.", metavar="JOBSPEC")
]

CHECK_EPILOG = """
Exit codes: 0 it can be planned · 2 something in it must be mended.

Examples:

  agentics job check job.json

  agentics job check job.json --json
"""


def register(root: typer.Typer) -> None:
    root.add_typer(app, name="job")


@app.command("check", epilog=CHECK_EPILOG)
def check(file: JobSpecFile, json: JsonOption = False) -> None:
    """Check a JobSpec: every finding at once, with its place and its mend. Starts nothing, and needs no LightEval."""
    checked = check_file(file, configuration.load())
    if checked.job is None:
        raise invalid(checked.findings)
    if json:
        findings = [asdict(finding) for finding in checked.findings]
        print_json({"ok": True, "command": "job check", "job": described(checked.job), "findings": findings})
        return
    show_findings(checked.findings)
    words = f"{len(checked.job.tasks)} tasks on {checked.job.spec.backend.type}"
    out.print(f"[green]in order[/] [bold]{escape(one_line(checked.job.variant))}[/] {words}")


job_run.add(app)
job_read.add(app)
job_env.add(app)
job_tasks.add(app)
job_init.add(app)


def described(job: CheckedJob) -> dict[str, Any]:
    """What a job came out as: names and digests, no secret's value."""
    return {
        "variant": job.variant,
        "backend": job.spec.backend.type,
        "model": job.spec.backend.model_name,
        "model_path": str(job.model_path) if job.model_path else None,
        "scoring_mode": job.spec.scoring_mode,
        "suite": job.suite.id if job.suite else None,
        "network": job.network,
        "secrets": list(job.secrets),
        "tasks": [
            {
                "task": task.ref,
                "plugin": task.known.plugin,
                "sampling": list(task.sampling),
                "metrics": list(task.metrics),
                "data": str(task.data) if task.data else None,
            }
            for task in job.tasks
        ],
        "plugins": [
            {"name": one.manifest.name, "version": one.manifest.version, "path": str(one.root), "sha256": one.sha256}
            for one in job.plugins
        ],
        "judges": [{"name": judge.name, "template": judge.template_id} for judge in job.judges],
    }
