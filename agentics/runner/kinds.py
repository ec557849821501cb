"""Solutions on challenges, and models on tasks: what is done differently for the two, and nothing else."""

from __future__ import annotations

from agentics.model.document.record import Ids
from agentics.model.evidence.trial_evidence import TrialEvidence
from agentics.model.evidence.verdict import Verdict
from agentics.model.run.directory import TrialInput, TrialResult
from agentics.rundir.trial import Attempt
from agentics.runner import models, results, solutions
from agentics.runner.campaign import Trial
from agentics.runner.floor import Ticket, Ties
from agentics.runner.images import Images
from agentics.runner.job import JobTrial
from agentics.runner.workshop import Workshop

Any = Trial | JobTrial


def ties(work: Workshop, trial: Any, ids: Ids) -> Ties:
    """How an attempt can be held, and spoken to."""
    if isinstance(trial, JobTrial):
        return Ties(hosts=lambda: work.workers.hosts_of(trial.variant))
    return Ties(cooperation=solutions.cooperation_of(work.run, trial, ids))


def limit_s(work: Workshop, trial: Any) -> float | None:
    """How long an attempt may take, in seconds; None: as long as it takes."""
    return models.limit_s(work) if isinstance(trial, JobTrial) else work.campaign.request.trial_timeout_s


def blank(trial: Any, images: Images) -> TrialEvidence:
    """What is known before anything has run."""
    return models.blank(trial, images) if isinstance(trial, JobTrial) else solutions.blank(trial, images)


def trial_input(trial: Any, ids: Ids) -> TrialInput:
    return models.trial_input(trial, ids) if isinstance(trial, JobTrial) else solutions.trial_input(trial, ids)


def observe(work: Workshop, trial: Any, ticket: Ticket, images: Images) -> TrialEvidence:
    """Carry out the stages. Raises EngineError."""
    if isinstance(trial, JobTrial):
        return models.observe(work, trial, ticket, images)
    return solutions.observe(work, trial, ticket, images)


def detail(trial: Any, judgement: Verdict) -> str | None:
    """What anybody may know of why."""
    return judgement.detail if isinstance(trial, JobTrial) else solutions.detail(trial, judgement)


def result(trial: Any, attempt: Attempt, evidence: TrialEvidence, judgement: Verdict, started_at: str) -> TrialResult:
    if isinstance(trial, JobTrial):
        return models.result(trial, attempt, evidence, judgement, started_at)
    return results.trial_result(trial, attempt, evidence, judgement, started_at)
