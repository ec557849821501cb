"""The end of a run, for people: a table of tasks, and for what failed a block with what, why and where to look."""

from __future__ import annotations

from collections.abc import Iterable

from rich.markup import escape
from rich.table import Table

from agentics.cli.console import err, one_line, out
from agentics.model.finding import Finding
from agentics.model.outcome import RunOutcome, TaskRecord

MIB = 1 << 20
_STYLES = {"passed": "green", "degraded": "yellow", "no_samples": "yellow", "skipped": "dim", "pending": "dim"}
_HINTS = {
    "solution_setup_failed": "read the phase's log; scripts run as `sh SCRIPT` in /workspace",
    "solution_build_failed": "read the phase's log; what build leaves in /workspace is read-only afterwards",
    "verdict_fail": "the evaluator ran well and says no; its result file says which cases",
    "all_samples_failed": "every case ended badly; look at the first case's stderr",
    "partial_errors": "some cases ended badly; the attempt's cases ledger says which and how",
    "solution_out_of_memory": "the solution went beyond its memory limit",
    "solution_timed_out": "the solution went beyond its time limit",
    "solution_output_limit": "the solution wrote more than a session may carry",
    "evaluator_crashed": "the evaluator must exit 0 and write a failed result for a participant's fault",
    "result_missing": "the evaluator exited 0 without writing its result file",
    "result_invalid": "the result file breaks its contract; see docs/bundle-format.md",
    "manifest_invalid": "the run or session manifest breaks its contract; `agentics challenge check` says where",
    "engine_missing": "run `agentics doctor`",
    "image_missing": "run `agentics images build`, or map the image in agentics.toml",
}


def show_outcomes(outcomes: Iterable[RunOutcome], *, failures: bool = True) -> None:
    """The table on stdout: it is what was asked for. The blocks on stderr: they are talk."""
    outcomes = list(outcomes)
    table = Table(box=None, pad_edge=False, header_style="bold")
    for column, right in (("task", False), ("variant", False), ("status", False), ("metric", True)):
        table.add_column(column, justify="right" if right else "left", overflow="fold")
    for column in ("value", "time", "memory"):
        table.add_column(column, justify="right")
    for outcome in outcomes:
        for record in outcome.tasks.values():
            table.add_row(*_row(outcome.model, record))
    out.print(table)
    if failures:
        for outcome in outcomes:
            for record in outcome.tasks.values():
                if record.status not in ("passed", "skipped"):
                    err.print(_block(outcome, record))


def show_findings(findings: Iterable[Finding]) -> None:
    """One line each, as linters do: place, code, what, and how to mend it."""
    for finding in findings:
        place = finding.file + (f":{finding.line}:{finding.column}" if finding.line else "")
        pointer = f" [dim]{escape(finding.pointer)}[/]" if finding.pointer else ""
        style = "red" if finding.severity == "error" else "yellow"
        what = escape(one_line(finding.message))
        err.print(f"[bold]{escape(one_line(place))}[/]: [{style}]{finding.code}[/]{pointer} {what}")
        if finding.hint:
            err.print(f"    [cyan]hint:[/] {escape(one_line(finding.hint))}")


def _row(variant: str, record: TaskRecord) -> tuple[str, ...]:
    style = _STYLES.get(record.status, "red")
    metric = record.primary_metric
    return (
        escape(record.task),
        escape(variant),
        f"[{style}]{record.status}[/]" + (f" [dim]{escape(record.reason)}[/]" if record.reason else ""),
        escape(metric.metric_name) if metric else "",
        f"{metric.value:g}" if metric else "-",
        f"{record.wall_s:.2f} s" if record.wall_s is not None else "-",
        f"{record.memory_peak_bytes / MIB:.0f} MiB" if record.memory_peak_bytes is not None else "-",
    )


def _block(outcome: RunOutcome, record: TaskRecord) -> str:
    style = _STYLES.get(record.status, "red")
    lines = [f"\n[{style} bold]{record.status}[/] [bold]{record.reason or ''}[/] {escape(record.task)}"]
    if record.fault:
        lines.append(f"  [bold]fault:[/] {record.fault}")
    if record.diagnostics and record.diagnostics.get("detail"):
        lines.append(f"  [bold]what:[/]  {escape(one_line(str(record.diagnostics['detail'])))}")
    samples = record.summary
    if samples.total_samples:
        bad = samples.error_count if samples.error_count is not None else 0
        lines.append(f"  [bold]cases:[/] {samples.total_samples}, of which {bad} ended badly")
    if record.reason in _HINTS:
        lines.append(f"  [bold]hint:[/]  {_HINTS[record.reason]}")
    if record.trial_id:
        run_dir = outcome.artifacts.model_output_dir.path.rsplit("/", 1)[0]
        lines.append(f"  [bold]look:[/]  {escape(run_dir)}/trials/{escape(record.trial_id)}")
    return "\n".join(lines)
