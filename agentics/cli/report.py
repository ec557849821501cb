"""The end of a run, for people: a table of tasks, and a block for what is not passed."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from pathlib import Path

from rich.markup import escape
from rich.table import Table

from agentics.cli.blocks import Screen, block
from agentics.cli.console import err, is_watched, middle, one_line, out
from agentics.cli.failure import show_details
from agentics.cli.words import STYLES
from agentics.model.evidence.explanation import Explanation
from agentics.model.run.outcome import PrimaryMetric, RunOutcome, TaskRecord
from agentics.policy.verdict.reasons import advice
from agentics.rundir.projections.explain import explained, explained_outward
from agentics.rundir.reader import RunView, read_run
from agentics.usecases.evaluate import EndedRun

MIB = 1 << 20
_SHOWN_IN_THE_TABLE = ("passed", "pending")
_LEAST = 12
_GAP = 2


def show_ended(ended: EndedRun) -> None:
    """An evaluation as `show_outcomes` does it, and what is wrong with an adapter's files."""
    show_outcomes(ended.run_dir, ended.outcomes)
    if ended.error is not None:
        show_details(ended.error)


def show_outcomes(run_dir: Path, outcomes: Sequence[RunOutcome]) -> None:
    """The table on stdout: it is what was asked for. The blocks on stderr: they are talk."""
    out.print(_table(outcomes))
    view = read_run(run_dir)
    width = err.width if err.is_terminal else None
    screen = Screen(run_dir=run_dir, width=width, alone=len(view.trials) == 1)
    for outcome in outcomes:
        for record in outcome.tasks.values():
            if record.status not in _SHOWN_IN_THE_TABLE:
                told = _explained(view, outcome.model, record.task)
                err.print(block(screen, outcome, record, told))
    _show_errors(outcomes[:1])


def _explained(view: RunView, variant: str, task: str) -> Explanation | None:
    """The explanation of the first trial of a task that has one. Official data is for a person who watches: a log, or a
    program, may pass on what it reads."""
    whole = is_watched()
    for trial in view.trials:
        if trial.slot[:2] == (variant, task):
            told = explained(view.layout, trial) if whole else explained_outward(view.layout, trial)
            if told is not None:
                return told
    return None


def _table(outcomes: Sequence[RunOutcome]) -> Table:
    several = len(outcomes) > 1
    rows = [(outcome.model, *_row(record)) for outcome in outcomes for record in outcome.tasks.values()]
    heads = ("variant", "task", "status", "metric", "time", "memory")
    order = (1, *((0,) if several else ()), 2, 3, 4, 5)
    room = _room(rows, order, heads)
    table = Table(box=None, pad_edge=False, header_style="bold")
    for index in order:
        table.add_column(heads[index], justify="right" if index > 2 else "left", no_wrap=True)  # noqa: PLR2004 - figures
    for row in rows:
        cells = [middle(cell, room) if index < 2 else cell for index, cell in enumerate(row)]  # noqa: PLR2004 - names
        status, _, reason = cells[2].partition(" ")
        styled = f"[{STYLES.get(status, 'red')}]{status}[/]" + (f" [dim]{escape(reason)}[/]" if reason else "")
        table.add_row(*(styled if index == 2 else escape(cells[index]) for index in order))  # noqa: PLR2004 - status
    return table


def _room(rows: Iterable[Sequence[str]], order: Sequence[int], heads: Sequence[str]) -> int:
    """The columns that there are for a name, so that everything else is shown whole."""
    if not out.is_terminal:
        return 1 << 16
    widths = [max((len(row[index]) for row in rows), default=0) for index in range(len(heads))]
    others = sum(max(widths[index], len(heads[index])) for index in order if index > 1)
    names = [index for index in order if index < 2]  # noqa: PLR2004 - task and variant
    left = out.width - others - _GAP * (len(order) - 1)
    longest = max(widths[index] for index in names)
    return max(_LEAST, longest if sum(widths[index] for index in names) <= left else left // len(names))


def _row(record: TaskRecord) -> tuple[str, str, str, str, str]:
    """Task, status with its reason, metric, time and memory: those of the solution's runs beside their limits, where
    they are known."""
    metric, usage = record.primary_metric, record.usage
    # On a terminal the blocks below say why, and columns are scarce.
    reason = record.reason if not out.is_terminal or record.status in _SHOWN_IN_THE_TABLE else None
    time = f"{record.wall_s:.2f} s" if record.wall_s is not None else "-"
    memory = f"{record.memory_peak_bytes / MIB:.0f} MiB" if record.memory_peak_bytes is not None else "-"
    if usage is not None:
        time = f"{usage.slowest_s:.2f}/{usage.time_limit_s:g} s"
        peak = f"{usage.memory_peak_bytes / MIB:.0f}" if usage.memory_peak_bytes is not None else "-"
        memory = f"{peak}/{usage.memory_limit_bytes // MIB} MiB"
    return (
        one_line(record.task),
        f"{record.status} {one_line(reason)}" if reason else record.status,
        _metric(metric) if metric else "-",
        time,
        memory,
    )


def _metric(metric: PrimaryMetric) -> str:
    """With its coverage, where samples are missing."""
    over = f" over {metric.n}/{metric.of}" if metric.n != metric.of else ""
    return f"{one_line(metric.metric_name)} {metric.value:g}{over}"


def _show_errors(outcomes: Sequence[RunOutcome]) -> None:
    """What went wrong with the invocation itself is the same for every variant."""
    for error in (error for outcome in outcomes for error in outcome.errors):
        kind, message = escape(one_line(error.error_type)), escape(one_line(error.message, 2000))
        err.print(f"\n[red bold]{escape(error.stage)}[/] [bold]{kind}[/]: {message}")
        if (text := advice(error.error_type)) is not None:
            err.print(f"  [cyan]hint:[/] {escape(text)}")
