"""From a run's outcomes to its public view. What is shown is built here, field by field."""

from __future__ import annotations

from collections.abc import Iterable

from agentics.model.run.outcome import RunOutcome, TaskRecord
from agentics.model.run.public_run import PublicCase, PublicMetric, PublicRun, PublicTask


def public_run(run_id: str, outcomes: Iterable[RunOutcome]) -> PublicRun:
    return PublicRun(
        run_id=run_id,
        variants={outcome.model: tuple(_task(record) for record in outcome.tasks.values()) for outcome in outcomes},
    )


def _task(record: TaskRecord) -> PublicTask:
    metric = record.primary_metric
    # Cases of an official evaluation would tell of hidden data; of a validation everything is public already.
    cases = record.subtasks.items() if record.mode == "validation" else ()
    return PublicTask(
        task=record.task,
        status=record.status,
        reason=record.reason,
        fault=record.fault,
        mode=record.mode,
        trust=record.trust,
        primary_metric=PublicMetric(
            metric_name=metric.metric_name,
            value=metric.value,
            direction=metric.direction,
            n=metric.n,
            of=metric.of,
        )
        if metric
        else None,
        cases=tuple(PublicCase(case_name=name, status=case.status, score=case.score) for name, case in cases),
    )
