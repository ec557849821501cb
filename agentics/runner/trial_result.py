"""From evidence and judgement to the trial's result file."""

from __future__ import annotations

from agentics.model.bundle.challenge import MetricSchema
from agentics.model.bundle.evaluator_result import Result
from agentics.model.document.record import Status
from agentics.model.evidence.trial_evidence import ContainerRecord, TrialEvidence
from agentics.model.evidence.verdict import Verdict
from agentics.model.run.directory import Objective, ResultError, ResultExt, TrialResult
from agentics.model.run.outcome import ErrorDetails, LimitUsage, PrimaryMetric, SampleSummary, SubtaskRecord
from agentics.policy.publish.exposure import shown_detail
from agentics.policy.verdict.decision import timed_out, unclean_cases
from agentics.request.campaign import SolutionPlan
from agentics.rundir.files.atomic import utc_now
from agentics.rundir.trial import Attempt

MESSAGE = 500
"""So many characters of an evaluator's message are in an outcome; the explanation has more of it."""

_CASE_STATUS: dict[str, Status] = {"passed": "passed", "failed": "failed", "error": "error"}


def trial_result(
    trial: SolutionPlan, attempt: Attempt, evidence: TrialEvidence, judgement: Verdict, started_at: str
) -> TrialResult:
    """Metrics only where there is a verdict: an infrastructure fault is never a score."""
    said = _verdict(evidence, judgement)
    primary = _primary(trial.task.bundle.challenge.metric_schema, said)
    peaks = [peak for peak in (record.memory_peak_bytes for record in _containers(evidence)) if peak is not None]
    return TrialResult(
        ids=attempt.ids,
        outcome=judgement.outcome,
        metrics={metric.metric_name: metric.value for metric in said.aggregate_metrics} if said else {},
        objective=Objective(name=primary.metric_name, value=primary.value, direction=primary.direction)
        if primary
        else None,
        error=_error(judgement),
        ext=ResultExt(
            status=judgement.status,
            reason=judgement.reason,
            fault=judgement.fault,
            mode=evidence.mode,
            trust=evidence.trust,
            attempt=attempt.number,
            started_at=started_at,
            ended_at=utc_now(),
            wall_s=round(sum(record.wall_s for record in _containers(evidence)), 6),
            memory_peak_bytes=max(peaks, default=None),
            usage=_usage(evidence),
            summary=_samples(evidence, said),
            subtasks=_subtasks(evidence, said),
            primary_metric=primary,
            timed_out=timed_out(evidence),
            load=evidence.load,
            setup=evidence.setup,
            parent=dict(trial.ext) or None,
            details=ErrorDetails(
                error_type=judgement.reason or "error",
                traceback=shown_detail(judgement, trial.task.bundle.challenge, evidence.mode),
            )
            if judgement.status == "error"
            else None,
        ),
    )


def _containers(evidence: TrialEvidence) -> list[ContainerRecord]:
    return [*evidence.containers, *(case.container for case in evidence.cases)]


def _usage(evidence: TrialEvidence) -> LimitUsage | None:
    """Of the containers that ran the solution; None where it did not come to that."""
    records = [case.container for case in evidence.cases]
    if evidence.session is not None:
        records.append(evidence.session.solution)
    if evidence.trust == "shared_container":
        records += [record for record in evidence.containers if record.role.endswith("-evaluator")]
    if not records:
        return None
    peaks = [record.memory_peak_bytes for record in records if record.memory_peak_bytes is not None]
    slowest = max(records, key=lambda record: record.wall_s)
    return LimitUsage(
        slowest_s=round(slowest.wall_s, 6),
        time_limit_s=slowest.timeout_s,
        memory_peak_bytes=max(peaks, default=None),
        memory_limit_bytes=slowest.memory_limit_bytes,
    )


def _verdict(evidence: TrialEvidence, judgement: Verdict) -> Result | None:
    """What the evaluator said, where it decides: not when it reports an error of its own, or the fault is elsewhere."""
    if judgement.outcome not in ("success", "failure") or evidence.reading is None:
        return None
    return evidence.reading.result


def _primary(schema: MetricSchema, said: Result | None) -> PrimaryMetric | None:
    name = schema.ranking.primary_metric_name
    value = next((m.value for m in said.aggregate_metrics if m.metric_name == name), None) if said else None
    if value is None:
        return None
    direction = next(metric.direction for metric in schema.metrics if metric.name == name)
    return PrimaryMetric(metric_name=name, value=value, direction=direction)


def _samples(evidence: TrialEvidence, said: Result | None) -> SampleSummary:
    if evidence.facts.runs_cases:
        bad, total = unclean_cases(evidence)
    else:
        summary = said and (said.official_summary if evidence.mode == "official" else said.validation_summary)
        if not summary:
            return SampleSummary()
        total = summary.total
        bad = total if unclean_cases(evidence)[0] else 0
    if total == 0:
        return SampleSummary(total_samples=0, valid_samples=0, error_count=0)
    rate = round(bad / total, 6)
    return SampleSummary(
        total_samples=total,
        valid_samples=total - bad,
        error_count=bad,
        error_rate=rate,
        invalid_response_rate=rate,
        connectivity_error_rate=0.0,
        response_rate=round(1 - rate, 6),
    )


def _subtasks(evidence: TrialEvidence, said: Result | None) -> dict[str, SubtaskRecord]:
    """The evaluator's public results, of a validation only: an official case is shown to nobody."""
    if said is None or evidence.mode == "official":
        return {}
    shown: dict[str, SubtaskRecord] = {}
    for number, case in enumerate(said.public_results, start=1):
        # Names of cases need not be unique; none may hide another.
        name = case.case_name if case.case_name not in shown else f"{case.case_name}#{number}"
        message = case.message[:MESSAGE] if case.message else None
        shown[name] = SubtaskRecord(status=_CASE_STATUS[case.status], score=case.score, message=message)
    return shown


def _error(judgement: Verdict) -> ResultError | None:
    if judgement.outcome != "error":
        return None
    return ResultError(error_type=judgement.reason or "error", message=judgement.detail or judgement.reason or "")
