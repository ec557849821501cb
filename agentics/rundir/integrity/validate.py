"""Whether documents are what their models say: of a whole run by the place of each file, of one file by what it says
it is. Every problem with its file, line and JSON pointer."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

from pydantic import BaseModel, ValidationError

from agentics.errors import UsageError
from agentics.model.bundle.manifest import RunManifest, SessionManifest
from agentics.model.bundle.public_challenge import PublicChallenge
from agentics.model.document.finding import Finding
from agentics.model.document.parsing import load, place
from agentics.model.document.problems import explain
from agentics.model.evidence.trial_evidence import (
    CaseRecord,
    ContainerRecord,
    SessionRecord,
    TrialEvidence,
)
from agentics.model.run.directory import InvocationLine
from agentics.model.run.experiment import ResolvedExperiment
from agentics.rundir.files import ledger, safe_files
from agentics.rundir.files.contents import RunFile, files, place_of, versions
from agentics.schemas import DOCUMENTS

VERSIONS = versions(DOCUMENTS)
_BY_NAME: dict[str, type[BaseModel]] = {
    "spec.json": DOCUMENTS["challenge"],
    "agentics.challenge.json": DOCUMENTS["proposal"],
    "agentics.solution.json": DOCUMENTS["solution"],
    "resolved_experiment.json": ResolvedExperiment,
    "evidence.json": TrialEvidence,
    "result.json": DOCUMENTS["result"],
    "runs.json": RunManifest,
    "session.json": SessionManifest,
    "invocations.jsonl": InvocationLine,
    "containers.jsonl": ContainerRecord,
    "cases.jsonl": CaseRecord,
    "sessions.jsonl": SessionRecord,
}
"""What a file is that does not say it itself."""
_CHECKED = (".json", ".jsonl")
MAX_FINDINGS = 1000


def validate(path: Path) -> tuple[int, tuple[Finding, ...]]:
    """How many files were checked, and the findings. `path`: a run directory, or one document or JSON lines."""
    if path.is_dir():
        return _directory(path)
    at = safe_files.real(path)
    root = _run_of(at)
    known = place_of(at.relative_to(root).as_posix()) if root else None
    if known is not None:
        return 1, _file(RunFile(path=str(path), at=at, place=known))
    return 1, _lone(path)


def _directory(root: Path) -> tuple[int, tuple[Finding, ...]]:
    if not (root / "manifest.json").exists():
        return 0, (_finding(str(root), "no_such_run", "no run directory (manifest.json is missing)"),)
    checked = [file for file in files(safe_files.real(root)) if file.at.suffix in _CHECKED and file.form != "bytes"]
    found = [replace(f, file=str(root / file.path)) for file in checked for f in _file(file)]
    if len(found) > MAX_FINDINGS:
        more = _finding(str(root), "too_many_findings", f"{len(found)} findings, of which the first are listed")
        found = [*found[:MAX_FINDINGS], more]
    return len(checked), tuple(found)


def _file(file: RunFile) -> tuple[Finding, ...]:
    if file.place is None:
        return (_finding(file.path, "unknown_file", "no such file is part of a run"),)
    data = file.read()
    if file.form == "document":
        return _document(data, file.path, file.place.model)
    return tuple(_lines(data, file.path, file.place.model, chained=file.form == "ledger"))


def _lone(path: Path) -> tuple[Finding, ...]:
    try:
        data, model = safe_files.read_file(safe_files.real(path), safe_files.LEDGER_BYTES), _BY_NAME.get(path.name)
    except OSError as error:
        msg = f"{path}: cannot be read: {error.strerror or error}"
        raise UsageError(msg, code="unreadable") from error
    if path.suffix == ".jsonl":
        return tuple(_lines(data, str(path), model, chained=True))
    said = _said(data)
    if model is None and isinstance(said, int) and not isinstance(said, bool):
        model = PublicChallenge
    return _document(data, str(path), VERSIONS.get(said, model) if isinstance(said, str) else model)


def _lines(data: bytes, name: str, model: type[BaseModel] | None, *, chained: bool) -> Iterator[Finding]:
    """Findings of each line, and of a last line that was not written whole."""
    lines = data.split(b"\n")
    if lines[-1]:
        yield _finding(name, "torn_line", "the last line does not end", line=len(lines))
    for number, line in enumerate(lines[:-1], start=1):
        for finding in _document(ledger.bare(line) if chained else line, name, model):
            yield replace(finding, line=number)


def _document(data: bytes, name: str, model: type[BaseModel] | None) -> tuple[Finding, ...]:
    known = model or _model_by_version(data)
    if known is not None:
        return load(known, data, name).findings or _strictly(known, data, name)
    said = _said(data)
    if said is None:
        return (_finding(name, "no_schema_version", "it does not say what it is: schema_version is missing"),)
    return (
        _finding(name, "unknown_schema_version", f"schema_version {said!r} is none of ours", pointer="/schema_version"),
    )


def _strictly(model: type[BaseModel], data: bytes, name: str) -> tuple[Finding, ...]:
    """What a reader of ours would put right in silence, and the exported schema does not allow: `"1"` for 1."""
    if model.model_config.get("strict"):
        return ()  # it puts nothing right
    try:
        model.model_validate_json(data, strict=True)
    except ValidationError as errors:
        return place(data, explain(model, json.loads(data), errors), name)
    return ()


def _model_by_version(data: bytes) -> type[BaseModel] | None:
    said = _said(data)
    return VERSIONS.get(said) if isinstance(said, str) else None


def _said(data: bytes) -> str | int | None:
    try:
        value = json.loads(data)
    except (ValueError, RecursionError):  # nested deeper than any document of ours
        return None
    said = value.get("schema_version") if isinstance(value, dict) else None
    return said if isinstance(said, str | int) else None


def _run_of(path: Path) -> Path | None:
    """The run directory that a file lies in, if it does."""
    return next((above for above in path.parents if (above / "runtime" / "invocations.jsonl").exists()), None)


def _finding(file: str, code: str, message: str, *, line: int = 0, pointer: str = "") -> Finding:
    return Finding(code=code, message=message, file=file, line=line, pointer=pointer)
