"""`agentics job details|compare`: the answers behind a result, and several runs' results beside each other."""

from __future__ import annotations

import json as jsonlib
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated

import typer
from rich.markup import escape
from rich.table import Table

from agentics.cli.arguments import JsonOption, NameReader, PathReader, RunDir
from agentics.cli.console import one_line, out, plain, print_json
from agentics.errors import UsageError
from agentics.model.job.comparison import MetricComparison
from agentics.model.job.job_result import JobResult
from agentics.model.job.judge_verdict import JudgeVerdict
from agentics.model.job.worker_protocol import DetailRow
from agentics.policy.jobs.comparison import Contender, compare_jobs, sample_values
from agentics.rundir.projections.jobs import job_facts, job_results, rows_of, trial_of
from agentics.rundir.reader import read_run

MOST = 100
_SHOWN = 60


DETAILS_EPILOG = """
Example:

  agentics job details outputs/nightly --task "gsm8k|5" --page 2
"""

COMPARE_EPILOG = """
Refuses to compare what was not measured alike: another scoring mode, other data, prompts or settings.

Examples:

  agentics job compare outputs/old outputs/new

  agentics job compare outputs/ab outputs/ab --baseline-model small --model large
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
    json: JsonOption = False,
) -> None:
    """Show the answers of a task: question, answer, metrics."""
    if not 1 <= page_size <= MOST:
        msg = f"a page has 1 to {MOST} rows, not {page_size}"
        raise UsageError(msg, code="page_size", hint=f"--page-size {min(MOST, max(1, page_size))}")
    trial = trial_of(read_run(run), task, variant)
    rows, facts = rows_of(trial), job_facts(trial)
    failures = facts.failures if facts is not None else ()
    pages = max(1, -(-len(rows) // page_size))
    shown = rows[(page - 1) * page_size : page * page_size]
    if json:
        told = [row.model_dump(mode="json") for row in shown]
        about = {"page": page, "page_size": page_size, "pages": pages, "rows": len(rows)}
        failed = [each.model_dump(mode="json") for each in failures]
        print_json({"ok": True, "command": "job details", "task": task, **about, "details": told, "failures": failed})
        return
    judged = ("judges",) if any(row.judgements for row in rows) else ()
    table = Table("document", "question", "answer", "reference", "metrics", *judged, box=None, header_style="bold")
    for row in shown:
        cells = (*_cells(row), *((_judges(row),) if judged else ()))
        table.add_row(*(escape(cell) for cell in cells))
    out.print(table)
    out.print(f"page {page} of {pages}, {len(rows)} rows", style="dim")
    for failure in failures:
        who = f"judge {failure.judge}" if failure.judge is not None else failure.what
        said = f"{who}: {failure.code} ({failure.count}): {failure.message}"
        out.print(f"[red]{escape(one_line(said, 600))}[/]")
        for line in (failure.traceback or "").splitlines():
            out.print(f"  [dim]|[/] {escape(plain(line, 300))}")


def compare(
    baseline: Annotated[
        Path, typer.Argument(parser=PathReader("run directory"), help="The run to compare with.", metavar="BASELINE")
    ],
    run: RunDir,
    baseline_model: Annotated[
        str | None,
        typer.Option(parser=NameReader("--baseline-model"), help="Which model of BASELINE, where it has several."),
    ] = None,
    model: Annotated[
        str | None, typer.Option(parser=NameReader("--model"), help="Which model of RUN, where it has several.")
    ] = None,
    json: JsonOption = False,
) -> None:
    """Compare two runs of models, task by task; or two models of one run."""
    found = compare_jobs(contender(baseline, baseline_model, "--baseline-model"), contender(run, model, "--model"))
    if json:
        print_json({"ok": True, "command": "job compare", **found.model_dump(mode="json")})
        return
    heads = ("task", "metric", found.baseline, found.variant, "difference ± standard error", "documents")
    table = Table(*(escape(one_line(head)) for head in heads), box=None, header_style="bold")
    for task in found.tasks:
        for metric in task.metrics:
            error = f" ± {metric.stderr:.4f}" if metric.stderr is not None else ""
            change = f"{metric.difference:+.4f}{error}" if metric.difference is not None else "-"
            style = {True: "green", False: "red", None: "default"}[metric.better]
            values = (_number(metric.baseline), _number(metric.variant))
            name = escape(one_line(metric.metric))
            table.add_row(escape(one_line(task.task)), name, *values, f"[{style}]{change}[/]", _documents(metric))
    out.print(table)
    for refs, name in ((found.baseline_only, found.baseline), (found.variant_only, found.variant)):
        if refs:
            out.print(escape(one_line(f"only {name} has {', '.join(refs)}", 400)), style="yellow")


def contender(root: Path, model: str | None, option: str) -> Contender:
    """A model of a run with its results: the named one, or the only one. `option` names it on the command line.

    Raises UsageError where there is none, or there are several.
    """
    view = read_run(root)
    every = list(job_results(view))
    there = dict.fromkeys(trial.ids.variant_id for trial, _ in every)
    found = [(trial, result) for trial, result in every if model in (None, trial.ids.variant_id)]
    names = dict.fromkeys(trial.ids.variant_id for trial, _ in found)
    if len(names) != 1:
        raise _which(root, model, option, [*there])
    results: Mapping[str, JobResult] = {trial.ids.task_id: result for trial, result in found}
    return Contender(
        name=f"{next(iter(names))} ({view.manifest.run_id})",
        results=results,
        samples={trial.ids.task_id: sample_values(rows_of(trial)) for trial, _ in found},
    )


def _documents(metric: MetricComparison) -> str:
    """How many were compared, and how many could not be."""
    count = "all" if metric.pairs is None else str(metric.pairs)
    lost = "no difference: " if metric.pairs is None and metric.difference is None else ""
    return f"{lost}{count}, {metric.left_out} left out" if metric.left_out else count


def _which(root: Path, model: str | None, option: str, there: list[str]) -> UsageError:
    listed = ", ".join(there)
    if not there:
        hint = "`agentics job run` evaluates a model; `agentics run compare` compares solutions"
        return UsageError(f"{root}: no model has a result here", code="no_results", hint=hint)
    if model is not None:
        msg = f"{root}: no model is called {model!r}"
        return UsageError(msg, code="unknown_variant", hint=f"{option} is one of {listed}")
    return UsageError(f"{root}: there are several models", code="ambiguous_variant", hint=f"say {option}: {listed}")


def _cells(row: DetailRow) -> tuple[str, ...]:
    metrics = jsonlib.loads(row.metric) if row.metric else {}
    lacking = f"no verdict ({row.no_verdict.replace('_', ' ')})" if row.no_verdict else row.status
    told = " ".join(f"{name}={value:g}" if isinstance(value, int | float) else name for name, value in metrics.items())
    answer = " / ".join(row.answer) if row.status != "failed" else f"(failed: {_why(row)})"
    cells = (row.doc_id, row.query, answer, " / ".join(row.gold), told or lacking)
    return tuple(one_line(cell, _SHOWN) for cell in cells)


def _judges(row: DetailRow) -> str:
    """What each judge gave, or why it gave nothing, with the words that it was read from."""
    verdicts = (JudgeVerdict.model_validate(each) for each in jsonlib.loads(row.judgements or "[]"))
    return "; ".join(one_line(_judge(each), _SHOWN) for each in verdicts)


def _judge(one: JudgeVerdict) -> str:
    given = f"{one.value:g}" if one.value is not None else one.unread or one.error or "failed"
    said = f" {one.text!r}" if one.text is not None else ""
    return f"{one.judge}: {given}{said}"


def _why(row: DetailRow) -> str:
    return str(jsonlib.loads(row.error).get("message", "")) if row.error else "not answered"


def _number(value: float | None) -> str:
    return f"{value:.4f}" if value is not None else "-"
