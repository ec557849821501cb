"""A solution's trial: what it is given, how its stages are carried out, and what is kept of its workspace."""

from __future__ import annotations

import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from typing import Any

from agentics.config import runtime_of
from agentics.content import as_digest
from agentics.control.active_attempts import ActiveAttempt, AttemptControls
from agentics.model.document.record import Ids
from agentics.model.evidence.trial_evidence import TrialEvidence
from agentics.model.evidence.verdict import Verdict
from agentics.model.run.design import COOPERATIVE
from agentics.model.run.directory import Control, TaskPolicy, TrialInput, TrialResult
from agentics.pipeline.attempt_tools import AttemptTools, Resume, Users
from agentics.pipeline.cooperation import Cooperation
from agentics.pipeline.setup_reuse import SetupReuse
from agentics.policy.publish.exposure import shown_detail
from agentics.policy.topologies.parts import COOPERATION_ENV
from agentics.policy.trust import trust_of
from agentics.policy.verdict.machine_load import LoadLimits
from agentics.request.campaign import SolutionPlan
from agentics.request.time_limits import stage_limit_s, timeout_s
from agentics.request.trial_images import ReadyImages, users_of, without_root
from agentics.rundir.trial import Attempt
from agentics.runner.evidence_store import AttemptEvidence, going_on, keep_workspace
from agentics.runner.run_resources import RunResources
from agentics.runner.trial import run_stages
from agentics.runner.trial_result import trial_result
from agentics.sandbox import load
from agentics.sandbox.labels import ATTEMPT, TRIAL


@dataclass(frozen=True)
class SolutionTrial:
    """A solution on a challenge."""

    resources: RunResources
    planned: SolutionPlan

    def going_on(self, ids: Ids) -> SolutionTrial:
        return replace(self, planned=going_on(self.resources.run, self.planned, ids))

    def input(self, ids: Ids) -> TrialInput:
        plan = self.planned.plan
        task = {
            "challenge_name": plan.challenge_name,
            "target": plan.target,
            "mode": plan.mode,
            "topology": plan.topology,
            "solution_digest": as_digest(self.planned.package.sha256),
        }
        policy = TaskPolicy(timeout_ms=timeout_s(plan) * 1000)
        bindings, ext = dict(self.planned.bindings), dict(self.planned.ext)
        return TrialInput(ids=ids, task=task, bindings=bindings, policy=policy, ext=ext)

    def limit_s(self) -> float | None:
        return self.resources.campaign.request.trial_timeout_s

    def controls(self, ids: Ids) -> AttemptControls:
        """A solution that was declared to understand it can be spoken to; the run's control says so."""
        planned = self.planned
        if planned.integration not in COOPERATIVE or not planned.plan.facts.runs_cases:
            return AttemptControls()
        self.resources.run.controls[ids.trial_id] = Control(
            id=planned.variant,
            version=planned.integration,
            command_path=COOPERATION_ENV["AGENTICS_CONTROL_PATH"],
            events_path=COOPERATION_ENV["AGENTICS_EVENTS_PATH"],
        )
        return AttemptControls(cooperation=Cooperation())

    def observe(self, active: ActiveAttempt, images: ReadyImages) -> TrialEvidence:
        """Carry out the stages, and look how busy the machine is meanwhile. Raises EngineError."""
        resources = self.resources
        here = load.is_here(resources.engine.facts().kernel)
        before = load.read(here=here)
        with resources.uids.lease() as uid:
            evidence = self._carried_out(active, images, uid)
        limits = LoadLimits(doubtful_share=resources.config.load.doubtful_share)
        found = load.between(before, load.read(here=here), resources.engine.live(), limits)
        return evidence.model_copy(update={"load": found, "trust": trust_of(evidence)})

    def detail(self, verdict: Verdict) -> str | None:
        return shown_detail(verdict, self.planned.task.bundle.challenge, self.planned.plan.mode)

    def result(self, attempt: Attempt, evidence: TrialEvidence, verdict: Verdict, started_at: str) -> TrialResult:
        return trial_result(self.planned, attempt, evidence, verdict, started_at)

    def _carried_out(self, active: ActiveAttempt, images: ReadyImages, uid: int) -> TrialEvidence:
        tools = _tools(self.resources, self.planned, active, images, uid)
        try:
            return run_stages(self.resources, self.planned, active, tools, images)
        finally:
            try:
                keep_workspace(active.attempt, self.planned, tools)
            finally:
                tools.close()
                self.resources.engine.remove(tools.labels)


def _tools(
    resources: RunResources, trial: SolutionPlan, active: ActiveAttempt, images: ReadyImages, uid: int
) -> AttemptTools:
    ids, attempt = active.ids, active.attempt
    stages = {stage.name: stage for stage in trial.plan.stages}

    def observe(event: str, **facts: Any) -> None:  # noqa: ANN401 - by kind of event
        if event == "stage_started":
            facts["limit_s"] = stage_limit_s(stages[facts["stage"]])
        if trial.plan.mode == "official":
            facts.pop("case", None)  # what private cases are called is private
        resources.tell(event, trial, ids, **facts)
        if event == "setup_finished":
            told = {"trial_id": ids.trial_id, "attempt": attempt.number}
            resources.events.emit("setup_finished", **told, reused=facts["reused"], made_at=facts["made_at"])

    images = without_root(images) if trial.plan.facts.one_container else images
    users = users_of(images, resources.users(uid))
    tools = AttemptTools(
        engine=resources.engine,
        scratch=resources.scratch,
        plan=trial.plan,
        images=images,
        users=users,
        labels={**resources.labels, TRIAL: ids.trial_id, ATTEMPT: str(attempt.number)},
        challenge=resources.staged(trial.task, users.evaluator),
        solution=trial.package,
        metric_schema=trial.task.bundle.challenge.metric_schema,
        submission_id=str(uuid.uuid4()),
        keep=AttemptEvidence(resources.run.artifacts, attempt.root),
        interrupt=active,
        observer=observe,
        jobs=resources.jobs,
        evidence_bounds=resources.config.evidence,
        undisturbed=resources.is_undisturbed(trial.task),
        cooperation=active.cooperation,
        network=resources.network,
        redactor=resources.run.redactor,
        setup_reuse=_setup_reuse(resources, trial, active, users),
        runtime=lambda role: runtime_of(resources.config, trial.plan.target, role),
        lease_uid=resources.uids.lease,
        resume=trial.resume or Resume(),
    )
    tools.paths["challenge"] = tools.challenge
    tools.paths["guest"] = resources.guest
    return tools


def _setup_reuse(
    resources: RunResources, trial: SolutionPlan, active: ActiveAttempt, users: Users
) -> SetupReuse | None:
    if resources.setups is None:
        return None

    @contextmanager
    def waiting() -> Iterator[None]:
        resources.tell("setup_waiting", trial, active.ids)
        with resources.active_attempts.waiting(active):
            yield

    return SetupReuse(
        store=resources.setups,
        challenge=lambda: resources.challenge_digests(trial.task, users.evaluator),
        network=resources.network_digest,
        waiting=waiting,
    )
