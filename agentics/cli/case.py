"""`agentics run case`: one case of a run, whole: what it was given and wrote, how it ended, what was said of it."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Annotated

import typer
from rich.markup import escape

from agentics.cli.arguments import NameReader, RunDir
from agentics.cli.blocks import shown_path, usage
from agentics.cli.console import one_line, out, print_json, print_line
from agentics.model.evidence.explanation import Excerpt
from agentics.policy.verdict.case_files import listing_text
from agentics.rundir.cases import CaseQuery, FoundCase, find_case
from agentics.rundir.reader import read_run

SHOWN_BYTES = 256 << 10
"""More of one text than this is not shown; the path of the whole is."""

EPILOG = """
CASE is a case's name, its alias (`run-0001`), the evaluator's name for it, or the name of a session. Of an official
evaluation it shows official data: do not pass it on.

Examples:

  agentics run case outputs/nightly huge-values

  agentics run case outputs/nightly huge-values --variant mine --json
"""


def add(app: typer.Typer) -> None:
    app.command("case", epilog=EPILOG)(case)


def case(
    run: RunDir,
    name: Annotated[str, typer.Argument(parser=NameReader("CASE"), help="The case.", metavar="CASE")],
    task: Annotated[
        str | None,
        typer.Option(parser=NameReader("--task"), help="Of this task: its reference, or its challenge's name."),
    ] = None,
    variant: Annotated[str | None, typer.Option(parser=NameReader("--variant"), help="Of this variant.")] = None,
    trial: Annotated[
        str | None,
        typer.Option(parser=NameReader("--trial"), metavar="ID", help="Of this trial, also of a fork or a replay."),
    ] = None,
    json: Annotated[bool, typer.Option("--json", help="One JSON object on stdout.")] = False,
    raw: Annotated[bool, typer.Option("--raw", help="Do not escape control characters in what was written.")] = False,
) -> None:
    """Show one case whole: input, output, limits and usage, the evaluator's message, hints, files that it left."""
    view = read_run(run)
    found = find_case(view, CaseQuery(name=name, task=task, variant=variant, trial_id=trial), SHOWN_BYTES)
    if json:
        print_json(_facts(found))
        return
    for line in _lines(found, view.layout.root):
        out.print(line)
    for title, excerpt in _texts(found):
        out.print(f"\n[bold]{title}[/] {_size(excerpt, view.layout.root)}")
        _write(excerpt.text, raw=raw)


def _facts(found: FoundCase) -> dict[str, object]:
    result = found.trial.result
    return {
        "ok": True,
        "command": "run case",
        "ids": found.trial.ids.model_dump(mode="json"),
        "attempt": result.ext.attempt if result is not None else None,
        "mode": found.trial.metadata.scope.mode,
        "private": found.private,
        "case": found.case.model_dump(mode="json"),
        "evaluator": found.evaluator.model_dump(mode="json") if found.evaluator is not None else None,
        "hints": [hint.model_dump(mode="json") for hint in found.hints],
    }


def _lines(found: FoundCase, root: Path) -> Iterator[str]:
    """What is known of the case but for its texts."""
    case, ids = found.case, found.trial.ids
    kind = "session" if found.is_session else "case"
    title = f"{kind} {case.name}" + (f" ({case.alias})" if case.alias else "")
    yield f"[bold]{escape(one_line(title))}[/] {escape(one_line(f'{ids.task_id} · {ids.variant_id} · {ids.trial_id}'))}"
    if found.private:
        yield _row("private", "this holds official data: do not pass it on")
    yield from _said(found)
    if case.measured is not None:
        cpu = f", {case.measured.cpu_s:.2f} s of processor time" if case.measured.cpu_s is not None else ""
        yield _row("ended", f"{usage(case.measured)}{cpu}")
    if case.violation is not None:
        yield _row("refused", f"{case.violation.kind}: {case.violation.detail}")
    for hint in found.hints:
        yield _row("hint", f"{hint.text}{f' ({hint.seen})' if hint.seen else ''}")
    yield from _files(found, root)


def _said(found: FoundCase) -> Iterator[str]:
    """What the evaluator said of the case, or of the whole."""
    word, case = found.case.evaluator, found.case
    if word is not None:
        own = f" (as {word.case_name})" if word.case_name != case.name else ""
        message = f": {word.message}" if word.message else ""
        yield _row("evaluator", f"{word.status}, score {word.score:g}{own}{message}")
    for line in found.evaluator.logs if found.evaluator is not None else ():
        yield _row("evaluator", line)


def _files(found: FoundCase, root: Path) -> Iterator[str]:
    case = found.case
    for file in case.given:
        yield _row("given", f"{file.path}, {file.size_bytes} bytes{_place(file.file, root)}")
    for file in case.left:
        yield _row("left", f"{file.path}, {file.size_bytes} bytes{_place(file.file or file.whole, root)}")
    if case.listing is not None:
        yield _row("left", listing_text(case.listing))
    if found.session is not None:
        yield _row("session", f"the case was played in the session {found.session}, which has what was said")
    if case.folder is not None:
        yield _row("files", shown_path(root, case.folder))


def _texts(found: FoundCase) -> Iterator[tuple[str, Excerpt]]:
    case = found.case
    sides = (("stdin", case.stdin), ("stdout", case.stdout)) if case.transcript is None else ()
    named = (("transcript", case.transcript), *sides, ("stderr", case.stderr))
    yield from ((title, excerpt) for title, excerpt in named if excerpt is not None)
    if found.evaluator is not None and found.evaluator.log is not None:
        yield "the evaluator's stdout and stderr", found.evaluator.log


def _size(excerpt: Excerpt, root: Path) -> str:
    if excerpt.left_out is None:
        return f"[dim]{excerpt.size_bytes} bytes[/]" if excerpt.size_bytes else "[dim]empty[/]"
    which = "the last" if excerpt.left_out == "start" else "the first"
    shown = len(excerpt.text.encode(errors="replace"))
    return f"[dim]{which} {shown} of {excerpt.size_bytes} bytes{escape(_place(excerpt.whole or excerpt.file, root))}[/]"


def _place(path: str | None, root: Path) -> str:
    return f", {one_line(shown_path(root, path))}" if path is not None else ""


def _row(label: str, text: str) -> str:
    return f"  [cyan]{f'{label}:':11}[/]{escape(one_line(text, 2000))}"


def _write(text: str, *, raw: bool) -> None:
    """A text as it is, or fit for a terminal; nothing of an empty one."""
    if text:
        print_line(text.removesuffix("\n"), raw=raw)
