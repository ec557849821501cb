"""What a job came to, for people: every metric of every task, and how many answers it rests on."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from pathlib import Path

from rich.markup import escape
from rich.table import Table

from agentics.cli.console import one_line, out
from agentics.model.job.job_result import JobResult, MetricSummary
from agentics.rundir.projections.jobs import job_results, suite_scores
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
    judged = any(result.jury is not None for _, result in found)
    spreads = _spreads(result for _, result in found)
    for column in ("value", *spreads, "answers", *(["verdicts"] if judged else []), "failed", "tokens"):
        table.add_column(column, justify="right", no_wrap=True)
    for view, result in found:
        model = [escape(one_line(view.ids.variant_id))] if several else []
        for index, (name, metric) in enumerate(result.metrics.items()):
            about = _answers(result, judged=judged) if index == 0 else ()
            task = escape(one_line(view.ids.task_id)) if index == 0 else ""
            best = result.primary is not None and name == result.primary.name
            shown = f"[bold]{escape(one_line(name))}[/]" if best else escape(one_line(name))
            table.add_row(task, *(model if index == 0 else [""] * several), shown, *_value(metric, spreads), *about)
    out.print()
    out.print(table)
    for view, result in found:
        for line in (*_ends(result), *_judges(result)):
            out.print(f"{escape(one_line(view.ids.task_id))}: {line}")
    for _, suite in suite_scores(run):
        score = f"{suite.score:.4f}" if suite.score is not None else f"none ({escape(one_line(suite.reason or ''))})"
        missing = f", without {', '.join(suite.missing_tasks)}" if suite.missing_tasks else ""
        partial = [f"{task.task} over {task.n}/{task.of}" for task in suite.tasks if task.task in suite.partial_tasks]
        missing += f", {', '.join(partial)}" if partial else ""
        out.print(f"suite {escape(suite.suite)}@{escape(suite.version)}: [bold]{score}[/]{escape(missing)}")


def _spreads(results: Iterable[JobResult]) -> dict[str, Callable[[MetricSummary], float | None]]:
    """The kinds of ± that there are, by the heads of their columns."""
    kinds: dict[str, Callable[[MetricSummary], float | None]] = {
        "± standard error": lambda metric: metric.stderr,
        "± deviation over seeds": lambda metric: metric.sd,
    }
    metrics = [metric for result in results for metric in result.metrics.values()]
    return {head: of for head, of in kinds.items() if any(of(metric) is not None for metric in metrics)}


def _value(metric: MetricSummary, spreads: Mapping[str, Callable[[MetricSummary], float | None]]) -> tuple[str, ...]:
    found = (of(metric) for of in spreads.values())
    value = f"{metric.mean:.4f}" if metric.mean is not None else "-"
    over = f" over {metric.n}/{metric.of}" if metric.n != metric.of and metric.mean is not None else ""
    return f"{value}{over}", *(f"{spread:.4f}" if spread is not None else "" for spread in found)


def _ends(result: JobResult) -> Iterator[str]:
    """How answers ended that may not say what the model could have said."""
    ends = result.ends
    if ends.truncated:
        allowed = " (allowed)" if ends.truncated_allowed else ""
        yield f"[yellow]{ends.truncated} prompts were cut to fit the model[/]{allowed}"
    if ends.refused:
        yield f"[yellow]{ends.refused} answers were refused[/]"
    if length := ends.finish_reasons.get("length"):
        yield f"[yellow]{length} texts ended at the limit of tokens[/]"


def _judges(result: JobResult) -> Iterator[str]:
    """What kept answers from a verdict, with the judges that gave none."""
    jury = result.jury
    if jury is not None and jury.short:
        yield f"[yellow]{jury.short} answers without a verdict (fewer than {jury.min_judges} judges gave one)[/]"
    if jury is not None and jury.ties:
        yield f"[yellow]{jury.ties} answers without a verdict (tie)[/]"
    for judge in result.judges:
        parts = ((judge.failed, "failed", judge.errors), (judge.parse_failed, "unreadable", judge.unread))
        for count, word, codes in parts:
            if count:
                why = ", ".join(f"{code} {number}" for code, number in codes.items())
                yield escape(one_line(f"judge {judge.name}: {count} of {judge.asked} {word} ({why})", 400))


def _answers(result: JobResult, *, judged: bool) -> tuple[str, ...]:
    counts = result.answers
    tokens = result.completion_tokens
    good = counts.answered + counts.empty
    failed = f"[red]{counts.failed}[/]" if counts.failed else "0"
    jury = result.jury
    verdicts = [f"{jury.judged}/{jury.judged + jury.unjudged}" if jury is not None else ""] if judged else []
    return f"{good}/{counts.asked}", *verdicts, failed, str(tokens) if tokens is not None else ""
