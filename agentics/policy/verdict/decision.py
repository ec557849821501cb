"""Evidence in, judgement out. The only place that blames.

In the order of the rules: what stopped the trial, then how the evaluator ended, then what it said, then how the
participant's own cases ended. An infrastructure fault is never a score.
"""

from __future__ import annotations

from agentics.model.bundle.evaluator_result import Result
from agentics.model.document.record import Fault, Status
from agentics.model.evidence.trial_evidence import ContainerRecord, SessionRecord, TrialEvidence, Trouble
from agentics.model.evidence.verdict import Verdict
from agentics.model.job.jobspec import ENDPOINTS
from agentics.policy.jobs.job_result import judge_job

_BAD_END = {
    "timed_out": "timed_out",
    "out_of_memory": "out_of_memory",
    "output_limit": "output_limit",
    "disk_limit": "disk_limit",
    "killed": "killed",
    "exited": "crashed",
}
_VERDICTS = frozenset({"passed", "degraded", "failed"})


def judge(evidence: TrialEvidence) -> Verdict:
    if evidence.trouble is not None:
        return _stopped(evidence.trouble)
    if evidence.job is not None:
        return judge_job(evidence.job, endpoint=evidence.target in ENDPOINTS)
    ended = _not_apart(evidence) or _evaluator_end(evidence)
    if ended is not None:
        return ended
    reading = evidence.reading
    if reading is None or reading.result is None or reading.result.status == "error":
        used_up = _used_up(evidence)
        if used_up is not None:
            return used_up
    if reading is None or reading.result is None:
        code = reading.problem if reading and reading.problem else "result_missing"
        return _error(code, "challenge", reading.detail if reading else None)
    return _said(reading.result, evidence)


def bad_end(record: ContainerRecord) -> str:
    """One word for how a container ended badly: timed_out, out_of_memory, output_limit, disk_limit, killed, crashed."""
    return _BAD_END[record.ended]


def timed_out(evidence: TrialEvidence) -> bool:
    """Whether a time limit ended a container of the attempt, or the attempt as a whole."""
    records = [*evidence.containers, *(case.container for case in evidence.cases)]
    late = evidence.trouble is not None and evidence.trouble.code == "trial_time_limit"
    return late or any(record.ended == "timed_out" for record in records)


def doubts_what_was_measured(judgement: Verdict, evidence: TrialEvidence) -> bool:
    """Whether the machine was too busy for what the attempt measured: a verdict, or a time limit that was passed."""
    if evidence.load is None or not evidence.load.doubtful:
        return False
    return judgement.status in _VERDICTS or (judgement.fault != "infrastructure" and timed_out(evidence))


def unclean_cases(evidence: TrialEvidence) -> tuple[int, int]:
    """How many of the participant's own cases ended badly, and how many there were."""
    if evidence.session is not None:
        return int(_session_unclean(evidence.session)), 1
    return sum(not case.clean for case in evidence.cases), len(evidence.cases)


def _stopped(trouble: Trouble) -> Verdict:
    if trouble.fault == "participant":
        return _participant(trouble.code, trouble.message)
    if trouble.code == "no_cases":
        return Verdict(status="no_samples", reason="no_samples", outcome="missing")
    if trouble.code == "interrupted":
        return Verdict(status="pending", reason="interrupted", outcome="error")
    return _error(trouble.code, trouble.fault, trouble.message, retryable=trouble.retryable)


def _evaluator_end(evidence: TrialEvidence) -> Verdict | None:
    if evidence.session is not None:
        return _session_end(evidence.session)
    record = _evaluator(evidence)
    if record is None or record.clean:
        return None
    if evidence.trust == "shared_container" and record.ended in ("timed_out", "out_of_memory"):
        # The solution shares this container's clock and memory: what runs dry there is what the solution may use.
        return _participant(f"shared_container_{bad_end(record)}", measured(record))
    return _used_up(evidence) or _error(f"evaluator_{bad_end(record)}", "challenge", measured(record))


def _not_apart(evidence: TrialEvidence) -> Verdict | None:
    """The machine's, where the solution could not be kept out of the evaluator's processes and was not run."""
    record = _evaluator(evidence)
    if record is None or record.shared is None or record.shared.users_apart:
        return None
    detail = f"the runtime {record.runtime} shows users of one container each other's processes"
    return _error("users_not_apart", "infrastructure", detail)


def _evaluator(evidence: TrialEvidence) -> ContainerRecord | None:
    return next((c for c in reversed(evidence.containers) if c.role.endswith("-evaluator")), None)


def _used_up(evidence: TrialEvidence) -> Verdict | None:
    """The participant's, where it held so much of what it shares with the evaluator that this could not end well."""
    record = _evaluator(evidence)
    if record is None or record.shared is None or not record.shared.used_up:
        return None
    found = ", ".join(f"{use.used} of {use.limit} {use.resource}" for use in record.shared.used_up)
    return _participant("shared_container_exhausted", f"the solution held {found}; {measured(record)}")


def _session_end(session: SessionRecord) -> Verdict | None:
    if session.evaluator.clean:
        return None
    if session.first_to_fail == "solution":
        return _participant(f"solution_{bad_end(session.solution)}", measured(session.solution))
    if session.evaluator_waiting:
        return _participant("solution_kept_evaluator_waiting", measured(session.evaluator))
    return _error(f"evaluator_{bad_end(session.evaluator)}", "challenge", measured(session.evaluator))


def _said(result: Result, evidence: TrialEvidence) -> Verdict:
    summary = result.official_summary if evidence.mode == "official" else result.validation_summary
    bad, cases = unclean_cases(evidence)
    if result.status == "error":
        return _error("evaluator_error", "challenge", "the evaluator reports an error of its own")
    if summary is not None and summary.total == 0:
        return Verdict(status="no_samples", reason="no_samples", outcome="missing")
    if result.status == "failed":
        every = cases > 0 and bad == cases
        return Verdict(
            status="failed",
            reason="all_samples_failed" if every else "verdict_fail",
            fault="participant" if every else None,
            outcome="failure",
        )
    partial: tuple[Status, str | None, Fault | None] = ("passed", None, None)
    if bad:
        partial = ("degraded", "partial_errors", "participant")
    elif summary is not None and summary.passed < summary.total:
        partial = ("degraded", "partial_pass", None)
    return Verdict(status=partial[0], reason=partial[1], fault=partial[2], outcome="success")


def _session_unclean(session: SessionRecord) -> bool:
    # After the evaluator has finished well, how the solution ends says nothing: it may just have lost its peer.
    return session.violation is not None or session.first_to_fail == "solution"


def _participant(reason: str, detail: str | None) -> Verdict:
    return Verdict(status="failed", reason=reason, fault="participant", detail=detail, outcome="error")


def _error(reason: str, fault: Fault, detail: str | None, *, retryable: bool = False) -> Verdict:
    return Verdict(
        status="error",
        reason=reason,
        fault=fault,
        detail=detail,
        outcome="error",
        retryable=retryable,
    )


def measured(record: ContainerRecord) -> str:
    """How a container ended, in figures."""
    peak = f", peak {record.memory_peak_bytes / 2**20:.1f} MiB" if record.memory_peak_bytes is not None else ""
    return (
        f"exit code {record.exit_code} after {record.wall_s:.2f} s (limit {record.timeout_s:g} s){peak} "
        f"(limit {record.memory_limit_bytes // 2**20} MiB)"
    )
