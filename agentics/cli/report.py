"""The end of a run, for people: a table of tasks, and a block for what went wrong."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from rich.markup import escape
from rich.table import Table

from agentics.cli.blocks import block
from agentics.cli.console import err, one_line, out
from agentics.cli.words import STYLES, hint
from agentics.model.outcome import RunOutcome, TaskRecord

MIB = 1 << 20
_SHOWN_IN_THE_TABLE = ("passed", "skipped", "pending")


def show_outcomes(run_dir: Path, outcomes: Sequence[RunOutcome]) -> None:
    """The table on stdout: it is what was asked for. The blocks on stderr: they are talk."""
    several = len(outcomes) > 1
    table = Table(box=None, pad_edge=False, header_style="bold")
    for column in ("task", *(["variant"] if several else []), "status"):
        table.add_column(column, overflow="fold", no_wrap=column == "status")
    for column in ("metric", "time", "memory"):
        table.add_column(column, justify="right", no_wrap=column != "metric")
    for outcome in outcomes:
        for record in outcome.tasks.values():
            task, *rest = _row(record)
            table.add_row(task, *([escape(one_line(outcome.model))] if several else []), *rest)
    out.print(table)
    for outcome in outcomes:
        for record in outcome.tasks.values():
            if record.status not in _SHOWN_IN_THE_TABLE:
                err.print(block(run_dir, outcome, record))
    _show_errors(outcomes[:1])


def _show_errors(outcomes: Sequence[RunOutcome]) -> None:
    """What went wrong with the invocation itself is the same for every variant."""
    for error in (error for outcome in outcomes for error in outcome.errors):
        err.print(f"\n[red bold]{error.stage}[/] [bold]{error.error_type}[/]: {escape(one_line(error.message, 2000))}")
        if (mend := hint(error.error_type)) is not None:
            err.print(f"  [cyan]hint:[/] {mend}")


def _row(record: TaskRecord) -> tuple[str, ...]:
    style = STYLES.get(record.status, "red")
    metric = record.primary_metric
    # On a terminal the blocks below say why, and columns are scarce.
    reason = record.reason if not out.is_terminal or record.status in _SHOWN_IN_THE_TABLE else None
    return (
        escape(one_line(record.task)),
        f"[{style}]{record.status}[/]" + (f" [dim]{escape(reason)}[/]" if reason else ""),
        f"{escape(one_line(metric.metric_name))} {metric.value:g}" if metric else "-",
        f"{record.wall_s:.2f} s" if record.wall_s is not None else "-",
        f"{record.memory_peak_bytes / MIB:.0f} MiB" if record.memory_peak_bytes is not None else "-",
    )
