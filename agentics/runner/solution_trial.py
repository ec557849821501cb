"""A solution's attempt: what it is given, how its stages are carried out, and what is kept of its workspace."""

from __future__ import annotations

import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from agentics import pipeline
from agentics.config import runtime_of
from agentics.control.active_attempts import ActiveAttempt
from agentics.model.document.record import Ids
from agentics.model.evidence.trial_evidence import TrialEvidence
from agentics.model.evidence.verdict import Verdict
from agentics.model.run.design import COOPERATIVE
from agentics.model.run.directory import Control, TaskPolicy, TrialInput
from agentics.pipeline.attempt_tools import AttemptTools, Resume, Users
from agentics.pipeline.contract.stage import Context, StageFailure
from agentics.pipeline.cooperation import Cooperation
from agentics.pipeline.setup_reuse import SetupReuse
from agentics.policy.publish.exposure import shown_detail
from agentics.policy.topologies.parts import COOPERATION_ENV
from agentics.policy.trust import trust_of
from agentics.policy.verdict.machine_load import LoadLimits
from agentics.request.campaign import SolutionPlan
from agentics.request.time_limits import stage_limit_s, timeout_s
from agentics.request.trial_images import Images, users_of, without_root
from agentics.rundir.open_run import OpenRun
from agentics.runner.attempt_store import AttemptStore, as_experiment
from agentics.runner.evidence_store import AttemptEvidence, keep_workspace
from agentics.runner.run_resources import RunResources
from agentics.sandbox import load
from agentics.sandbox.labels import ATTEMPT, TRIAL
from agentics.stages import registry


def detail(trial: SolutionPlan, judgement: Verdict) -> str | None:
    """What anybody may know of why."""
    return shown_detail(judgement, trial.task.bundle.challenge, trial.plan.mode)


def cooperation_of(run: OpenRun, trial: SolutionPlan, ids: Ids) -> Cooperation | None:
    """Where the trial's solution can be spoken to, if it was declared to understand that; the run's control says so."""
    if trial.integration not in COOPERATIVE or trial.plan.topology != "separated_evaluator":
        return None
    run.controls[ids.trial_id] = Control(
        id=trial.variant,
        version=trial.integration,
        command_path=COOPERATION_ENV["AGENTICS_CONTROL_PATH"],
        events_path=COOPERATION_ENV["AGENTICS_EVENTS_PATH"],
    )
    return Cooperation()


def observe(resources: RunResources, trial: SolutionPlan, active: ActiveAttempt, images: Images) -> TrialEvidence:
    """Carry out the stages, and look how busy the machine is meanwhile. Raises EngineError."""
    here = load.is_here(resources.engine.facts().kernel)
    before = load.read(here=here)
    evidence = _carried_out(resources, trial, active, images)
    limits = LoadLimits(doubtful_share=resources.config.load.doubtful_share)
    found = load.between(before, load.read(here=here), resources.engine.live(), limits)
    return evidence.model_copy(update={"load": found, "trust": trust_of(evidence)})


def _carried_out(resources: RunResources, trial: SolutionPlan, active: ActiveAttempt, images: Images) -> TrialEvidence:
    with resources.uids.lease() as uid:
        return _by(_tools(resources, trial, active, images, uid), resources, trial, active, images)


def _by(
    tools: AttemptTools, resources: RunResources, trial: SolutionPlan, active: ActiveAttempt, images: Images
) -> TrialEvidence:
    try:
        return came_of(
            pipeline.run(
                as_experiment(trial, active.ids),
                run_id=active.ids.run_id,
                store=AttemptStore(tools, active.attempt.root, resources.run.redactor),
                enable_trace=True,
                assigns={"tools": tools, "evidence": blank(trial, images)},
                validate_options="error",
                registry=registry(),
                cancel=active,
            )
        )
    finally:
        try:
            keep_workspace(active.attempt, trial, tools)
        finally:
            tools.close()
            resources.engine.remove(tools.labels)


def came_of(ended: Context | StageFailure) -> TrialEvidence:
    """The evidence with which the stages ended."""
    if isinstance(ended, StageFailure):
        return ended.context.with_evidence(trouble=ended.trouble).evidence
    return ended.evidence


def blank(trial: SolutionPlan, images: Images) -> TrialEvidence:
    plan = trial.plan
    return TrialEvidence(
        topology=plan.topology,
        mode=plan.mode,
        target=plan.target,
        trust=plan.trust,
        images={side: image.use for side, image in images.items()},
        submission=trial.resume.submission if trial.resume is not None else None,
    )


def _tools(
    resources: RunResources, trial: SolutionPlan, active: ActiveAttempt, images: Images, uid: int
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

    images = without_root(images) if trial.plan.topology == "coexecuted_benchmark" else images
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


def trial_input(trial: SolutionPlan, ids: Ids) -> TrialInput:
    plan = trial.plan
    task = {
        "challenge_name": plan.challenge_name,
        "target": plan.target,
        "mode": plan.mode,
        "topology": plan.topology,
        "solution_digest": f"sha256:{trial.package.sha256}",
    }
    policy = TaskPolicy(timeout_ms=timeout_s(plan) * 1000)
    return TrialInput(ids=ids, task=task, bindings=dict(trial.bindings), policy=policy, ext=dict(trial.ext))
