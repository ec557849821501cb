"""What hints are made from: of each container of the solution, what was measured and the end of what it wrote."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from agentics.model.evidence.trial_evidence import ContainerRecord, SessionRecord, TrialEvidence
from agentics.policy.verdict import transcript
from agentics.policy.verdict.case_files import ArtifactReader, ExplainedCase, stream_files
from agentics.policy.verdict.endings import MIB
from agentics.policy.verdict.hints import Activity, Symptoms

_TEXT_BYTES = 8192
_TRANSCRIPT_BYTES = 64 << 20
_PHASES: dict[str, Activity] = {"solution_setup": "setup", "solution_build": "build"}
_SCRIPT_OF: dict[Activity, str] = {"setup": "setup", "build": "build", "run": "run", "session": "run"}


def all_symptoms(
    evidence: TrialEvidence, cases: Sequence[ExplainedCase], texts: ArtifactReader
) -> Iterator[tuple[str | None, Symptoms]]:
    """Symptoms of each setup or build that ended badly, each of these cases, a session, and an evaluator that shares
    its container with the solution; with the name of the case, if it is one's."""
    for record in evidence.containers:
        phase = _PHASES.get(record.stage)
        if phase is not None and not record.clean:
            yield None, _symptoms(evidence, record, phase, _log(record, texts))
    for case in cases:
        if case.record is not None:
            yield case.name, case_symptoms(evidence, case, texts)
    if evidence.session is not None:
        yield None, session_symptoms(evidence, evidence.session, texts)
    if evidence.trust == "shared_container":
        last = next((each for each in reversed(evidence.containers) if each.role.endswith("-evaluator")), None)
        if last is not None:
            yield None, _symptoms(evidence, last, "shared", _log(last, texts))


def case_symptoms(evidence: TrialEvidence, case: ExplainedCase, texts: ArtifactReader) -> Symptoms:
    """What is seen of a case that was run."""
    record = case.record
    if record is None:
        msg = f"{case.name}: there is no run of this case"
        raise ValueError(msg)
    streams = {file.name: file for file in stream_files(record)}
    stderr = streams.get("stderr.txt")
    said = texts.part(stderr.ref, _TEXT_BYTES, end=True).decode(errors="replace") if stderr is not None else ""
    symptoms = _symptoms(evidence, record.container, "run", _log(record.container, texts) + said)
    stdout = streams.get("stdout.txt")
    return symptoms.with_more(
        clean=record.clean,
        wrote=stdout is not None and stdout.size_bytes > 0,
        left_files=record.listing is not None or any(file.path.startswith("output/") for file in record.files),
        wants_files=record.interface == "file_system",
    )


def session_symptoms(evidence: TrialEvidence, session: SessionRecord, texts: ArtifactReader) -> Symptoms:
    """What is seen of a session's solution."""
    symptoms = _symptoms(evidence, session.solution, "session", _log(session.solution, texts))
    late = session.solution.ended == "timed_out" or session.evaluator_waiting
    ref = session.transcript_ref
    if not late or session.transcript_truncated or ref is None:
        return symptoms
    said = texts.part(ref, _TRANSCRIPT_BYTES, end=False)
    last, own = transcript.last_chunk(said), transcript.last_chunk(said, "solution")
    return symptoms.with_more(
        last_word=last.speaker if last is not None else None,
        open_line=own is not None and not own.data.endswith(b"\n"),
    )


def _symptoms(evidence: TrialEvidence, record: ContainerRecord, phase: Activity, text: str) -> Symptoms:
    script = next((each for each in evidence.scripts if each.phase == _SCRIPT_OF.get(phase)), None)
    return Symptoms(
        phase=phase,
        ended=record.ended,
        exit_code=record.exit_code,
        clean=record.clean,
        text=text,
        wall_s=record.wall_s,
        cpu_s=record.cpu_s,
        memory_limit_mib=record.memory_limit_bytes // MIB,
        script=script,
    )


def _log(record: ContainerRecord, texts: ArtifactReader) -> str:
    return texts.part(record.log_ref, _TEXT_BYTES, end=True).decode(errors="replace") if record.log_ref else ""
