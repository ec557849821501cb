"""Which cases an explanation is about, and which files of them people can open: chosen here, written elsewhere.

The files are copies of evidence, bounded for each file and for the trial. Names come from bundles and participants: a
path is made only of names that are safe.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Literal, Protocol

from agentics.model.bundle.evaluator_result import CaseResult
from agentics.model.evidence.explanation import CaseVerdict, Matched
from agentics.model.evidence.trial_evidence import (
    CaseListing,
    CaseRecord,
    ContainerRecord,
    KeptPart,
    OutputFile,
    SessionRecord,
    TrialEvidence,
)
from agentics.policy.verdict import transcript

FILE_BYTES = 64 << 10
TRIAL_BYTES = 8 << 20
FILES_OF_A_CASE = 24
_LONGEST_PATH = 240
_TRANSCRIPT_BYTES = 64 << 20
_MESSAGE = 2000
STREAMS = ("stdout.txt", "stderr.txt")

FileSource = Literal["blob", "solution_said", "evaluator_said", "transcript"]


@dataclass(frozen=True, kw_only=True)
class CaseFile:
    """A file to be written below the case's folder. `ref`: the artifact it comes from; `source`: all of it, or a side
    of a transcript. `size_bytes`: of the whole text. `end`: whether a part of it is its end. `is_part`: whether the
    artifact itself is only a part."""

    name: str
    ref: str
    source: FileSource = "blob"
    size_bytes: int
    end: bool = True
    is_part: bool = False


@dataclass(frozen=True, kw_only=True)
class CasePlace:
    """Where the files of a case are: its folder, relative to the run directory, and the files by their names in it."""

    folder: str
    files: Mapping[str, CaseFile]


class ArtifactReader(Protocol):
    """Where what containers wrote can be read."""

    def part(self, ref: str, limit: int, *, end: bool) -> bytes:
        """At most so many bytes of the start of an artifact, or of its end; nothing where it is not there."""


@dataclass(frozen=True, kw_only=True)
class ExplainedCase:
    """A case to be explained: its record, and the evaluator's verdict on it. One of them may be missing."""

    record: CaseRecord | None
    verdict: CaseVerdict | None

    @property
    def name(self) -> str:
        if self.record is not None:
            return self.record.run_name
        return self.verdict.case_name if self.verdict is not None else ""


@dataclass(frozen=True, kw_only=True)
class CaseSelection:
    """`matched` None: there are no runs of the solution to match the evaluator's cases with."""

    matched: Matched | None
    total: int
    cases: tuple[ExplainedCase, ...] = field(default=())


def cases_to_explain(evidence: TrialEvidence) -> CaseSelection:
    """The cases that are not passed: those of which the evaluator says so, and those that ended badly.

    Where there is a verdict and none of them is known, because the evaluator's cases match no runs or name no cause,
    the runs of which the evaluator said nothing are chosen, too: each may be the cause."""
    everything = every_case(evidence)
    is_known = everything.matched != "none" and any(map(_is_bad, everything.cases))
    has_verdict = evidence.reading is not None and evidence.reading.result is not None
    every_one = has_verdict and not is_known
    shown = [case for case in everything.cases if _is_bad(case) or (every_one and case.verdict is None)]
    return CaseSelection(matched=everything.matched, total=everything.total, cases=tuple(shown))


def every_case(evidence: TrialEvidence) -> CaseSelection:
    """All runs with what the evaluator said of them; before them, its cases that match no run."""
    result = evidence.reading.result if evidence.reading is not None else None
    verdicts = tuple(_verdict(each) for each in result.public_results) if result is not None else ()
    matched, by_alias = match(verdicts, evidence.cases) if evidence.cases else (None, {})
    matches = set(map(id, by_alias.values()))
    lone = [ExplainedCase(record=None, verdict=verdict) for verdict in verdicts if id(verdict) not in matches]
    runs = [ExplainedCase(record=record, verdict=by_alias.get(record.alias)) for record in evidence.cases]
    return CaseSelection(matched=matched, total=len(evidence.cases) or len(verdicts), cases=(*lone, *runs))


def match(
    verdicts: Sequence[CaseVerdict], cases: Sequence[CaseRecord]
) -> tuple[Matched | None, Mapping[str, CaseVerdict]]:
    """The evaluator's verdicts by the alias of a run: by equal names where there are any; else by their order, where
    the counts agree; else none. Of a name that is there twice the first verdict counts."""
    if not verdicts:
        return None, {}
    names = {case.run_name: case.alias for case in cases}
    by_name: dict[str, CaseVerdict] = {}
    for verdict in verdicts:
        if verdict.case_name in names:
            by_name.setdefault(names[verdict.case_name], verdict)
    if by_name:
        return "name", by_name
    if len(verdicts) == len(cases):
        return "order", {case.alias: verdict for case, verdict in zip(cases, verdicts, strict=True)}
    return "none", {}


def files_of(case: CaseRecord) -> Iterator[CaseFile]:
    """The files of a case that people can open: its streams first, then inputs and outputs that are small."""
    for part in case.given:
        if part.path == "stdin.txt" and part.ref is not None:
            yield _part(part, end=False)
    yield from stream_files(case)
    others = [*_given(case), *_left(case)]
    yield from others[:FILES_OF_A_CASE]


def stream_files(case: CaseRecord) -> Iterator[CaseFile]:
    """stdout and stderr, as files or, where a violation kept these out, as tails. Empty ones, too."""
    whole = {file.path: file for file in case.files}
    parts = {part.path: part for part in case.tails}
    for name in STREAMS:
        if name in whole:
            yield CaseFile(name=name, ref=whole[name].ref, size_bytes=whole[name].size_bytes)
        elif name in parts and parts[name].ref is not None:
            yield _part(parts[name], end=True)


def session_files(session: SessionRecord) -> Iterator[CaseFile]:
    """What each side said, who said what, and the solution's stderr. Of what was longer than is kept, the start is."""
    ref, truncated = session.transcript_ref, session.transcript_truncated
    if ref is not None:
        sides: tuple[tuple[str, FileSource, int], ...] = (
            ("stdin.txt", "evaluator_said", session.evaluator_bytes),
            ("stdout.txt", "solution_said", session.solution_bytes),
            ("transcript.txt", "transcript", session.evaluator_bytes + session.solution_bytes),
        )
        for name, source, size in sides:
            yield CaseFile(name=name, ref=ref, source=source, size_bytes=size, end=not truncated, is_part=truncated)
    if session.solution.log_ref is not None:
        yield log_file("stderr.txt", session.solution.log_ref, session.solution)


def log_file(name: str, ref: str, record: ContainerRecord) -> CaseFile:
    """A container's log. The start is kept of one that was too long."""
    cut = record.log_truncated
    return CaseFile(name=name, ref=ref, size_bytes=record.log_bytes, end=not cut, is_part=cut)


def placed(evidence: TrialEvidence, picked: CaseSelection, folders: Mapping[str, str]) -> dict[str, CasePlace]:
    """Which files are written for which case or session, by its name, as far as the trial's budget goes. `folders`: the
    folder of each name."""
    wanted: dict[str, Iterator[CaseFile]] = {}
    if evidence.session is not None:
        wanted[evidence.session.session_name] = session_files(evidence.session)
    wanted |= {case.record.run_name: files_of(case.record) for case in picked.cases if case.record is not None}
    found: dict[str, CasePlace] = {}
    budget = TRIAL_BYTES
    for name, files in wanted.items():
        kept: dict[str, CaseFile] = {}
        for file in files:
            size = min(file.size_bytes, FILE_BYTES)
            if size <= budget and _fits(file.name, kept):
                kept[file.name] = file
                budget -= size
        if kept:
            found[name] = CasePlace(folder=folders[name], files=kept)
    return found


def content(file: CaseFile, limit: int, texts: ArtifactReader) -> bytes:
    """At most so many bytes of a file: of its start, or of its end."""
    if file.source == "blob":
        return texts.part(file.ref, limit, end=file.end)
    said = texts.part(file.ref, _TRANSCRIPT_BYTES, end=False)
    if file.source == "transcript":
        data = transcript.readable(said).encode()
    else:
        data = transcript.said_by("solution" if file.source == "solution_said" else "evaluator", said)
    return data[-limit:] if file.end else data[:limit]


def artifact_path(ref: str) -> str:
    """The path of an artifact, relative to the run directory."""
    return f"artifacts/sha256/{ref.rpartition('/')[2]}/blob"


def listing_text(listing: CaseListing) -> str:
    """What a case left altogether, for people, where not all of it is kept."""
    folders = f" and {listing.folders} empty directories" if listing.folders else ""
    return (
        f"in all {listing.files} files{folders}, {listing.size_bytes} bytes, of which a part is kept; {listing.digest}"
    )


def is_safe(path: str) -> bool:
    """Whether a path that a participant chose may be used below a case's folder."""
    names = path.split("/")
    plain = all(name not in ("", ".", "..") and not name.startswith(".") and name.isprintable() for name in names)
    return plain and len(path.encode()) <= _LONGEST_PATH and "\\" not in path


def _fits(name: str, others: Mapping[str, CaseFile]) -> bool:
    """Whether a file of this name can lie beside the others: none is a folder of it, and it is a folder of none."""
    above = [name[:at] for at, character in enumerate(name) if character == "/"]
    return not any(other == name or other in above or other.startswith(f"{name}/") for other in others)


def _given(case: CaseRecord) -> Iterator[CaseFile]:
    for part in case.given:
        if part.path != "stdin.txt" and part.ref is not None and is_safe(part.path):
            yield _part(part, end=False)


def _left(case: CaseRecord) -> Iterator[CaseFile]:
    """Small files only: a part of a file in a format of its own is of no use."""
    small: Iterator[OutputFile] = (file for file in case.files if file.size_bytes <= FILE_BYTES)
    for file in small:
        if file.path not in STREAMS and is_safe(file.path):
            yield CaseFile(name=file.path, ref=file.ref, size_bytes=file.size_bytes)


def _part(part: KeptPart, *, end: bool) -> CaseFile:
    return CaseFile(name=part.path, ref=part.ref or "", size_bytes=part.size_bytes, end=end, is_part=True)


def _verdict(said: CaseResult) -> CaseVerdict:
    message = said.message[:_MESSAGE] if said.message else None
    return CaseVerdict(case_name=said.case_name, status=said.status, score=said.score, message=message)


def _is_bad(case: ExplainedCase) -> bool:
    unclean = case.record is not None and not case.record.clean
    return unclean or (case.verdict is not None and case.verdict.status != "passed")
