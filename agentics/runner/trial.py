"""A trial while its attempts are carried out: what solutions and models have in common."""

from __future__ import annotations

from typing import Any, Protocol

from agentics import pipeline
from agentics.control.active_attempts import ActiveAttempt, AttemptControls
from agentics.model.document.record import Ids
from agentics.model.evidence.trial_evidence import TrialEvidence
from agentics.model.evidence.verdict import Verdict
from agentics.model.run.directory import TrialInput, TrialResult
from agentics.pipeline.attempt_tools import AttemptTools
from agentics.pipeline.contract.stage import StageFailure
from agentics.pipeline.job_tools import JobTools
from agentics.request.campaign import SolutionPlan
from agentics.request.job import ModelPlan
from agentics.request.planned_trial import PlannedTrial
from agentics.request.trial_images import ReadyImages
from agentics.rundir.trial import Attempt
from agentics.runner.attempt_store import AttemptStore, as_experiment
from agentics.runner.run_resources import RunResources
from agentics.stages import registry


class Trial(Protocol):
    """A planned trial and what its run shares. SolutionTrial and ModelTrial are the two there are."""

    @property
    def planned(self) -> SolutionPlan | ModelPlan: ...

    def going_on(self, ids: Ids) -> Trial:
        """The trial as its next attempt carries it out: one that was suspended goes on from its checkpoints."""

    def input(self, ids: Ids) -> TrialInput:
        """What is written of an attempt before it begins."""

    def limit_s(self) -> float | None:
        """How long an attempt may take, in seconds; None: as long as it takes."""

    def controls(self, ids: Ids) -> AttemptControls:
        """How an attempt can be frozen, and spoken to."""

    def observe(self, active: ActiveAttempt, images: ReadyImages) -> TrialEvidence:
        """Carry out the stages. Raises EngineError."""

    def detail(self, verdict: Verdict) -> str | None:
        """The text about the verdict that anybody may read."""

    def result(self, attempt: Attempt, evidence: TrialEvidence, verdict: Verdict, started_at: str) -> TrialResult:
        """The result that is committed. Metrics only where there is a verdict: an infrastructure fault is no score."""


def blank_evidence(planned: PlannedTrial, images: ReadyImages) -> TrialEvidence:
    """The evidence before anything has run."""
    plan = planned.plan
    return TrialEvidence(
        topology=plan.topology,
        mode=plan.mode,
        target=plan.target,
        trust=plan.trust,
        images={side: image.use for side, image in images.items()},
        submission=planned.resume.submission if planned.resume is not None else None,
    )


def run_stages(
    resources: RunResources,
    planned: PlannedTrial,
    active: ActiveAttempt,
    tools: AttemptTools | JobTools,
    images: ReadyImages,
) -> TrialEvidence:
    """Carry out the plan of a trial with these tools; the evidence with which its stages ended. Raises EngineError."""
    assigned: dict[str, Any] = {"tools": tools, "evidence": blank_evidence(planned, images)}
    ended = pipeline.run(
        as_experiment(planned, active.ids),
        run_id=active.ids.run_id,
        store=AttemptStore(tools, active.attempt.root, resources.run.redactor),
        enable_trace=True,
        assigns=assigned,
        validate_options="error",
        registry=registry(),
        cancel=active,
    )
    if isinstance(ended, StageFailure):
        return ended.context.with_evidence(trouble=ended.trouble).evidence
    return ended.evidence
