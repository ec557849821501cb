"""From the evidence and the result of an attempt to its explanation. Pure, but for the texts that it is given to read.

`explanation` says everything, for the person who holds the run directory. `outward` says of an official evaluation only
what may leave it: it is built of figures and fixed words.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

from agentics.model.evidence.explanation import (
    CaseExplanation,
    ContainerExplanation,
    EvaluatorExplanation,
    Excerpt,
    Explanation,
    Hint,
    Measurements,
    NamedFile,
)
from agentics.model.evidence.trial_evidence import (
    ContainerRecord,
    SessionRecord,
    TrialEvidence,
    Violation,
)
from agentics.model.run.directory import TrialResult
from agentics.policy.verdict.case_files import (
    STREAMS,
    ArtifactReader,
    CaseFile,
    CasePlace,
    CaseSelection,
    ExplainedCase,
    artifact_path,
    cases_to_explain,
    content,
    files_of,
    log_file,
    session_files,
)
from agentics.policy.verdict.endings import ending
from agentics.policy.verdict.hints import gathered, hints
from agentics.policy.verdict.reasons import advice, what
from agentics.policy.verdict.symptoms import all_symptoms

EXCERPT_BYTES = 1000
DETAILED = 10
"""So many cases have excerpts. What the others wrote is in their files."""
_LINES, _LINE = 20, 400
_MOST_NAMES = 50
_EXCERPTS = {"stdin.txt": "stdin", "stdout.txt": "stdout", "stderr.txt": "stderr", "transcript.txt": "transcript"}
_EXPLAINED = frozenset({"degraded", "failed", "error", "no_samples"})


@dataclass(frozen=True, kw_only=True)
class ExplainedAttempt:
    """An attempt that ended. `trial`: its trial's directory, relative to the run's. `places`: the files that are
    written for its cases and its session, by their names."""

    trial: str
    result: TrialResult
    evidence: TrialEvidence | None
    places: Mapping[str, CasePlace] = field(default_factory=dict)


def is_explained(result: TrialResult) -> bool:
    """Whether there is something to explain: of a trial that passed there is not."""
    return result.ext.status in _EXPLAINED


def explanation(attempt: ExplainedAttempt, texts: ArtifactReader) -> Explanation:
    evidence, ext = attempt.evidence, attempt.result.ext
    shared: dict[str, Any] = {**_facts(attempt), "message": _message(attempt.result), "private": ext.mode == "official"}
    if evidence is None:
        return Explanation(**shared, hints=tuple(_advice(ext.reason)))
    picked = cases_to_explain(evidence)
    seen = tuple(gathered((name, hints(each)) for name, each in all_symptoms(evidence, picked.cases, texts)))
    return Explanation(
        **shared,
        cases_total=picked.total,
        matched=picked.matched,
        cases=tuple(_cases(attempt, picked, texts)),
        session=_session(attempt, evidence.session, texts) if evidence.session is not None else None,
        containers=tuple(_containers(evidence, texts)),
        evaluator=evaluator_explanation(evidence, texts),
        failures=evidence.job.failures if evidence.job is not None else (),
        hints=seen or tuple(_advice(ext.reason)),
    )


def outward(attempt: ExplainedAttempt) -> Explanation:
    """What of an official evaluation may leave the run directory: codes and figures, cases by their aliases.

    `message` is there only where the trial's result has one for everybody (`policy.exposure.shown_detail`).
    """
    evidence, ext = attempt.evidence, attempt.result.ext
    bad = [case for case in evidence.cases if not case.clean] if evidence is not None else []
    ended_badly = [record for record in evidence.containers if not record.clean] if evidence is not None else []
    return Explanation(
        **_facts(attempt),
        message=ext.details.traceback if ext.details is not None else None,
        cases_total=len(evidence.cases) if evidence is not None else 0,
        cases=tuple(CaseExplanation(name=each.alias, measured=measured(each.container)) for each in bad),
        containers=tuple(ContainerExplanation(role=_role(record), measured=measured(record)) for record in ended_badly),
        hints=tuple(_advice(ext.reason)),
        withheld=f"{attempt.trial}/explanation.json",
    )


def case_explanation(
    place: CasePlace | None, case: ExplainedCase, texts: ArtifactReader, excerpt_bytes: int
) -> CaseExplanation:
    """One case with excerpts of this size; none for 0."""
    record = case.record
    if record is None:
        return CaseExplanation(name=case.name, evaluator=case.verdict)
    files = {file.name: file for file in files_of(record)} if excerpt_bytes else {}
    return CaseExplanation(
        name=record.run_name,
        alias=record.alias,
        evaluator=case.verdict,
        measured=measured(record.container, record.violation),
        violation=record.violation,
        folder=place.folder if place is not None else None,
        given=tuple(
            NamedFile(path=part.path, size_bytes=part.size_bytes, file=_at(place, part.path))
            for part in record.given[:_MOST_NAMES]
        ),
        left=tuple(
            NamedFile(path=f.path, size_bytes=f.size_bytes, file=_at(place, f.path), whole=artifact_path(f.ref))
            for f in record.files[:_MOST_NAMES]
            if f.path not in STREAMS
        ),
        listing=record.listing,
        **_excerpts(place, files, texts, excerpt_bytes),
    )


def session_explanation(
    place: CasePlace | None, session: SessionRecord, texts: ArtifactReader, excerpt_bytes: int
) -> CaseExplanation:
    """A session with excerpts of this size."""
    files = {file.name: file for file in session_files(session)}
    return CaseExplanation(
        name=session.session_name,
        measured=measured(session.solution, session.violation),
        violation=session.violation,
        folder=place.folder if place is not None else None,
        **_excerpts(place, files, texts, excerpt_bytes),
    )


def measured(record: ContainerRecord, violation: Violation | None = None) -> Measurements:
    return Measurements(
        ending=ending(record, violation),
        ended=record.ended,
        exit_code=record.exit_code,
        wall_s=round(record.wall_s, 6),
        time_limit_s=record.timeout_s,
        cpu_s=record.cpu_s,
        memory_peak_bytes=record.memory_peak_bytes,
        memory_limit_bytes=record.memory_limit_bytes,
    )


def _facts(attempt: ExplainedAttempt) -> dict[str, Any]:
    ext = attempt.result.ext
    return {
        "ids": attempt.result.ids,
        "attempt": ext.attempt,
        "mode": ext.mode,
        "status": ext.status,
        "reason": ext.reason,
        "fault": ext.fault,
        "what": what(ext.reason or ext.status),
        "log": f"{attempt.trial}/harness_stdout.log",
    }


def _message(result: TrialResult) -> str | None:
    """The finding behind the reason, where it says more than the reason."""
    message = result.error.message if result.error is not None else None
    return None if message in (result.ext.reason, "") else message


def _advice(reason: str | None) -> Iterator[Hint]:
    text = advice(reason) if reason is not None else None
    if reason is not None and text is not None:
        yield Hint(code=reason, text=text)


def _cases(attempt: ExplainedAttempt, picked: CaseSelection, texts: ArtifactReader) -> Iterator[CaseExplanation]:
    for index, case in enumerate(picked.cases):
        place = attempt.places.get(case.name) if case.record is not None else None
        yield case_explanation(place, case, texts, EXCERPT_BYTES if index < DETAILED else 0)


def _session(attempt: ExplainedAttempt, session: SessionRecord, texts: ArtifactReader) -> CaseExplanation:
    return session_explanation(attempt.places.get(session.session_name), session, texts, EXCERPT_BYTES)


def _containers(evidence: TrialEvidence, texts: ArtifactReader) -> Iterator[ContainerExplanation]:
    """Those that ended badly. What a session's solution wrote is told with the session."""
    session = evidence.session.solution if evidence.session is not None else None
    for record in evidence.containers:
        if not record.clean:
            log = _log(record, texts) if record != session else None
            yield ContainerExplanation(role=_role(record), measured=measured(record), log=log)


def evaluator_explanation(evidence: TrialEvidence, texts: ArtifactReader) -> EvaluatorExplanation | None:
    """What the evaluator said of the whole; None where it did not run."""
    record = next((each for each in reversed(evidence.containers) if each.role.endswith("-evaluator")), None)
    if record is None:
        return None
    result = evidence.reading.result if evidence.reading is not None else None
    lines = tuple(line[:_LINE] for line in result.logs[-_LINES:]) if result is not None else ()
    # What a container that ended badly wrote is told with the container.
    log = _log(record, texts) if record.clean else None
    return EvaluatorExplanation(status=result.status if result is not None else None, logs=lines, log=log)


def _log(record: ContainerRecord, texts: ArtifactReader) -> Excerpt | None:
    if record.log_ref is None:
        return None
    return _excerpt(None, log_file("log", record.log_ref, record), texts, EXCERPT_BYTES)


def _excerpts(
    place: CasePlace | None, files: Mapping[str, CaseFile], texts: ArtifactReader, limit: int
) -> dict[str, Any]:
    return {key: _excerpt(place, files[name], texts, limit) for name, key in _EXCERPTS.items() if name in files}


def _excerpt(place: CasePlace | None, file: CaseFile, texts: ArtifactReader, limit: int) -> Excerpt:
    data = content(file, limit, texts)
    cut = len(data) < file.size_bytes if file.source != "transcript" else file.is_part or len(data) >= limit
    return Excerpt(
        text=data.decode(errors="replace"),
        size_bytes=file.size_bytes,
        left_out=("start" if file.end else "end") if cut else None,
        file=_at(place, file.name),
        whole=artifact_path(file.ref) if file.source == "blob" and not file.is_part else None,
    )


def _at(place: CasePlace | None, name: str) -> str | None:
    return f"{place.folder}/{name}" if place is not None and name in place.files else None


def _role(record: ContainerRecord) -> str:
    """`solution setup`, `solution build`, `solution`, `challenge setup`, `separated evaluator`, …"""
    if record.role == "run":
        return "solution"
    return (record.stage if record.stage.startswith("solution_") else record.role).replace("_", " ").replace("-", " ")
