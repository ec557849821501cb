"""A solution's attempt: what it is given, how its stages are carried out, and what is kept of its workspace."""

from __future__ import annotations

import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from agentics import pipeline
from agentics.config import runtime_of
from agentics.model.document.record import Ids
from agentics.model.evidence.trial_evidence import TrialEvidence
from agentics.model.evidence.verdict import Verdict
from agentics.model.run.design import COOPERATIVE
from agentics.model.run.directory import Control, TaskPolicy, TrialInput
from agentics.pipeline.bench import Bench, Resume, Users
from agentics.pipeline.cooperation import Cooperation
from agentics.pipeline.setups import SetupReuse
from agentics.pipeline.stage import Context, StageFailure
from agentics.policy.exposure import shown_detail
from agentics.policy.load import Limits
from agentics.policy.topologies.parts import COOPERATION_ENV
from agentics.policy.trust import trust_of
from agentics.rundir.held import Run
from agentics.runner.campaign import Trial
from agentics.runner.floor import Ticket
from agentics.runner.images import Images, users_of, without_root
from agentics.runner.keeping import AttemptKeeper, keep_workspace
from agentics.runner.limits import stage_limit_s, timeout_s
from agentics.runner.stagebook import AttemptStore, as_experiment
from agentics.runner.workshop import Workshop
from agentics.sandbox import load
from agentics.sandbox.labels import ATTEMPT, TRIAL
from agentics.stages import registry


def detail(trial: Trial, judgement: Verdict) -> str | None:
    """What anybody may know of why."""
    return shown_detail(judgement, trial.task.bundle.challenge, trial.plan.mode)


def cooperation_of(run: Run, trial: Trial, ids: Ids) -> Cooperation | None:
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


def observe(work: Workshop, trial: Trial, ticket: Ticket, images: Images) -> TrialEvidence:
    """Carry out the stages, and look how busy the machine is meanwhile. Raises EngineError."""
    here = load.is_here(work.engine.facts().kernel)
    before = load.read(here=here)
    evidence = _carried_out(work, trial, ticket, images)
    limits = Limits(doubtful_share=work.config.load.doubtful_share)
    found = load.between(before, load.read(here=here), work.engine.live(), limits)
    return evidence.model_copy(update={"load": found, "trust": trust_of(evidence)})


def _carried_out(work: Workshop, trial: Trial, ticket: Ticket, images: Images) -> TrialEvidence:
    with work.uids.lease() as uid:
        return _by(_bench(work, trial, ticket, images, uid), work, trial, ticket, images)


def _by(bench: Bench, work: Workshop, trial: Trial, ticket: Ticket, images: Images) -> TrialEvidence:
    try:
        return came_of(
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
    finally:
        try:
            keep_workspace(ticket.attempt, trial, bench)
        finally:
            bench.close()
            work.engine.remove(bench.labels)


def came_of(ended: Context | StageFailure) -> TrialEvidence:
    """The evidence with which the stages ended."""
    if isinstance(ended, StageFailure):
        return ended.context.with_evidence(trouble=ended.trouble).evidence
    return ended.evidence


def blank(trial: Trial, images: Images) -> TrialEvidence:
    plan = trial.plan
    return TrialEvidence(
        topology=plan.topology,
        mode=plan.mode,
        target=plan.target,
        trust=plan.trust,
        images={side: image.use for side, image in images.items()},
        submission=trial.resume.submission if trial.resume is not None else None,
    )


def _bench(work: Workshop, trial: Trial, ticket: Ticket, images: Images, uid: int) -> Bench:
    ids, attempt = ticket.ids, ticket.attempt
    stages = {stage.name: stage for stage in trial.plan.stages}

    def observe(event: str, **facts: Any) -> None:  # noqa: ANN401 - by kind of event
        if event == "stage_started":
            facts["limit_s"] = stage_limit_s(stages[facts["stage"]])
        if trial.plan.mode == "official":
            facts.pop("case", None)  # what private cases are called is private
        work.tell(event, trial, ids, **facts)
        if event == "setup_finished":
            told = {"trial_id": ids.trial_id, "attempt": attempt.number}
            work.events.emit("setup_finished", **told, reused=facts["reused"], made_at=facts["made_at"])

    images = without_root(images) if trial.plan.topology == "coexecuted_benchmark" else images
    users = users_of(images, work.users(uid))
    bench = Bench(
        engine=work.engine,
        scratch=work.scratch,
        plan=trial.plan,
        images=images,
        users=users,
        labels={**work.labels, TRIAL: ids.trial_id, ATTEMPT: str(attempt.number)},
        challenge=work.staged(trial.task, users.evaluator),
        solution=trial.package,
        metric_schema=trial.task.bundle.challenge.metric_schema,
        submission_id=str(uuid.uuid4()),
        keep=AttemptKeeper(work.run.artifacts, attempt.root),
        interrupt=ticket,
        observer=observe,
        jobs=work.jobs,
        evidence_bounds=work.config.evidence,
        undisturbed=work.is_undisturbed(trial.task),
        cooperation=ticket.cooperation,
        network=work.network,
        redactor=work.run.redactor,
        setup_reuse=_setup_reuse(work, trial, ticket, users),
        runtime=lambda role: runtime_of(work.config, trial.plan.target, role),
        lease_uid=work.uids.lease,
        resume=trial.resume or Resume(),
    )
    bench.paths["challenge"] = bench.challenge
    bench.paths["guest"] = work.guest
    return bench


def _setup_reuse(work: Workshop, trial: Trial, ticket: Ticket, users: Users) -> SetupReuse | None:
    if work.setups is None:
        return None

    @contextmanager
    def waiting() -> Iterator[None]:
        work.tell("setup_waiting", trial, ticket.ids)
        with work.floor.waiting(ticket):
            yield

    return SetupReuse(
        store=work.setups,
        challenge=lambda: work.challenge_digests(trial.task, users.evaluator),
        network=work.network_digest,
        waiting=waiting,
    )


def trial_input(trial: Trial, ids: Ids) -> TrialInput:
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
