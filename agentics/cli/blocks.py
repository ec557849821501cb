"""The block for a task that is not passed: what and why, the cases, the first of them in full, hints, where more is.

It is made from the trial's explanation. Of an official evaluation that is the whole explanation only where a person
watches; elsewhere it is the part that may be passed on.
"""

from __future__ import annotations

import shlex
import textwrap
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

from rich.markup import escape

from agentics.cli.console import middle, one_line, plain
from agentics.cli.words import STYLES
from agentics.model.evidence.explanation import (
    CaseExplanation,
    ContainerExplanation,
    Excerpt,
    Explanation,
    Hint,
    Measurements,
)
from agentics.model.run.outcome import RunOutcome, TaskRecord
from agentics.policy.verdict.case_files import listing_text
from agentics.policy.verdict.reasons import advice, what

MIB = 1 << 20
MOST_CASES = 6
_MOST_FAILURES = 4
_NAME = 24
_INPUT_LINES, _OUTPUT_LINES, _LOG_LINES = 4, 5, 6
_LABEL = 11
_MATCHED = {
    "order": "matched with the evaluator's cases by their order, as the names differ",
    "none": "the evaluator's cases could not be matched with the runs",
}


@dataclass(frozen=True, kw_only=True)
class BlockRow:
    """A line of a block: a label or a name, and a text; of a quotation, a text alone, as it was written. `cut`: to the
    terminal's width, instead of wrapped."""

    label: str = ""
    name: str = ""
    text: str
    quoted: bool = False
    cut: bool = False
    indent: int = 2


@dataclass(frozen=True, kw_only=True)
class Screen:
    """Where a block is shown. `width`: of the terminal, None where lines need not be wrapped; `alone`: whether the run
    has this one trial, so that a case's name is enough to find it."""

    run_dir: Path
    width: int | None
    alone: bool


def block(screen: Screen, outcome: RunOutcome, record: TaskRecord, told: Explanation | None) -> str:
    """Markup of several lines."""
    style, reason = STYLES.get(record.status, "red"), one_line(record.reason or record.status)
    title = one_line(f"{record.task} · {outcome.model}")
    if screen.width is not None:
        title = middle(title, max(30, screen.width - len(f"{record.status} {reason} ")))
    lines = [f"\n[{style} bold]{record.status}[/] [bold]{escape(reason)}[/] {escape(title)}"]
    lines += [_markup(row, screen.width) for row in _rows(screen, record, told, reason)]
    return "\n".join(lines)


def shown_path(run_dir: Path, path: str = "") -> str:
    """A path of the run directory, from here where that is shorter."""
    place, here = run_dir / path, Path.cwd()
    return str(place.relative_to(here)) if place.is_relative_to(here) else str(place)


def quoted(excerpt: Excerpt, most: int, *, start: bool = False) -> Iterator[str]:
    """At most so many lines of the end of an excerpt, or of its start; what is left out is marked."""
    lines = excerpt.text.rstrip("\n").split("\n")
    marks = ["…"] if len(lines) > most or excerpt.left_out is not None else []
    yield from [*lines[:most], *marks] if start else [*marks, *lines[-most:]]


def usage(measured: Measurements) -> str:
    """`ran (0.20 of 3 s), peak 9 of 128 MiB`."""
    peak = f", peak {measured.memory_peak_bytes / MIB:.0f} of" if measured.memory_peak_bytes is not None else ", memory"
    return f"{measured.ending}{peak} {measured.memory_limit_bytes // MIB} MiB"


def _rows(screen: Screen, record: TaskRecord, told: Explanation | None, reason: str) -> Iterator[BlockRow]:
    fault = f" (fault: {record.fault})" if record.fault else ""
    yield BlockRow(label="what", text=what(reason) + fault)
    if record.detail is not None:
        yield BlockRow(label="why", text=record.detail)
    if told is None:
        if (text := advice(reason)) is not None:
            yield BlockRow(label="hint", text=text)
        return
    if told.private:
        yield BlockRow(label="private", text="what follows holds official data: do not pass it on")
    if told.message is not None:
        yield BlockRow(label="why", text=told.message)
    if record.attempts > 1:
        yield BlockRow(label="tries", text=f"{record.attempts} attempts")
    yield from _failures(told)
    for container in told.containers:
        if told.session is None or container.role != "solution":
            yield from _container(container)
    yield from _cases(told)
    yield from _evaluator(told)
    for hint in told.hints:
        yield from _hint(hint, told)
    yield from _places(screen, told)


def _failures(told: Explanation) -> Iterator[BlockRow]:
    """What a server, a judge or a plugin said, and the end of a traceback."""
    for failure in told.failures[:_MOST_FAILURES]:
        who = f"judge {failure.judge}" if failure.judge is not None else failure.what
        often = f" ({failure.count} times)" if failure.count > 1 else ""
        if failure.what != "order":  # an order's message is why
            yield BlockRow(label="said", text=f"{who}: {failure.code}{often}: {failure.message}")
        lines = (failure.traceback or "").rstrip("\n").split("\n")
        yield from (BlockRow(text=line, quoted=True, indent=4) for line in lines[-_LOG_LINES:] if line)
    if len(told.failures) > _MOST_FAILURES:
        yield BlockRow(text=f"and {len(told.failures) - _MOST_FAILURES} more, in the log", indent=4)


def _container(container: ContainerExplanation) -> Iterator[BlockRow]:
    yield BlockRow(label="fact", text=f"{container.role}: {usage(container.measured)}")
    if container.log is not None:
        yield from _quotation(container.log, _LOG_LINES)


def _cases(told: Explanation) -> Iterator[BlockRow]:
    if told.cases:
        how = f"; {_MATCHED[told.matched]}" if told.matched in _MATCHED else ""
        yield BlockRow(label="cases", text=f"{_count(told)} not passed{how}")
        width = min(_NAME, max(len(one_line(case.name)) for case in told.cases[:MOST_CASES]))
        for case in told.cases[:MOST_CASES]:
            yield BlockRow(
                name=middle(one_line(case.name), _NAME).ljust(width), text=case_line(case), indent=4, cut=True
            )
        if len(told.cases) > MOST_CASES:
            yield BlockRow(text=f"and {len(told.cases) - MOST_CASES} more", indent=4)
    detailed = _detailed(told)
    if detailed is not None:
        yield from _detail(detailed, is_session=told.session is not None)


def _detailed(told: Explanation) -> CaseExplanation | None:
    """The session, or the first case of which more is known than how it ended."""
    return told.session or next((case for case in told.cases if case.given or case.stdout or case.stderr), None)


def case_line(case: CaseExplanation) -> str:
    """What the evaluator said of a case, and how it ended; the more telling of the two first."""
    said = ""
    if case.evaluator is not None:
        said = case.evaluator.message or case.evaluator.status
        if case.evaluator.status == "passed":
            said = f"passed: {said}" if case.evaluator.message else said
        if case.evaluator.case_name != case.name:
            said = f"{case.evaluator.case_name}: {said}"
    left = f" · {case.violation.detail}" if case.violation is not None else ""
    ended = f"{case.measured.ending}{left}" if case.measured is not None else ""
    ran_well = case.violation is None and case.measured is not None and case.measured.exit_code == 0
    parts = (said, ended) if ran_well else (ended, said)
    return " · ".join(one_line(part, 200) for part in parts if part)


def _detail(case: CaseExplanation, *, is_session: bool) -> Iterator[BlockRow]:
    kind = "session" if is_session else "case"
    used = f" · {usage(case.measured)}" if case.measured is not None else ""
    yield BlockRow(label=kind, text=f"{case.name}{used}")
    if case.violation is not None:
        yield BlockRow(label="refused", text=case.violation.detail)
    if case.transcript is not None:
        yield BlockRow(label="said", text=f"{case.transcript.size_bytes} bytes in all")
        yield from _quotation(case.transcript, _LOG_LINES)
    else:
        yield from _text("stdin", case.stdin, _INPUT_LINES, start=True)
        for file in case.given:
            if file.path != "stdin.txt" or (case.stdin is None and file.size_bytes):
                yield BlockRow(label="given", text=f"{file.path}, {file.size_bytes} bytes")
        yield from _text("stdout", case.stdout, _OUTPUT_LINES)
    yield from _text("stderr", case.stderr, _OUTPUT_LINES)
    for file in case.left[:_OUTPUT_LINES]:
        yield BlockRow(label="left", text=f"{file.path}, {file.size_bytes} bytes")
    if case.listing is not None:
        yield BlockRow(label="left", text=listing_text(case.listing))


def _text(label: str, excerpt: Excerpt | None, most: int, *, start: bool = False) -> Iterator[BlockRow]:
    if excerpt is None or (not excerpt.size_bytes and label == "stderr"):
        return
    yield BlockRow(label=label, text=f"{excerpt.size_bytes} bytes" if excerpt.size_bytes else "empty")
    if excerpt.size_bytes:
        yield from _quotation(excerpt, most, start=start)


def _evaluator(told: Explanation) -> Iterator[BlockRow]:
    evaluator = told.evaluator
    if evaluator is None:
        return
    for line in evaluator.logs[-_LOG_LINES:]:
        yield BlockRow(label="evaluator", text=line)
    if evaluator.log is not None and evaluator.log.text.strip():
        yield BlockRow(label="evaluator", text="wrote to its stdout and stderr:")
        yield from _quotation(evaluator.log, _LOG_LINES)


def _hint(hint: Hint, told: Explanation) -> Iterator[BlockRow]:
    everywhere = len(hint.cases) == len(told.cases) > 1
    names = " (every case)" if everywhere else f" ({_some(hint.cases)})" if len(told.cases) > 1 and hint.cases else ""
    yield BlockRow(label="hint", text=hint.text + names)
    if hint.seen and not any(hint.seen in text for text in _quoted_texts(told)):
        yield BlockRow(text=hint.seen, quoted=True, indent=4)


def _quoted_texts(told: Explanation) -> Iterator[str]:
    """What the block quotes anyway."""
    yield from (container.log.text for container in told.containers if container.log is not None)
    detailed = _detailed(told)
    if detailed is not None and detailed.stderr is not None:
        yield detailed.stderr.text
    if told.evaluator is not None and told.evaluator.log is not None:
        yield told.evaluator.log.text


def _places(screen: Screen, told: Explanation) -> Iterator[BlockRow]:
    run_dir = screen.run_dir
    if told.withheld is not None:
        text = f"official data is shown on a terminal only; it is in {shown_path(run_dir, told.withheld)}"
        yield BlockRow(label="private", text=text)
    first = next((case for case in told.cases if case.folder), None) or told.session
    if first is not None and first.folder is not None:
        trial = () if screen.alone else ("--trial", told.ids.trial_id)
        words = ("agentics", "run", "case", shown_path(run_dir), one_line(first.name), *trial)
        yield BlockRow(label="more", text=shlex.join(words))
        yield BlockRow(label="files", text=shown_path(run_dir, first.folder.rpartition("/")[0]))
    yield BlockRow(label="log", text=shown_path(run_dir, told.log))


def _quotation(excerpt: Excerpt, most: int, *, start: bool = False) -> Iterator[BlockRow]:
    yield from (BlockRow(text=line, quoted=True, indent=4) for line in quoted(excerpt, most, start=start))


def _count(told: Explanation) -> str:
    total = max(told.cases_total, len(told.cases))
    return f"{len(told.cases)} of {total}"


def _some(names: Iterable[str], most: int = 4) -> str:
    names = list(names)
    more = f" and {len(names) - most} more" if len(names) > most else ""
    return ", ".join(one_line(name, 60) for name in names[:most]) + more


def _markup(row: BlockRow, width: int | None) -> str:
    """A row as markup. Quotations keep their lines, cut to the terminal's width; other texts are wrapped."""
    if row.quoted:
        room = 300 if width is None else max(20, width - row.indent - 3)
        shown = plain(row.text, room)  # an escaped character takes several columns
        return f"{' ' * row.indent}[dim]|[/] {escape(shown if len(shown) <= room else f'{shown[: room - 1]}…')}"
    label = f"{row.label}:".ljust(_LABEL) if row.label else ""
    start = " " * row.indent + (label or (f"{row.name}  " if row.name else ""))
    text = one_line(row.text, 600)
    room = max(30, width - len(start)) if width is not None else len(text)
    lines = [text if len(text) <= room else f"{text[: room - 1]}…"] if row.cut else _wrapped(text, room)
    first, *rest = lines or [""]
    shown = f"{' ' * row.indent}[cyan]{label}[/]" if label else escape(start)
    return "\n".join([f"{shown}{escape(first)}", *(" " * len(start) + escape(line) for line in rest)])


def _wrapped(text: str, room: int) -> list[str]:
    """Lines of so many columns; a path is not broken."""
    return textwrap.wrap(text, room, break_long_words=False, break_on_hyphens=False) if len(text) > room else [text]
