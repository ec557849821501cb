"""Findings of a check as linters write them: place, code, what is wrong, and what to do.

One line each, for programs; on a terminal a line that is too long for it goes on below, indented.
"""

from __future__ import annotations

from collections.abc import Iterable
from textwrap import wrap

from rich.cells import cell_len
from rich.markup import escape

from agentics.cli.console import err, one_line
from agentics.model.document.finding import Finding, shown_pointer

_INDENT = "    "


def show_findings(findings: Iterable[Finding]) -> None:
    for finding in findings:
        place = one_line(finding.file + (f":{finding.line}:{finding.column}" if finding.line else ""))
        pointer = one_line(shown_pointer(finding.pointer))
        style = "red" if finding.severity == "error" else "yellow"
        head = f"[bold]{escape(place)}[/]: [{style}]{finding.code}[/]"
        if pointer:
            head += f" [dim]{escape(pointer)}[/]"
        message = one_line(finding.message)
        if cell_len(f"{place}: {finding.code} {pointer} {message}") <= _width():
            err.print(f"{head} {escape(message)}")
        else:
            err.print(head)
            _indented(message)
        if finding.hint:
            _indented(one_line(finding.hint), "hint:")


def _indented(text: str, label: str = "") -> None:
    label = f"{label} " if label else ""
    first, *rest = wrap(text, max(20, _width() - len(_INDENT) - len(label))) or [""]
    err.print(f"{_INDENT}[cyan]{label}[/]{escape(first)}")
    for line in rest:
        err.print(_INDENT + " " * len(label) + escape(line))


def _width() -> int:
    """Columns of the terminal; where there is none, no line is too long."""
    return err.width if err.is_terminal else 1 << 30
