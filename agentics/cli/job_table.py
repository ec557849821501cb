"""What a job came to, for people: every metric of every task, and how many answers it rests on."""

from __future__ import annotations

from pathlib import Path

from rich.markup import escape
from rich.table import Table

from agentics.cli.console import one_line, out
from agentics.model.jobresult import JobResult, MetricSummary
from agentics.rundir.jobs import job_results, suite_scores
from agentics.rundir.reader import read_run


def show_job(run_dir: Path) -> None:
    """A table on stdout; nothing where no model was asked."""
    run = read_run(run_dir)
    found = list(job_results(run))
    if not found:
        return
    several = len({view.ids.variant_id for view, _ in found}) > 1
    table = Table(box=None, pad_edge=False, header_style="bold")
    table.add_column("task", overflow="fold")
    if several:
        table.add_column("model", overflow="fold")
    table.add_column("metric", no_wrap=True)
    for column in ("value", "±", "answers", "failed", "tokens"):
        table.add_column(column, justify="right", no_wrap=True)
    for view, result in found:
        model = [escape(one_line(view.ids.variant_id))] if several else []
        for index, (name, metric) in enumerate(result.metrics.items()):
            about = _answers(result) if index == 0 else ("", "", "")
            task = escape(one_line(view.ids.task_id)) if index == 0 else ""
            best = result.primary is not None and name == result.primary.name
            shown = f"[bold]{escape(one_line(name))}[/]" if best else escape(one_line(name))
            table.add_row(task, *(model if index == 0 else [""] * several), shown, *_value(metric), *about)
    out.print()
    out.print(table)
    for _, suite in suite_scores(run):
        score = f"{suite.score:.4f}" if suite.score is not None else f"none ({suite.reason})"
        missing = f", without {', '.join(suite.missing_tasks)}" if suite.missing_tasks else ""
        out.print(f"suite {escape(suite.suite)}@{escape(suite.version)}: [bold]{score}[/]{escape(missing)}")


def _value(metric: MetricSummary) -> tuple[str, str]:
    spread = metric.sd if metric.sd is not None else metric.stderr
    value = f"{metric.mean:.4f}" if metric.mean is not None else "-"
    return value, f"{spread:.4f}" if spread is not None else ""


def _answers(result: JobResult) -> tuple[str, str, str]:
    counts = result.answers
    tokens = result.completion_tokens
    good = counts.answered + counts.empty
    failed = f"[red]{counts.failed}[/]" if counts.failed else "0"
    return f"{good}/{counts.asked}", failed, str(tokens) if tokens is not None else ""
