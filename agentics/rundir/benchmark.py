"""Reads what an adapter wrote into benchmark/, and believes nothing of it: a problem has its file, line and pointer.

Writes nothing. A file that is missing, no regular file or broken is a value, `Broken`; its code names the file.
"""

from __future__ import annotations

import os
import stat
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, TypeVar

from pydantic import BaseModel, TypeAdapter

from agentics.errors import StorageError
from agentics.model.document.finding import Finding
from agentics.model.document.parsing import Rule, load
from agentics.model.document.record import Ids
from agentics.model.run.benchmark import AdapterManifest, BenchmarkSummary, EvidenceLine, PredictionRecord, ScoreRecord
from agentics.model.run.design import AdapterCommand
from agentics.policy.run.benchmark import manifest_rules, newest, row_rules, summary_rules
from agentics.rundir.files import ledger
from agentics.rundir.files.artifacts import ArtifactStore
from agentics.rundir.grading import unfinished

MANIFEST, PREDICTIONS, SCORES, SUMMARY = "adapter_manifest.json", "predictions.jsonl", "scores.jsonl", "summary.json"
MAX_BYTES = 256 << 20
MAX_FINDINGS = 200
_CODES = {MANIFEST: "adapter_manifest", PREDICTIONS: "predictions", SCORES: "scores", SUMMARY: "summary"}
_LOOK = os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC
_LINES: TypeAdapter[EvidenceLine] = TypeAdapter(EvidenceLine)

M = TypeVar("M", bound=BaseModel)
R = TypeVar("R", PredictionRecord, ScoreRecord)


@dataclass(frozen=True, kw_only=True)
class AdapterOutput:
    """What an adapter said. `summary` is None where it left that to the runner."""

    manifest: AdapterManifest
    predictions: tuple[PredictionRecord, ...]
    scores: tuple[ScoreRecord, ...]
    summary: BenchmarkSummary | None


@dataclass(frozen=True, kw_only=True)
class Broken:
    """`code` is `<file>_missing` or `<file>_invalid` of the first file that is; the findings are those of all."""

    code: str
    findings: tuple[Finding, ...]


@dataclass
class _Reading:
    """One look at the files, and what was found. `label` is how findings name the directory."""

    root: Path
    run_id: str
    label: str
    trials: Mapping[str, Ids]
    codes: list[str] = field(default_factory=list)
    findings: list[Finding] = field(default_factory=list)


def evidence_lines(root: Path) -> tuple[EvidenceLine, ...]:
    """The run's evidence, of each trial the newest attempt's. Raises StorageError where the ledger is damaged."""
    return newest(ledger.read(root / "evidence" / "evidence_records.jsonl", _LINES))


def read_benchmark(root: Path, run_id: str) -> AdapterOutput | Broken | None:
    """What was accepted last; None where no adapter's scores were, or while an adapter is still at work."""
    if unfinished(root) or not (root / "benchmark").exists():
        return None
    return inspect(root, run_id, evidence_lines(root))


def inspect(
    root: Path,
    run_id: str,
    lines: Sequence[EvidenceLine],
    adapter: AdapterCommand | None = None,
    *,
    label: str = "benchmark",
) -> AdapterOutput | Broken:
    """benchmark/ as it lies there, held against the evidence, and against what was asked of the adapter."""
    reading = _Reading(root, run_id, label, {line.ids.trial_id: line.ids for line in lines})
    manifest = _document(reading, MANIFEST, AdapterManifest, manifest_rules(adapter) if adapter else ())
    rules = row_rules(manifest, reading.trials)
    predictions = _rows(reading, PREDICTIONS, PredictionRecord, rules)
    scores = _rows(reading, SCORES, ScoreRecord, rules)
    if adapter and reading.trials and not scores and not reading.codes:
        message = f"no score, and the run has {len(reading.trials)} trials"
        _note(reading, SCORES, [_finding(reading, SCORES, "no_scores", message)])
    summary = _document(reading, SUMMARY, BenchmarkSummary, summary_rules(manifest, run_id))
    if reading.codes or manifest is None:
        return Broken(code=reading.codes[0], findings=tuple(reading.findings))
    return AdapterOutput(
        manifest=manifest, predictions=tuple(predictions.values()), scores=tuple(scores.values()), summary=summary
    )


def _document(reading: _Reading, name: str, model: type[M], rules: Sequence[Rule[M]]) -> M | None:
    data = _read(reading, name)
    if data is None:
        return None
    loaded = load(model, data, f"{reading.label}/{name}", rules)
    _note(reading, name, loaded.findings)
    return loaded.value


def _rows(reading: _Reading, name: str, model: type[R], rules: Sequence[Rule[R]]) -> dict[int, R]:
    """Every sound row by its line. A blank line is none."""
    found: dict[int, R] = {}
    for number, text in enumerate((_read(reading, name) or b"").split(b"\n"), start=1):
        if not text.strip():
            continue
        loaded = load(model, text, f"{reading.label}/{name}", rules)
        _note(reading, name, [replace(finding, line=number) for finding in loaded.findings])
        if loaded.value is not None:
            found[number] = loaded.value
    _once_each(reading, name, found)
    _refs_resolve(reading, name, found)
    return found


def _once_each(reading: _Reading, name: str, rows: Mapping[int, PredictionRecord] | Mapping[int, ScoreRecord]) -> None:
    seen: dict[str, int] = {}
    for number, row in rows.items():
        first = seen.setdefault(row.ids.trial_id, number)
        if first != number:
            message = f"line {first} is about this trial already"
            _note(reading, name, [_finding(reading, name, "duplicate_trial", message, number, "/ids/trial_id")])


def _refs_resolve(
    reading: _Reading, name: str, rows: Mapping[int, PredictionRecord] | Mapping[int, ScoreRecord]
) -> None:
    store, known = ArtifactStore(reading.root / "artifacts" / "sha256"), set[str]()
    for number, row in rows.items():
        for pointer, ref in _refs(row):
            if ref in known:
                continue
            try:
                store.read(ref)
                known.add(ref)
            except StorageError as error:
                found = _finding(reading, name, error.code, error.message, number, pointer)
                _note(reading, name, [found])


def _refs(row: PredictionRecord | ScoreRecord) -> list[tuple[str, str]]:
    if isinstance(row, PredictionRecord):
        ref = row.prediction.artifact_ref
        return [] if ref is None else [("/prediction/artifact_ref", ref)]
    every = [(f"/artifacts/{index}/ref", one.ref) for index, one in enumerate(row.artifacts)]
    return [(pointer, ref) for pointer, ref in every if ref.startswith("artifact:")]


def _read(reading: _Reading, name: str) -> bytes | None:
    """The bytes of a regular file, reached through no link. Else None, and a finding; a summary may be missing."""
    try:
        data: Any = _regular(reading.root / "benchmark", name)
    except FileNotFoundError:
        if name != SUMMARY:
            reading.codes.append(f"{_CODES[name]}_missing")
            reading.findings.append(_finding(reading, name, "missing", "the adapter did not write this file"))
        return None
    except OSError:
        data = "not_a_regular_file"
    if isinstance(data, bytes):
        return data
    message = f"more than {MAX_BYTES >> 20} MiB" if data == "too_large" else "no regular file: links are not followed"
    _note(reading, name, [_finding(reading, name, data, message)])
    return None


def _regular(directory: Path, name: str) -> bytes | str:
    at = os.open(directory, _LOOK | os.O_DIRECTORY)
    try:
        descriptor = os.open(name, _LOOK, dir_fd=at)
    finally:
        os.close(at)
    # Before anything is made of it: a directory cannot even become a file object.
    if not stat.S_ISREG(os.fstat(descriptor).st_mode):
        os.close(descriptor)
        return "not_a_regular_file"
    with os.fdopen(descriptor, "rb") as file:
        data = file.read(MAX_BYTES + 1)
    return "too_large" if len(data) > MAX_BYTES else data


def _note(reading: _Reading, name: str, findings: Sequence[Finding]) -> None:
    if any(finding.severity == "error" for finding in findings):
        reading.codes.append(f"{_CODES[name]}_invalid")
    room = MAX_FINDINGS - len(reading.findings)
    reading.findings.extend(findings[: max(0, room)])
    if 0 <= room < len(findings):
        message = "there are more problems, of which only the first are listed"
        reading.findings.append(_finding(reading, name, "too_many_findings", message))


def _finding(reading: _Reading, name: str, code: str, message: str, line: int = 0, pointer: str = "") -> Finding:
    column = 1 if line else 0
    where = f"{reading.label}/{name}"
    return Finding(code=code, message=message, file=where, line=line, column=column, pointer=pointer)
