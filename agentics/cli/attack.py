"""`agentics doctor --attack`: the attack suite on this machine, its progress on stderr and its table on stdout."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from textwrap import wrap

from rich.markup import escape
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn

from agentics import config as configuration
from agentics.attacks.catalogue import AttackCase
from agentics.attacks.rows import AttackRow
from agentics.attacks.suite import AttackReport, Step, Tell, attack
from agentics.cli.console import err, is_interactive, middle, one_line, out, print_json
from agentics.cli.failure import hidden

_MARKS = {"ok": "[green]ok[/]", "failed": "[red]failed[/]", "not shown": "[yellow]not shown[/]"}
_CASE, _EXPECTED, _FOUND = 24, 37, 5
"""Widths of the columns: with the spaces between them no line is longer than 80."""
_PARTS = {"whole": "the whole suite", "quick": "the quick half", "chosen": "chosen cases"}
_SHORTER = {"participant": "part.", "challenge": "chall.", "infrastructure": "infra."}
_LINE, _INDENT = 80, "    "
_EACH = 10


def run(chosen: Sequence[AttackCase], *, as_json: bool) -> int:
    """Run these cases; the status of the process: 0, or 1 where one failed. Raises EngineMissing and Stopped."""
    with _progress() as tell:
        report = attack(configuration.load(), tell, chosen)
    if as_json:
        print_json(report.document())
    else:
        show(report)
    return 0 if report.ok else 1


@contextmanager
def _progress() -> Iterator[Tell]:
    """A bar on a terminal, a line now and then elsewhere."""
    if not is_interactive():
        yield _line
        return
    columns = (BarColumn(20), MofNCompleteColumn(), TimeElapsedColumn(), TextColumn("{task.description}"))
    with Progress(*columns, console=err, transient=True) as bar:
        task = bar.add_task("starting", total=None)
        yield lambda step: bar.update(
            task, completed=step.done, total=step.total, description=escape(f"{step.group}/{step.case}")
        )


def _line(step: Step) -> None:
    if step.done % _EACH == 0 or step.done == step.total:
        err.print(f"{step.done} of {step.total} cases: {step.group}/{step.case}")


def show(report: AttackReport) -> None:
    """The table on stdout, no line of it longer than 80 characters."""
    machine = report.machine
    out.print(f"{_cell('case', _CASE)} {_cell('expected', _EXPECTED)} {_cell('found', _FOUND)} result", style="bold")
    group = ""
    for row in report.rows:
        if row.group != group:
            group = row.group
            out.print(f"[bold]{group}[/]")
        _show_row(row)
    counts = ", ".join(f"{count} {status}" for status, count in report.counts.items())
    user = "root" if machine.root else "a plain user"
    out.print(f"{_PARTS[report.part]}: {counts}", style="bold")
    out.print(f"{escape(machine.engine)}, {machine.runtime}, {machine.places} places, as {user}")


def _show_row(row: AttackRow) -> None:
    same = row.status == "ok" or row.found == row.expected
    found = "-" if row.status == "not shown" else "same" if same else "other"
    cells = (_cell(row.case, _CASE), _cell(_short(row.expected), _EXPECTED), _cell(found, _FOUND))
    out.print(f"{' '.join(cells)} {_MARKS[row.status]}")
    style = "dim" if row.status == "not shown" else "red"
    if found == "other":
        _say(f"found: {row.found}", style)
    if row.why:
        _say(hidden(row.why), style)


def _say(text: str, style: str) -> None:
    for line in wrap(one_line(text), _LINE - len(_INDENT)):
        out.print(f"{_INDENT}{escape(line)}", style=style)


def _short(ending: str) -> str:
    return " ".join(_SHORTER.get(word, word) for word in ending.split() if word != "-")


def _cell(text: str, width: int) -> str:
    return escape(middle(one_line(text), width).ljust(width))
