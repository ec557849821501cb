"""`agentics job details|compare`: the answers behind a result, and several runs' results beside each other."""

from __future__ import annotations

import json as jsonlib
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Annotated

import typer
from rich.markup import escape
from rich.table import Table

from agentics.cli.arguments import NameReader, PathReader, RunDir
from agentics.cli.console import one_line, out, print_json
from agentics.errors import UsageError
from agentics.model.jobresult import JobResult
from agentics.model.jobwork import DetailRow
from agentics.policy.jobcompare import Contender, compare_jobs
from agentics.rundir.jobs import job_results, rows_of, trial_of
from agentics.rundir.reader import TrialView, read_run

MOST = 100
_SHOWN = 60

Json = Annotated[bool, typer.Option("--json", help="One JSON object on stdout.")]

DETAILS_EPILOG = """
Example:

  agentics job details outputs/nightly --task "gsm8k|5" --page 2
"""

COMPARE_EPILOG = """
Refuses to compare what was not measured alike: another scoring mode, other data, prompts or settings.

Example:

  agentics job compare outputs/old outputs/new
"""


def add(app: typer.Typer) -> None:
    app.command("details", epilog=DETAILS_EPILOG)(details)
    app.command("compare", epilog=COMPARE_EPILOG)(compare)


def details(
    run: RunDir,
    task: Annotated[str, typer.Option(parser=NameReader("--task"), help="A task of the run, as its table names it.")],
    variant: Annotated[
        str | None, typer.Option(parser=NameReader("--variant"), help="Which model, where there are several.")
    ] = None,
    page: Annotated[int, typer.Option(min=1, help="Which page, from 1.")] = 1,
    page_size: Annotated[int, typer.Option(help=f"Rows on a page, at most {MOST}.")] = 20,
    json: Json = False,
) -> None:
    """Show the answers of a task: question, answer, metrics."""
    if not 1 <= page_size <= MOST:
        msg = f"a page has 1 to {MOST} rows, not {page_size}"
        raise UsageError(msg, code="page_size", hint=f"--page-size {min(MOST, max(1, page_size))}")
    rows = rows_of(trial_of(read_run(run), task, variant))
    pages = max(1, -(-len(rows) // page_size))
    shown = rows[(page - 1) * page_size : page * page_size]
    if json:
        told = [row.model_dump(mode="json") for row in shown]
        about = {"page": page, "page_size": page_size, "pages": pages, "rows": len(rows)}
        print_json({"ok": True, "command": "job details", "task": task, **about, "details": told})
        return
    table = Table("document", "question", "answer", "reference", "metrics", box=None, header_style="bold")
    for row in shown:
        table.add_row(*(escape(cell) for cell in _cells(row)))
    out.print(table)
    out.print(f"page {page} of {pages}, {len(rows)} rows", style="dim")


def compare(
    baseline: Annotated[
        Path, typer.Argument(parser=PathReader("run directory"), help="The run to compare with.", metavar="BASELINE")
    ],
    run: RunDir,
    json: Json = False,
) -> None:
    """Compare two runs of models, task by task."""
    found = compare_jobs(contender(baseline), contender(run))
    if json:
        print_json({"ok": True, "command": "job compare", **found.model_dump(mode="json")})
        return
    table = Table("task", "metric", found.baseline, found.variant, "difference", box=None, header_style="bold")
    for task in found.tasks:
        for metric in task.metrics:
            error = f" ± {metric.stderr:.4f}" if metric.stderr is not None else ""
            change = f"{metric.difference:+.4f}{error}" if metric.difference is not None else "-"
            style = {True: "green", False: "red", None: "default"}[metric.better]
            values = (_number(metric.baseline), _number(metric.variant))
            table.add_row(escape(one_line(task.task)), escape(metric.metric), *values, f"[{style}]{change}[/]")
    out.print(table)


def contender(root: Path) -> Contender:
    """A run's only model with its results. Raises UsageError where there is none, or there are several."""
    view = read_run(root)
    found = list(job_results(view))
    names = dict.fromkeys(trial.ids.variant_id for trial, _ in found)
    if len(names) != 1:
        why = f"there are several models: {', '.join(names)}" if names else "no model has a result here"
        msg = f"{root}: {why}"
        raise UsageError(msg, code="ambiguous_variant" if names else "no_results")
    results: Mapping[str, JobResult] = {trial.ids.task_id: result for trial, result in found}
    return Contender(
        name=f"{next(iter(names))} ({view.manifest.run_id})",
        results=results,
        samples=_samples(trial for trial, _ in found),
    )


def _samples(trials: Iterable[TrialView]) -> dict[str, dict[str, dict[tuple[int, str], float]]]:
    """By task and metric, then by seed and document."""
    samples: dict[str, dict[str, dict[tuple[int, str], float]]] = {}
    for trial in trials:
        for row in rows_of(trial):
            for name, value in (jsonlib.loads(row.metric) if row.metric else {}).items():
                if isinstance(value, int | float):
                    own = samples.setdefault(trial.ids.task_id, {}).setdefault(name, {})
                    own[row.seed, row.doc_id] = float(value)
    return samples


def _cells(row: DetailRow) -> tuple[str, ...]:
    metrics = jsonlib.loads(row.metric) if row.metric else {}
    told = " ".join(f"{name}={value:g}" if isinstance(value, int | float) else name for name, value in metrics.items())
    answer = " / ".join(row.answer) if row.status != "failed" else "(failed)"
    cells = (row.doc_id, row.query, answer, " / ".join(row.gold), told or row.status)
    return tuple(one_line(cell, _SHOWN) for cell in cells)


def _number(value: float | None) -> str:
    return f"{value:.4f}" if value is not None else "-"
