"""What containers said, put together for people: one section for each, in the order in which they ran."""

from __future__ import annotations

from collections.abc import Iterable

from agentics.model.evidence import CaseRecord, ContainerRecord, OutputFile, TrialEvidence
from agentics.model.result import CaseResult
from agentics.pipeline.stdout import TRUNCATED
from agentics.policy.endings import ending
from agentics.rundir.artifacts import Artifacts

_NAMES = {"solution_setup": "phase:setup", "solution_build": "phase:build"}
_BEFORE_THE_SETUP = ("setup", "build")


def runner_log(evidence: TrialEvidence, artifacts: Artifacts) -> bytes:
    """Logs of every container, outcomes of the cases, and the evaluator's own log lines."""
    before = [record for record in evidence.containers if record.role in _BEFORE_THE_SETUP]
    after = [record for record in evidence.containers if record.role not in _BEFORE_THE_SETUP]
    sections = [_container(record, evidence.mode, artifacts) for record in before]
    if evidence.setup is not None and evidence.setup.reused:
        text = f"reused: made at {evidence.setup.made_at} for an earlier evaluation"
        sections.append(_section(f"setup-{evidence.mode}", text.encode()))
    sections += [_container(record, evidence.mode, artifacts) for record in after]
    sections += [_case(case) for case in evidence.cases]
    result = evidence.reading.result if evidence.reading else None
    if result and result.logs:
        sections.append(_section("evaluator:result.logs", "\n".join(result.logs).encode()))
    if result and (words := [_word(case) for case in result.public_results if case.status != "passed"]):
        sections.append(_section("evaluator:cases that are not passed", "\n".join(words).encode()))
    if evidence.reading is not None and evidence.reading.detail is not None:
        sections.append(_section("evaluator:result file", evidence.reading.detail.encode()))
    return b"".join(sections)


def solution_stderr(evidence: TrialEvidence, artifacts: Artifacts) -> bytes:
    """What the solution wrote to stderr, case by case; of a session, its log."""
    found = [(f"run:{case.alias}", file.ref) for case in evidence.cases for file in _stderr(case)]
    if evidence.session is not None and evidence.session.solution.log_ref is not None:
        found.append(("participant", evidence.session.solution.log_ref))
    return b"".join(_section(name, artifacts.read(ref)) for name, ref in found)


def _stderr(case: CaseRecord) -> Iterable[OutputFile]:
    return (file for file in case.files if file.path == "stderr.txt" and file.size_bytes)


def _container(record: ContainerRecord, mode: str, artifacts: Artifacts) -> bytes:
    name = _NAMES.get(record.stage, record.role)
    if record.role == "challenge-setup":
        name = f"setup-{mode}"
    elif record.role == "run":
        name = "participant"
    data = artifacts.read(record.log_ref) if record.log_ref else b""
    return _section(name, data + (TRUNCATED if record.log_truncated else b""))


def _word(case: CaseResult) -> str:
    message = f": {case.message}" if case.message else ""
    return f"{case.case_name}: {case.status}, score {case.score:g}{message}"


def _case(case: CaseRecord) -> bytes:
    text = ending(case.container, case.violation)
    if case.violation is not None:
        text += f"; {case.violation.detail}"
    return _section(f"run:{case.alias}:outcome", text.encode())


def _section(name: str, content: bytes) -> bytes:
    body = content if content.endswith(b"\n") or not content else content + b"\n"
    return f"\n===== {name} =====\n".encode() + body
