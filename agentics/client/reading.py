"""What a run left on disk, for programs. Reads only; a file that cannot be believed is an error, not a guess."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any, TypedDict, TypeVar

from agentics.client.failure import Cause, ClientError
from agentics.errors import StorageError
from agentics.model.run.event import RunnerEvent
from agentics.model.run.outcome import RunOutcome
from agentics.rundir.files.atomic import read_document
from agentics.rundir.files.event_log import EventTail
from agentics.rundir.files.safe_files import LEDGER_BYTES, read_file

D = TypeVar("D")
TableRow = dict[str, Any]
"""One JSON object."""


class Analysis(TypedDict):
    summary: TableRow
    comparisons: TableRow


class Evidence(TypedDict):
    evidence: list[TableRow]
    task_chains: list[TableRow]


class BenchmarkFiles(TypedDict):
    """`manifest` and `summary` are None, and the lists empty, where no adapter wrote them."""

    manifest: TableRow | None
    predictions: list[TableRow]
    scores: list[TableRow]
    summary: TableRow | None


def analysis(run: Path) -> Analysis:
    """Raises ClientError (missing_file) where nothing was analysed."""
    place = run / "analysis"
    return {"summary": _needed(place / "summary.json"), "comparisons": _needed(place / "comparisons.json")}


def evidence(run: Path) -> Evidence:
    """Every whole line of both ledgers; none where there is no ledger."""
    place = run / "evidence"
    return {
        "evidence": _rows(place / "evidence_records.jsonl"),
        "task_chains": _rows(place / "task_chain_states.jsonl"),
    }


def benchmark(run: Path) -> BenchmarkFiles:
    place = run / "benchmark"
    return {
        "manifest": _document(place / "adapter_manifest.json"),
        "predictions": _rows(place / "predictions.jsonl"),
        "scores": _rows(place / "scores.jsonl"),
        "summary": _document(place / "summary.json"),
    }


def outcome(run: Path, variant: str | None) -> RunOutcome:
    """The outcome of a variant's directory, of the only one by default. Raises ClientError (missing_file)."""
    names = [variant] if variant is not None else sorted(place.parent.name for place in run.glob("*/run_outcome.json"))
    if len(names) != 1:
        message = f"{run}: {'several outcomes, name a variant: ' + ', '.join(names) if names else 'no outcome'}"
        raise ClientError(Cause(code="missing_file", message=message))
    path = run / names[0] / "run_outcome.json"
    try:
        found = read_document(path, RunOutcome)
    except StorageError as error:
        raise ClientError(Cause(code=error.code, message=error.message)) from error
    return _there(path, found)


def events(run: Path, first: int) -> tuple[RunnerEvent, ...]:
    """The events from number `first` on."""
    try:
        return EventTail(run / "runtime" / "events.jsonl", first - 1).read()
    except StorageError as error:
        raise ClientError(Cause(code=error.code, message=error.message, hint=error.hint)) from error


def _needed(path: Path) -> TableRow:
    return _there(path, _document(path))


def _there(path: Path, found: D | None) -> D:
    if found is None:
        raise ClientError(Cause(code="missing_file", message=f"{path}: missing"))
    return found


def _document(path: Path) -> TableRow | None:
    data = _bytes(path)
    return None if data is None else _row(path, data)


def _rows(path: Path) -> list[TableRow]:
    # What follows the last line feed is being written just now, or its writer died.
    return [_row(path, line) for line in (_bytes(path) or b"").split(b"\n")[:-1]]


def _row(path: Path, data: bytes) -> TableRow:
    try:
        row = json.loads(data)
    except (ValueError, RecursionError) as error:
        raise ClientError(Cause(code="damaged_file", message=f"{path}: {error}")) from error
    if not isinstance(row, dict):
        raise ClientError(Cause(code="damaged_file", message=f"{path}: not a JSON object"))
    return row


def _bytes(path: Path) -> bytes | None:
    try:
        return read_file(path, LEDGER_BYTES)
    except (FileNotFoundError, NotADirectoryError):
        return None
    except StorageError as error:
        raise ClientError(Cause(code=error.code, message=error.message, hint=error.hint)) from error
    except OSError as error:
        raise ClientError(Cause(code="damaged_file", message=f"{path}: {error.strerror or error}")) from error
