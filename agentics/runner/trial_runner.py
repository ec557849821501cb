"""One trial: attempts until one says something of the solution or the challenge, each written as it happens."""

from __future__ import annotations

import time

import tenacity

from agentics.control.active_attempts import ActiveAttempt
from agentics.errors import EngineError
from agentics.model.document.record import Ids
from agentics.model.evidence.trial_evidence import TrialEvidence, Trouble
from agentics.model.evidence.verdict import Verdict
from agentics.policy.network import forbidden
from agentics.policy.publish.redact import Redactor
from agentics.policy.run.schedule import try_again
from agentics.policy.verdict.decision import doubts_what_was_measured, judge, timed_out
from agentics.request.campaign import SolutionPlan
from agentics.request.job import ModelPlan
from agentics.request.trial_images import ReadyImages
from agentics.rundir.files.atomic import utc_now
from agentics.rundir.open_run import Stand
from agentics.rundir.projections.explain import write_explanation
from agentics.rundir.recover import end_of
from agentics.rundir.trial import Attempt, abandon, begin_attempt, finish, suspend
from agentics.runner.evidence_store import keep_evidence, newest_checkpoint, newest_of
from agentics.runner.model_trial import ModelTrial
from agentics.runner.run_resources import RunResources
from agentics.runner.solution_trial import SolutionTrial
from agentics.runner.trial import Trial, blank_evidence

Said = tuple[Verdict, TrialEvidence]
"""What an attempt came to, and what was observed."""

_NOT_BEGUN = Verdict(status="pending", reason="interrupted", outcome="error")


def run_trial(
    resources: RunResources, planned: SolutionPlan | ModelPlan, ids: Ids, images: ReadyImages | None
) -> Verdict:
    """Try until the infrastructure lets us say something and the design is content, at most as often as they allow.

    `images` None: they could not be had at first, and every attempt asks for them again.
    """
    retry, design = resources.config.retry, resources.campaign.request.design
    trial = _trial(resources, planned)
    if planned.resume is None:
        trial = trial.going_on(ids)

    def again(state: tenacity.RetryCallState) -> bool:
        judgement, evidence = _last(state)
        if resources.active_attempts.closed or judgement.status == "pending":
            return False
        if judgement.retryable:
            return state.attempt_number < retry.attempts
        late = timed_out(evidence)
        return try_again(judgement.outcome, timed_out=late, attempt=state.attempt_number, retry=design.retry)

    def told(state: tenacity.RetryCallState) -> None:
        judgement, _ = _last(state)
        text = resources.run.redactor.text(trial.detail(judgement) or f"{judgement.fault or 'no'} fault")
        resources.tell("attempt_failed", planned, ids, reason=judgement.reason, text=text)

    attempts = tenacity.Retrying(
        wait=tenacity.wait_exponential(multiplier=retry.wait_s, max=60)
        + tenacity.wait_random(0, min(1.0, retry.wait_s)),
        retry=again,
        sleep=tenacity.sleep_using_event(resources.stop.event),
        before_sleep=told,
    )
    judgement, _ = attempts(_attempt, resources, trial, ids, images)
    resources.tell("trial_finished", planned, ids, status=judgement.status, reason=judgement.reason)
    return judgement


def _last(state: tenacity.RetryCallState) -> Said:
    if state.outcome is None:
        msg = "asked for the outcome of an attempt that was not made"
        raise AssertionError(msg)
    said: Said = state.outcome.result()
    return said


def _trial(resources: RunResources, planned: SolutionPlan | ModelPlan) -> Trial:
    if isinstance(planned, ModelPlan):
        return ModelTrial(resources, planned)
    return SolutionTrial(resources, planned)


def _attempt(resources: RunResources, trial: Trial, ids: Ids, images: ReadyImages | None) -> Said:
    def begin() -> Attempt:
        resume = trial.planned.resume
        checkpoint = newest_of(resume.checkpoints) if resume is not None else None
        return begin_attempt(resources.run, ids, trial.input(ids), trial.planned.plan, checkpoint=checkpoint)

    said: Said = _NOT_BEGUN, blank_evidence(trial.planned, {})
    while True:
        # After a suspension this waits until the pause is over: resumed, or taken back because it could not be whole.
        active = resources.active_attempts.enter(begin, trial.limit_s(), trial.controls(ids))
        if active is None:
            return said
        try:
            said = _carry_out(resources, trial, active, images)
        finally:
            resources.active_attempts.leave(active)
        if not active.suspended:
            return said
        trial = trial.going_on(ids)


def _carry_out(resources: RunResources, trial: Trial, active: ActiveAttempt, images: ReadyImages | None) -> Said:
    attempt, started_at, began = active.attempt, utc_now(), time.monotonic()
    named = {"trial_id": active.ids.trial_id, "attempt": attempt.number}
    resources.events.emit(
        "trial_started", **named, **active.ids.model_dump(include={"variant_id", "task_id", "repl_idx"})
    )
    if active.first:
        resources.tell("trial_started", trial.planned, active.ids)
    try:
        evidence = _observe(resources, trial, active, images)
    except EngineError as error:
        evidence = blank_evidence(trial.planned, {}).model_copy(
            update={"trouble": _no_start(error, resources.run.redactor)}
        )
    resources.active_attempts.settle(active)
    if active.why == "time_limit":
        evidence = evidence.model_copy(update={"trouble": _too_late(evidence.trouble, active.limit_s)})
    judgement = judge(evidence)
    keep_evidence(attempt, trial.planned, evidence)
    ended = _end(trial, active, evidence, judgement, started_at)
    spent = {"duration_ms": int((time.monotonic() - began) * 1000)}
    place = str(resources.run.layout.trial(active.ids.trial_id).root)
    resources.events.emit("trial_finished", **named, **ended, **spent, trial_dir=place)
    if evidence.load is not None and doubts_what_was_measured(judgement, evidence):
        resources.doubt(trial.planned, active.ids, attempt.number, evidence.load.why or "")
    return judgement, evidence


def _observe(resources: RunResources, trial: Trial, active: ActiveAttempt, images: ReadyImages | None) -> TrialEvidence:
    """Carry out the stages; nothing of a plan that needs a network which the operator forbids. Raises EngineError."""
    trouble = None if resources.config.network.allowed else forbidden(trial.planned.plan)
    if trouble is not None:
        return blank_evidence(trial.planned, images or {}).model_copy(update={"trouble": trouble})
    return trial.observe(active, images or resources.images(trial.planned))


def _end(
    trial: Trial, active: ActiveAttempt, evidence: TrialEvidence, judgement: Verdict, started_at: str
) -> dict[str, str | None]:
    """Write down how the attempt ended; what events say of it."""
    attempt = active.attempt
    if judgement.status != "pending":
        result = trial.result(attempt, evidence, judgement, started_at)
        finish(attempt, result)
        write_explanation(attempt.run, attempt.ids.trial_id)
        return {"status": end_of(result)[0], "outcome": result.outcome}
    if active.suspended and active.cooperation is not None:
        suspend(attempt, Stand(label=active.cooperation.stop_label, checkpoint=newest_checkpoint(attempt)))
        return {"status": "paused", "outcome": None}
    abandon(attempt, "killed_by_user" if active.why == "killed" else judgement.reason or "interrupted")
    return {"status": "killed", "outcome": None}


def _no_start(error: EngineError, redactor: Redactor) -> Trouble:
    return Trouble(
        stage="images",
        code=error.code,
        message=redactor.text(error.message),
        fault="infrastructure",
        retryable=error.retryable,
    )


def _too_late(before: Trouble | None, limit_s: float | None) -> Trouble:
    """The limit on a whole trial, of the experiment or of [lighteval.limits]: the fault of who set it."""
    stage = before.stage if before is not None else "trial"
    return Trouble(
        stage=stage, code="trial_time_limit", message=f"the trial took more than {limit_s:g} s", fault="user"
    )
