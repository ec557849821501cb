"""A model's attempt: how its stages are carried out with a worker, and what its result says."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from datetime import datetime
from pathlib import Path
from typing import Any

from agentics import pipeline
from agentics.model.evidence import TrialEvidence
from agentics.model.jobresult import JobResult
from agentics.model.jobspec import ENDPOINTS
from agentics.model.judgement import Judgement as Verdict
from agentics.model.outcome import Direction, ErrorDetails, PrimaryMetric, SampleSummary, SubtaskRecord
from agentics.model.record import Ids
from agentics.model.rundir import Objective, ResultError, ResultExt, TaskPolicy, TrialInput, TrialResult
from agentics.pipeline.jobbench import JobBench
from agentics.policy.network import stages_with_network
from agentics.rundir import ledger
from agentics.rundir.atomic import utc_now
from agentics.rundir.jobs import LEDGERS
from agentics.rundir.layout import Layout
from agentics.rundir.trial import Attempt
from agentics.runner.floor import Ticket
from agentics.runner.images import Images
from agentics.runner.job import JobTrial
from agentics.runner.keeping import AttemptKeeper
from agentics.runner.solutions import came_of
from agentics.runner.stagebook import AttemptStore, as_experiment
from agentics.runner.workshop import Workshop
from agentics.stages import registry


def blank(trial: JobTrial, images: Images) -> TrialEvidence:
    plan = trial.plan
    return TrialEvidence(
        topology=plan.topology,
        mode=plan.mode,
        target=plan.target,
        trust=plan.trust,
        images={side: image.use for side, image in images.items()},
    )


def trial_input(trial: JobTrial, ids: Ids) -> TrialInput:
    spec, plan = trial.job.spec, trial.plan
    task = {
        "challenge_name": plan.challenge_name,
        "target": plan.target,
        "mode": plan.mode,
        "topology": plan.topology,
        "model": spec.backend.model_name,
        "scoring_mode": spec.scoring_mode,
        "jobspec_digest": trial.job.digest,
    }
    network = trial.runtime().network_mode_requested
    policy = TaskPolicy(network=network, sandbox="container" if trial.job.in_container else "process")
    return TrialInput(ids=ids, task=task, policy=policy, ext=dict(trial.ext))


def observe(work: Workshop, trial: JobTrial, ticket: Ticket, images: Images) -> TrialEvidence:
    """Carry out the stages. Raises EngineError when no worker can be had, or it dies."""
    bench = _bench(work, trial, ticket)
    evidence = came_of(
        pipeline.run(
            as_experiment(trial, ticket.ids),
            run_id=ticket.ids.run_id,
            store=AttemptStore(bench, ticket.attempt.root, work.run.redactor),
            enable_trace=True,
            assigns={"bench": bench, "evidence": blank(trial, images)},
            validate_options="error",
            registry=registry(),
            cancel=ticket,
        )
    )
    given = work.network.use if work.network is not None and trial.job.in_container else None
    return evidence.model_copy(update={"worker_network": given if stages_with_network(trial.plan) else None})


def result(
    trial: JobTrial, attempt: Attempt, evidence: TrialEvidence, judgement: Verdict, started_at: str
) -> TrialResult:
    """Metrics only where there is a verdict: what the infrastructure did is never a score."""
    job = evidence.job.result if evidence.job is not None else None
    decided = job if judgement.outcome in ("success", "failure") else None
    primary, ended_at = _primary(decided), utc_now()
    return TrialResult(
        ids=attempt.ids,
        outcome=judgement.outcome,
        metrics={name: metric.mean for name, metric in decided.metrics.items()} if decided else {},
        objective=Objective(name=primary.metric_name, value=primary.value, direction=primary.direction)
        if primary
        else None,
        error=ResultError(error_type=judgement.reason or "error", message=judgement.detail or judgement.reason or "")
        if judgement.outcome == "error"
        else None,
        ext=ResultExt(
            status=judgement.status,
            reason=judgement.reason,
            fault=judgement.fault,
            mode=evidence.mode,
            trust=evidence.trust,
            attempt=attempt.number,
            started_at=started_at,
            ended_at=ended_at,
            wall_s=_seconds(started_at, ended_at),
            summary=_samples(job, endpoint=evidence.target in ENDPOINTS),
            subtasks=_seeds(decided),
            primary_metric=primary,
            parent=dict(trial.ext) or None,
            details=ErrorDetails(error_type=judgement.reason or "error", traceback=judgement.detail)
            if judgement.status == "error"
            else None,
        ),
    )


def _bench(work: Workshop, trial: JobTrial, ticket: Ticket) -> JobBench:
    ids, root = ticket.ids, ticket.attempt.root
    worker = trial.plan.worker
    if worker is None:
        msg = "a job's plan has a worker"
        raise AssertionError(msg)

    def observe(event: Any, **facts: Any) -> None:  # noqa: ANN401 - by kind of event
        work.tell(event, trial, ids, **facts)

    return JobBench(
        plan=trial.plan,
        keep=AttemptKeeper(work.run.artifacts, root),
        interrupt=ticket,
        observer=observe,
        session=lambda kind: work.workers.session(trial.variant, worker.of(kind), kind, ticket),
        answers=lambda: _known(work, ids, "answers"),
        judgements=lambda: _known(work, ids, "judgements"),
        told=lambda name: ledger.read(root / f"{name}.jsonl", LEDGERS[name]),
    )


def _known(work: Workshop, ids: Ids, name: str) -> Iterable[Any]:
    """What earlier attempts got, and the runs that were named: by key, the newest. What failed is asked for again."""
    found: dict[str, Any] = {}
    for path in _ledgers(work, ids, f"{name}.jsonl"):
        for line in ledger.read(path, LEDGERS[name]):
            if line.error is None:
                found[line.key] = line
    return found.values()


def _ledgers(work: Workshop, ids: Ids, name: str) -> Iterator[Path]:
    for root in work.campaign.request.answers_from:
        yield from sorted(Layout(root).trials.glob(f"*/attempts/*/{name}"))
    place = work.run.layout.trial(ids.trial_id)
    yield from (place.attempt(number) / name for number in range(1, place.last_attempt() + 1))


def _primary(job: JobResult | None) -> PrimaryMetric | None:
    if job is None or job.primary is None or job.primary.value is None:
        return None
    direction: Direction = "maximize" if job.primary.higher_is_better else "minimize"
    return PrimaryMetric(metric_name=job.primary.name, value=job.primary.value, direction=direction)


def _seconds(start: str, end: str) -> float:
    """The whole attempt, the worker's start included where it had to be started."""
    return round(max(0.0, (datetime.fromisoformat(end) - datetime.fromisoformat(start)).total_seconds()), 6)


def _samples(job: JobResult | None, *, endpoint: bool) -> SampleSummary:
    """What a server said nothing to counts as invalid; a model of ours may mean it."""
    if job is None:
        return SampleSummary()
    counts = job.answers
    share = (lambda number: round(number / counts.asked, 6)) if counts.asked else (lambda _: None)
    return SampleSummary(
        total_samples=counts.asked,
        valid_samples=counts.answered + (0 if endpoint else counts.empty),
        error_count=counts.failed,
        error_rate=share(counts.failed),
        invalid_response_rate=share(counts.empty if endpoint else 0),
        connectivity_error_rate=share(counts.failed),
        response_rate=share(counts.asked - counts.failed),
    )


def _seeds(job: JobResult | None) -> dict[str, SubtaskRecord]:
    """A subtask for each few-shot seed, where there are several."""
    if job is None or job.primary is None:
        return {}
    seeds = job.metrics[job.primary.name].seeds
    if len(seeds) < 2:  # noqa: PLR2004
        return {}
    return {
        f"seed_{index}": SubtaskRecord(status="passed" if seed.value is not None else "no_samples", score=seed.value)
        for index, seed in enumerate(seeds)
    }
