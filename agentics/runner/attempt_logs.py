"""What containers said, put together for people: one section for each, in the order in which they ran.

Every line that a solution or an evaluator wrote carries a mark. A line without one is the platform's.
"""

from __future__ import annotations

from collections.abc import Iterable

from agentics.model.bundle.evaluator_result import CaseResult
from agentics.model.evidence.trial_evidence import (
    CaseRecord,
    ContainerRecord,
    OutputFile,
    SharedUse,
    TrialEvidence,
)
from agentics.model.job.job_result import JobFailure
from agentics.pipeline.stdout import TRUNCATED
from agentics.policy.verdict.endings import ending
from agentics.policy.verdict.transcript import marked, visible
from agentics.rundir.files.artifacts import ArtifactStore

_NAMES = {"solution_setup": "phase:setup", "solution_build": "phase:build"}
_BEFORE_THE_SETUP = ("setup", "build")
_OF_THE_SOLUTION = ("setup", "build", "run")
SOLUTION, EVALUATOR, WORKER = "solution", "evaluator", "worker"


def runner_log(evidence: TrialEvidence, artifacts: ArtifactStore) -> bytes:
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
        sections.append(_section("evaluator:result.logs", _marked(result.logs)))
    if result and (words := [_word(case) for case in result.public_results if case.status != "passed"]):
        sections.append(_section("evaluator:cases that are not passed", _marked(words)))
    if evidence.reading is not None and evidence.reading.detail is not None:
        sections.append(_section("evaluator:result file", _marked([evidence.reading.detail])))
    if evidence.job is not None:
        sections += [_failure(each) for each in evidence.job.failures]
    if evidence.trouble is not None and not evidence.containers:
        trouble = evidence.trouble
        sections.append(_section(f"{trouble.stage}:{trouble.code}", visible(trouble.message).encode()))
    return b"".join(sections)


def solution_stderr(evidence: TrialEvidence, artifacts: ArtifactStore) -> bytes:
    """What the solution wrote to stderr, case by case; of a session, its log; in a shared container, its own."""
    found = [(f"run:{case.alias}", file.ref) for case in evidence.cases for file in _stderr(case)]
    if evidence.session is not None and evidence.session.solution.log_ref is not None:
        found.append(("participant", evidence.session.solution.log_ref))
    found += [("shared", use.log_ref) for use in _shared(evidence) if use.log_ref is not None]
    return b"".join(_section(name, marked(SOLUTION, artifacts.read(ref))) for name, ref in found)


def _shared(evidence: TrialEvidence) -> Iterable[SharedUse]:
    return (record.shared for record in evidence.containers if record.shared is not None)


def _stderr(case: CaseRecord) -> Iterable[OutputFile]:
    return (file for file in case.files if file.path == "stderr.txt" and file.size_bytes)


def _container(record: ContainerRecord, mode: str, artifacts: ArtifactStore) -> bytes:
    name = _NAMES.get(record.stage, record.role)
    if record.role == "challenge-setup":
        name = f"setup-{mode}"
    elif record.role == "run":
        name = "participant"
    author = SOLUTION if record.role in _OF_THE_SOLUTION else EVALUATOR
    section = _section(name, _cut(author, record.log_ref, artifacts, truncated=record.log_truncated))
    shared = record.shared
    if shared is None or shared.log_ref is None:
        return section
    return section + _section("solution", _cut(SOLUTION, shared.log_ref, artifacts, truncated=shared.log_truncated))


def _cut(author: str, ref: str | None, artifacts: ArtifactStore, *, truncated: bool) -> bytes:
    return marked(author, artifacts.read(ref) if ref else b"") + (TRUNCATED if truncated else b"")


def _marked(lines: Iterable[str]) -> bytes:
    return marked(EVALUATOR, "\n".join(lines).encode())


def _word(case: CaseResult) -> str:
    message = f": {case.message}" if case.message else ""
    return f"{case.case_name}: {case.status}, score {case.score:g}{message}"


def _case(case: CaseRecord) -> bytes:
    text = ending(case.container, case.violation)
    if case.violation is not None:
        text += f"; {case.violation.detail}"
    return _section(f"run:{case.alias}:outcome", visible(text).encode())


def _failure(failure: JobFailure) -> bytes:
    """With a plugin's traceback, where there is one."""
    who = f"judge {visible(failure.judge)}" if failure.judge is not None else failure.what
    said = f"{failure.message}\n{failure.traceback or ''}"
    return _section(f"{who}:{visible(failure.code)} ({failure.count})", marked(WORKER, said.encode()))


def _section(name: str, content: bytes) -> bytes:
    body = content if content.endswith(b"\n") or not content else content + b"\n"
    return f"\n===== {name} =====\n".encode() + body
