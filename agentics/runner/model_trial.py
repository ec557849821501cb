"""A model's trial: how its stages are carried out with a worker, and what its result says."""

from __future__ import annotations

import re
import time
from collections.abc import Iterable, Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

from agentics.control.active_attempts import ActiveAttempt, AttemptControls
from agentics.model.document.record import Ids
from agentics.model.evidence.trial_evidence import TrialEvidence
from agentics.model.evidence.verdict import Verdict
from agentics.model.job.job_result import JobResult
from agentics.model.job.jobspec import ENDPOINTS
from agentics.model.job.worker_protocol import RequestLimits
from agentics.model.run.directory import Objective, ResultError, ResultExt, TaskPolicy, TrialInput, TrialResult
from agentics.model.run.outcome import Direction, ErrorDetails, PrimaryMetric, SampleSummary, SubtaskRecord
from agentics.pipeline.job_tools import JobTools, Orders, SessionKind
from agentics.policy.network import stages_with_network
from agentics.request.job import ModelPlan
from agentics.request.trial_images import ReadyImages
from agentics.rundir.files import ledger
from agentics.rundir.files.atomic import utc_now
from agentics.rundir.files.layout import Layout
from agentics.rundir.files.safe_files import real
from agentics.rundir.projections.jobs import LEDGERS
from agentics.rundir.trial import Attempt
from agentics.runner.evidence_store import AttemptEvidence
from agentics.runner.run_events import EventEmitter
from agentics.runner.run_resources import RunResources
from agentics.runner.trial import run_stages

_SAMPLES_S = 1.0
"""The shortest time between two events about the samples of an attempt."""


@dataclass(frozen=True)
class ModelTrial:
    """A model on a task."""

    resources: RunResources
    planned: ModelPlan

    def going_on(self, ids: Ids) -> ModelTrial:  # noqa: ARG002 - what is known of a model is in its answers
        return self

    def input(self, ids: Ids) -> TrialInput:
        trial = self.planned
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

    def limit_s(self) -> float:
        """What the experiment says, and the operator."""
        own = self.resources.campaign.request.trial_timeout_s
        limit = self.resources.config.lighteval.limits.task_s
        return limit if own is None else min(own, limit)

    def controls(self, ids: Ids) -> AttemptControls:  # noqa: ARG002 - the workers of all trials of this model
        return AttemptControls(hosts=lambda: self.resources.workers.hosts_of(self.planned.variant))

    def observe(self, active: ActiveAttempt, images: ReadyImages) -> TrialEvidence:
        """Carry out the stages. Raises EngineError when no worker can be had, or it dies."""
        resources, trial = self.resources, self.planned
        evidence = run_stages(resources, trial, active, _tools(resources, trial, active), images)
        given = resources.network.use if resources.network is not None and trial.job.in_container else None
        told = {"worker_network": given if stages_with_network(trial.plan) else None}
        return _with_our_paths(trial, evidence).model_copy(update=told)

    def detail(self, verdict: Verdict) -> str | None:
        return verdict.detail

    def result(self, attempt: Attempt, evidence: TrialEvidence, verdict: Verdict, started_at: str) -> TrialResult:
        return _result(self.planned, attempt, evidence, verdict, started_at)


def _with_our_paths(trial: ModelPlan, evidence: TrialEvidence) -> TrialEvidence:
    """What failed, told with the folders of this machine instead of the worker's own."""
    worker = trial.plan.worker
    folders = {mount.target: str(trial.job.paths[mount.place]) for mount in worker.mounts} if worker else {}
    # A worker that is a process has them below a folder of its own.
    places = re.compile(rf"(?:/[^\s:\"']*)?({'|'.join(map(re.escape, folders))})(?=[/\s:\"']|$)") if folders else None

    def ours(text: str) -> str:
        return text if places is None else places.sub(lambda match: folders[match[1]], text)

    trouble, job = evidence.trouble, evidence.job
    changed: dict[str, Any] = {}
    if trouble is not None:
        changed["trouble"] = trouble.model_copy(update={"message": ours(trouble.message)})
    if job is not None:
        told = (
            {"message": ours(each.message), "traceback": ours(each.traceback) if each.traceback else None}
            for each in job.failures
        )
        failures = tuple(each.model_copy(update=new) for each, new in zip(job.failures, told, strict=True))
        changed["job"] = job.model_copy(update={"failures": failures})
    return evidence.model_copy(update=changed)


def _result(
    trial: ModelPlan, attempt: Attempt, evidence: TrialEvidence, judgement: Verdict, started_at: str
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


def _tools(resources: RunResources, trial: ModelPlan, active: ActiveAttempt) -> JobTools:
    ids, root = active.ids, active.attempt.root
    worker, limits = trial.plan.worker, resources.config.lighteval.limits
    if worker is None:
        msg = "a job's plan has a worker"
        raise AssertionError(msg)

    events = _SampleEvents(resources.events, {"trial_id": ids.trial_id, "attempt": active.attempt.number})

    def observe(event: Any, **facts: Any) -> None:  # noqa: ANN401 - by kind of event
        if event == "samples_done":
            events.tell(facts)
        resources.tell(event, trial, ids, **facts)

    @contextmanager
    def session(kind: SessionKind) -> Iterator[Orders]:
        with ExitStack() as stack:
            # The start of a worker, and waiting for another trial of this model, are no time of the task.
            with resources.active_attempts.waiting(active):
                orders = stack.enter_context(resources.workers.session(trial.variant, worker.of(kind), kind, active))
            yield orders

    return JobTools(
        plan=trial.plan,
        keep=AttemptEvidence(resources.run.artifacts, root),
        interrupt=active,
        observer=observe,
        session=session,
        answers=lambda: _known(resources, ids, "answers"),
        judgements=lambda: _known(resources, ids, "judgements"),
        told=lambda name: ledger.read(root / f"{name}.jsonl", LEDGERS[name]),
        limits=RequestLimits(request_s=limits.request_s, consecutive_failures=limits.consecutive_failures),
    )


@dataclass
class _SampleEvents:
    """Tells programs how far an attempt is: an event is written to the disk, so not every batch of answers is one."""

    emitter: EventEmitter
    about: Mapping[str, Any]
    next: float = 0.0

    def tell(self, facts: Mapping[str, Any]) -> None:
        now = time.monotonic()
        if now >= self.next or facts["done"] == facts["total"]:
            self.next = now + _SAMPLES_S
            counts = {key: facts[key] for key in ("stage", "done", "total")}
            self.emitter.emit("samples_done", **self.about, **counts, failed=sum(facts["failures"].values()))


def _known(resources: RunResources, ids: Ids, name: str) -> Iterable[Any]:
    """What earlier attempts got, and the runs that were named: by key, the newest. What failed is asked for again."""
    found: dict[str, Any] = {}
    for path in _ledgers(resources, ids, f"{name}.jsonl"):
        for line in ledger.read(path, LEDGERS[name]):
            if line.error is None:
                found[line.key] = line
    return found.values()


def _ledgers(resources: RunResources, ids: Ids, name: str) -> Iterator[Path]:
    for root in resources.campaign.request.answers_from:
        yield from sorted(Layout(real(root)).trials.glob(f"*/attempts/*/{name}"))
    place = resources.run.layout.trial(ids.trial_id)
    yield from (place.attempt(number) / name for number in place.attempt_numbers())


def _primary(job: JobResult | None) -> PrimaryMetric | None:
    if job is None or job.primary is None or job.primary.value is None:
        return None
    direction: Direction = "maximize" if job.primary.higher_is_better else "minimize"
    primary = job.primary
    return PrimaryMetric(metric_name=primary.name, value=primary.value, direction=direction, n=primary.n, of=primary.of)


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
