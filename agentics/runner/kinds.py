"""Solutions on challenges, and models on tasks: what is done differently for the two, and nothing else."""

from __future__ import annotations

from agentics.control.active_attempts import ActiveAttempt, AttemptControls
from agentics.model.document.record import Ids
from agentics.model.evidence.trial_evidence import TrialEvidence
from agentics.model.evidence.verdict import Verdict
from agentics.model.run.directory import TrialInput, TrialResult
from agentics.request.campaign import SolutionPlan
from agentics.request.job import ModelPlan
from agentics.request.trial_images import Images
from agentics.rundir.trial import Attempt
from agentics.runner import model_trial, solution_trial, trial_result
from agentics.runner.run_resources import RunResources

Any = SolutionPlan | ModelPlan


def controls(resources: RunResources, trial: Any, ids: Ids) -> AttemptControls:
    """How an attempt can be held, and spoken to."""
    if isinstance(trial, ModelPlan):
        return AttemptControls(hosts=lambda: resources.workers.hosts_of(trial.variant))
    return AttemptControls(cooperation=solution_trial.cooperation_of(resources.run, trial, ids))


def limit_s(resources: RunResources, trial: Any) -> float | None:
    """How long an attempt may take, in seconds; None: as long as it takes."""
    return (
        model_trial.limit_s(resources) if isinstance(trial, ModelPlan) else resources.campaign.request.trial_timeout_s
    )


def blank(trial: Any, images: Images) -> TrialEvidence:
    """What is known before anything has run."""
    return model_trial.blank(trial, images) if isinstance(trial, ModelPlan) else solution_trial.blank(trial, images)


def trial_input(trial: Any, ids: Ids) -> TrialInput:
    return (
        model_trial.trial_input(trial, ids) if isinstance(trial, ModelPlan) else solution_trial.trial_input(trial, ids)
    )


def observe(resources: RunResources, trial: Any, active: ActiveAttempt, images: Images) -> TrialEvidence:
    """Carry out the stages. Raises EngineError."""
    if isinstance(trial, ModelPlan):
        return model_trial.observe(resources, trial, active, images)
    return solution_trial.observe(resources, trial, active, images)


def detail(trial: Any, judgement: Verdict) -> str | None:
    """What anybody may know of why."""
    return judgement.detail if isinstance(trial, ModelPlan) else solution_trial.detail(trial, judgement)


def result(trial: Any, attempt: Attempt, evidence: TrialEvidence, judgement: Verdict, started_at: str) -> TrialResult:
    if isinstance(trial, ModelPlan):
        return model_trial.result(trial, attempt, evidence, judgement, started_at)
    return trial_result.trial_result(trial, attempt, evidence, judgement, started_at)
