"""Findings of a check, one line each as linters write them: place, code, what, and how to mend it."""

from __future__ import annotations

from collections.abc import Iterable

from rich.markup import escape

from agentics.cli.console import err, one_line
from agentics.model.finding import Finding, shown_pointer


def show_findings(findings: Iterable[Finding]) -> None:
    for finding in findings:
        place = finding.file + (f":{finding.line}:{finding.column}" if finding.line else "")
        pointer = f" [dim]{escape(one_line(shown_pointer(finding.pointer)))}[/]" if finding.pointer else ""
        style = "red" if finding.severity == "error" else "yellow"
        what = escape(one_line(finding.message))
        err.print(f"[bold]{escape(one_line(place))}[/]: [{style}]{finding.code}[/]{pointer} {what}")
        if finding.hint:
            err.print(f"    [cyan]hint:[/] {escape(one_line(finding.hint))}")
