"""The block for a task that went wrong: code, what, measured facts, hint, log, and in a validation the last words.

What an official evaluation's evaluator and cases say or are called is private: there, only codes and figures are shown.
"""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator
from itertools import islice
from pathlib import Path

from rich.markup import escape

from agentics.cli.console import one_line, plain
from agentics.cli.words import STYLES, hint, what
from agentics.errors import StorageError
from agentics.model.evidence import CaseRecord, ContainerRecord, TrialEvidence
from agentics.model.outcome import RunOutcome, TaskRecord
from agentics.model.rundir import TrialResult
from agentics.rundir.artifacts import Artifacts
from agentics.rundir.atomic import read_document
from agentics.rundir.layout import Layout

MIB = 1 << 20
FACTS = 3
LAST_LINES = 6
_TAIL_BYTES = 4096


def block(run_dir: Path, outcome: RunOutcome, record: TaskRecord) -> str:
    """Markup of several lines, from what the run directory holds. What cannot be read there is left out."""
    style, reason = STYLES.get(record.status, "red"), record.reason or record.status
    title = f"{escape(one_line(record.task))} · {escape(one_line(outcome.model))}"
    lines = [f"\n[{style} bold]{record.status}[/] [bold]{escape(reason)}[/] {title}"]
    lines += [_line(name, text) for name, text in _rows(Layout(run_dir), record, reason)]
    return "\n".join(lines)


def _rows(layout: Layout, record: TaskRecord, reason: str) -> Iterator[tuple[str, str]]:
    result, evidence = _read(layout, record)
    fault = f" (fault: {record.fault})" if record.fault else ""
    yield "what", what(reason) + fault
    if result is not None and (said := _said(result)) is not None:
        yield "why", said
    if record.attempts > 1:
        yield "tries", f"{record.attempts} attempts"
    bad = [name for name, subtask in record.subtasks.items() if subtask.status != "passed"]
    if bad:
        yield "cases", f"{len(bad)} of {len(record.subtasks)} not passed: {_some(bad)}"
    if evidence is not None:
        yield from (("fact", fact) for fact in facts(evidence))
    if (mend := hint(reason)) is not None:
        yield "hint", mend
    if record.trial_id is not None:
        yield "log", _short(layout.trial(record.trial_id).root / "harness_stdout.log")
    if evidence is not None and evidence.mode == "validation":
        yield from (("|", line) for line in last_words(evidence, Artifacts(layout.artifacts)))


def facts(evidence: TrialEvidence) -> Iterator[str]:
    """Measured: how each container ended that ended badly, and against which limits. The first few."""
    bad = [f"{_name(record)}: {_measured(record)}" for record in evidence.containers if not record.clean]
    bad += [_case(evidence, case) for case in evidence.cases if not case.clean]
    yield from bad[:FACTS]
    if len(bad) > FACTS:
        yield f"and {len(bad) - FACTS} more ended badly"


def last_words(evidence: TrialEvidence, artifacts: Artifacts) -> Iterator[str]:
    """The last lines of whoever ended badly first: a container's log, or a case's stderr; else the evaluator's log."""
    refs = [record.log_ref for record in evidence.containers if not record.clean]
    refs += [file.ref for case in evidence.cases if not case.clean for file in case.files if file.path == "stderr.txt"]
    refs += [record.log_ref for record in evidence.containers]
    texts = (_tail(artifacts.path(ref)) for ref in refs if ref is not None)
    text = next((text for text in texts if text.strip()), "")
    yield from text.rstrip().splitlines()[-LAST_LINES:]


def _said(result: TrialResult) -> str | None:
    """Of an official evaluation only what was found fit to be shown: the message may quote private data."""
    if result.ext.mode == "validation":
        return result.error.message if result.error is not None else None
    return result.ext.details.traceback if result.ext.details is not None else None


def _read(layout: Layout, record: TaskRecord) -> tuple[TrialResult | None, TrialEvidence | None]:
    if record.trial_id is None:
        return None, None
    place = layout.trial(record.trial_id)
    try:
        return read_document(place.result, TrialResult), read_document(place.evidence, TrialEvidence)
    except StorageError:
        return None, None


def _measured(record: ContainerRecord) -> str:
    ended = "" if record.ended == "exited" else f"{record.ended.replace('_', ' ')}, "
    peak = f", peak {record.memory_peak_bytes / MIB:.0f}" if record.memory_peak_bytes is not None else ", memory"
    return (
        f"{ended}exit code {record.exit_code} after {record.wall_s:.2f} of {record.timeout_s:g} s"
        f"{peak} of {record.memory_limit_bytes // MIB} MiB"
    )


def _name(record: ContainerRecord) -> str:
    return "solution" if record.role == "run" else record.role.replace("-", " ")


def _case(evidence: TrialEvidence, case: CaseRecord) -> str:
    if evidence.mode == "official":
        return f"case {case.alias}: {_measured(case.container)}"
    left = f"; {case.violation.kind}: {case.violation.detail}" if case.violation is not None else ""
    return f"case {case.run_name}: {_measured(case.container)}{left}"


def _tail(path: Path) -> str:
    try:
        with path.open("rb") as file:
            size = file.seek(0, os.SEEK_END)
            file.seek(max(0, size - _TAIL_BYTES))
            return file.read(_TAIL_BYTES).decode(errors="replace")
    except OSError:
        return ""


def _some(names: Iterable[str], most: int = 5) -> str:
    names = list(names)
    more = f" and {len(names) - most} more" if len(names) > most else ""
    return ", ".join(one_line(name, 60) for name in islice(names, most)) + more


def _short(path: Path) -> str:
    here = Path.cwd()
    return str(path.relative_to(here)) if path.is_relative_to(here) else str(path)


def _line(name: str, text: str) -> str:
    if name == "|":
        return f"  [dim]|[/] {escape(plain(text, 300))}"
    return f"  [cyan]{name + ':':7}[/] {escape(one_line(text, 600))}"
