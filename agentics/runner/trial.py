"""One trial: attempts until one says something of the solution or the challenge, each written as it happens."""

from __future__ import annotations

import time
import uuid
from dataclasses import replace
from typing import Any

import tenacity

from agentics import pipeline
from agentics.errors import EngineError
from agentics.model.design import COOPERATIVE
from agentics.model.evidence import TrialEvidence, Trouble
from agentics.model.judgement import Judgement
from agentics.model.record import Ids
from agentics.model.rundir import Control, TaskPolicy, TrialInput
from agentics.pipeline.bench import Bench, Resume
from agentics.pipeline.cooperation import Cooperation
from agentics.pipeline.stage import Context, StageFailure
from agentics.policy.exposure import shown_detail
from agentics.policy.schedule import try_again
from agentics.policy.topologies.parts import COOPERATION_ENV
from agentics.policy.verdict import judge, timed_out
from agentics.rundir.atomic import utc_now
from agentics.rundir.held import Paused, Run
from agentics.rundir.recover import end_of
from agentics.rundir.trial import Attempt, abandon, begin_attempt, finish, suspend
from agentics.runner.campaign import Trial
from agentics.runner.floor import Ticket
from agentics.runner.images import Images, users_of, without_root
from agentics.runner.keeping import (
    AttemptKeeper,
    keep_evidence,
    keep_workspace,
    newest_checkpoint,
    where_it_stopped,
)
from agentics.runner.limits import stage_limit_s, timeout_s
from agentics.runner.results import trial_result
from agentics.runner.stagebook import AttemptStore, as_experiment
from agentics.runner.workshop import Workshop
from agentics.sandbox.labels import ATTEMPT, TRIAL
from agentics.stages import registry

Said = tuple[Judgement, TrialEvidence]
"""What an attempt came to, and what was observed."""

_NOT_BEGUN = Judgement(status="pending", reason="interrupted", outcome="error")


def run_trial(work: Workshop, trial: Trial, ids: Ids, images: Images | None) -> Judgement:
    """Try until the infrastructure lets us say something and the design is content, at most as often as they allow.

    `images` None: they could not be had at first, and every attempt asks for them again.
    """
    retry, design = work.config.retry, work.campaign.request.design
    if trial.resume is None:
        trial = replace(trial, resume=where_it_stopped(work.run, ids.trial_id))

    def again(state: tenacity.RetryCallState) -> bool:
        judgement, evidence = _last(state)
        if work.floor.closed or judgement.status == "pending":
            return False
        if judgement.retryable:
            return state.attempt_number < retry.attempts
        late = timed_out(evidence)
        return try_again(judgement.outcome, timed_out=late, attempt=state.attempt_number, retry=design.retry)

    def told(state: tenacity.RetryCallState) -> None:
        judgement, _ = _last(state)
        shown = shown_detail(judgement, trial.task.bundle.challenge, trial.plan.mode)
        text = work.run.redactor.text(shown or f"{judgement.fault or 'no'} fault")
        work.tell("attempt_failed", trial, ids, reason=judgement.reason, text=text)

    attempts = tenacity.Retrying(
        wait=tenacity.wait_exponential(multiplier=retry.wait_s, max=60)
        + tenacity.wait_random(0, min(1.0, retry.wait_s)),
        retry=again,
        sleep=tenacity.sleep_using_event(work.stop.event),
        before_sleep=told,
    )
    judgement, _ = attempts(_attempt, work, trial, ids, images)
    work.tell("trial_finished", trial, ids, status=judgement.status, reason=judgement.reason)
    return judgement


def _last(state: tenacity.RetryCallState) -> Said:
    if state.outcome is None:
        msg = "asked for the outcome of an attempt that was not made"
        raise AssertionError(msg)
    said: Said = state.outcome.result()
    return said


def _attempt(work: Workshop, trial: Trial, ids: Ids, images: Images | None) -> Said:
    def begin() -> Attempt:
        return begin_attempt(work.run, ids, _input(trial, ids), trial.plan)

    ticket = work.floor.enter(begin, work.campaign.request.trial_timeout_s, cooperation_of(work.run, trial, ids))
    if ticket is None:
        return _NOT_BEGUN, _blank(trial, {})
    try:
        return _on_the_floor(work, trial, ticket, images)
    finally:
        work.floor.leave(ticket)


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


def _on_the_floor(work: Workshop, trial: Trial, ticket: Ticket, images: Images | None) -> Said:
    attempt, started_at, began = ticket.attempt, utc_now(), time.monotonic()
    named = {"trial_id": ticket.ids.trial_id, "attempt": attempt.number}
    work.events.emit("trial_started", **named, **ticket.ids.model_dump(include={"variant_id", "task_id", "repl_idx"}))
    if ticket.first:
        work.tell("trial_started", trial, ticket.ids)
    try:
        evidence = _observe(work, trial, ticket, images or work.images(trial))
    except EngineError as error:
        evidence = _blank(trial, {}).model_copy(update={"trouble": _no_start(error)})
    work.floor.settle(ticket)
    if ticket.why == "time_limit":
        evidence = evidence.model_copy(update={"trouble": _too_late(evidence.trouble, ticket.limit_s)})
    judgement = judge(evidence)
    keep_evidence(attempt, trial, evidence)
    ended = _end(trial, ticket, evidence, judgement, started_at)
    spent = {"duration_ms": int((time.monotonic() - began) * 1000)}
    place = str(work.run.layout.trial(ticket.ids.trial_id).root)
    work.events.emit("trial_finished", **named, **ended, **spent, trial_dir=place)
    return judgement, evidence


def _end(
    trial: Trial, ticket: Ticket, evidence: TrialEvidence, judgement: Judgement, started_at: str
) -> dict[str, str | None]:
    """Write down how the attempt ended; what events say of it."""
    attempt = ticket.attempt
    if judgement.status != "pending":
        result = trial_result(trial, attempt, evidence, judgement, started_at)
        finish(attempt, result)
        return {"status": end_of(result)[0], "outcome": result.outcome}
    if ticket.why == "paused":
        suspend(attempt, Paused(label=ticket.label, checkpoint=newest_checkpoint(attempt)))
        return {"status": "paused", "outcome": None}
    abandon(attempt, "killed_by_user" if ticket.why == "killed" else judgement.reason or "interrupted")
    return {"status": "killed", "outcome": None}


def _observe(work: Workshop, trial: Trial, ticket: Ticket, images: Images) -> TrialEvidence:
    bench = _bench(work, trial, ticket, images)
    try:
        return _evidence(
            pipeline.run(
                as_experiment(trial, ticket.ids),
                run_id=ticket.ids.run_id,
                store=AttemptStore(bench, ticket.attempt.root, work.run.redactor),
                enable_trace=True,
                assigns={"bench": bench, "evidence": _blank(trial, images)},
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


def _no_start(error: EngineError) -> Trouble:
    return Trouble(
        stage="images", code=error.code, message=error.message, fault="infrastructure", retryable=error.retryable
    )


def _too_late(before: Trouble | None, limit_s: float | None) -> Trouble:
    """The experiment's own limit on a whole trial: nobody's fault but that of who set it."""
    stage = before.stage if before is not None else "trial"
    return Trouble(
        stage=stage, code="trial_time_limit", message=f"the trial took more than {limit_s:g} s", fault="user"
    )


def _evidence(ended: Context | StageFailure) -> TrialEvidence:
    if isinstance(ended, StageFailure):
        return ended.context.with_evidence(trouble=ended.trouble).evidence
    return ended.evidence


def _blank(trial: Trial, images: Images) -> TrialEvidence:
    plan = trial.plan
    return TrialEvidence(
        topology=plan.topology,
        mode=plan.mode,
        target=plan.target,
        trust=plan.trust,
        images={side: image.use for side, image in images.items()},
    )


def _bench(work: Workshop, trial: Trial, ticket: Ticket, images: Images) -> Bench:
    ids, attempt = ticket.ids, ticket.attempt
    stages = {stage.name: stage for stage in trial.plan.stages}

    def observe(event: str, **facts: Any) -> None:  # noqa: ANN401 - by kind of event
        if event == "stage_started":
            facts["limit_s"] = stage_limit_s(stages[facts["stage"]])
        if trial.plan.mode == "official":
            facts.pop("case", None)  # what private cases are called is private
        work.tell(event, trial, ids, **facts)

    images = without_root(images) if trial.plan.topology == "coexecuted_benchmark" else images
    users = users_of(images, work.users)
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
        undisturbed=work.is_undisturbed(trial.task),
        cooperation=ticket.cooperation,
        resume=trial.resume or Resume(),
    )
    bench.paths["challenge"] = bench.challenge
    bench.paths["guest"] = work.guest
    return bench


def _input(trial: Trial, ids: Ids) -> TrialInput:
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
