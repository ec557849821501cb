"""One trial: attempts until one says something of the solution or the challenge, each written as it happens."""

from __future__ import annotations

import time

import tenacity

from agentics.errors import EngineError
from agentics.model.document.record import Ids
from agentics.model.evidence.trial_evidence import TrialEvidence, Trouble
from agentics.model.evidence.verdict import Verdict
from agentics.policy.network import forbidden
from agentics.policy.redact import Redactor
from agentics.policy.schedule import try_again
from agentics.policy.verdict import doubts_what_was_measured, judge, timed_out
from agentics.rundir.atomic import utc_now
from agentics.rundir.explain import write_explanation
from agentics.rundir.held import Stand
from agentics.rundir.recover import end_of
from agentics.rundir.trial import Attempt, abandon, begin_attempt, finish, suspend
from agentics.runner import kinds
from agentics.runner.campaign import Trial
from agentics.runner.floor import Ticket
from agentics.runner.images import Images
from agentics.runner.job import JobTrial
from agentics.runner.keeping import going_on, keep_evidence, newest_checkpoint, newest_of
from agentics.runner.workshop import Workshop

Said = tuple[Verdict, TrialEvidence]
"""What an attempt came to, and what was observed."""

_NOT_BEGUN = Verdict(status="pending", reason="interrupted", outcome="error")


def run_trial(work: Workshop, trial: Trial | JobTrial, ids: Ids, images: Images | None) -> Verdict:
    """Try until the infrastructure lets us say something and the design is content, at most as often as they allow.

    `images` None: they could not be had at first, and every attempt asks for them again.
    """
    retry, design = work.config.retry, work.campaign.request.design
    if isinstance(trial, Trial) and trial.resume is None:
        trial = going_on(work.run, trial, ids)

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
        text = work.run.redactor.text(kinds.detail(trial, judgement) or f"{judgement.fault or 'no'} fault")
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


def _attempt(work: Workshop, trial: Trial | JobTrial, ids: Ids, images: Images | None) -> Said:
    def begin() -> Attempt:
        resume = trial.resume if isinstance(trial, Trial) else None
        checkpoint = newest_of(resume.checkpoints) if resume is not None else None
        return begin_attempt(work.run, ids, kinds.trial_input(trial, ids), trial.plan, checkpoint=checkpoint)

    said: Said = _NOT_BEGUN, kinds.blank(trial, {})
    while True:
        # After a suspension this waits until the pause is over: resumed, or taken back because it could not be whole.
        ticket = work.floor.enter(begin, kinds.limit_s(work, trial), kinds.ties(work, trial, ids))
        if ticket is None:
            return said
        try:
            said = _on_the_floor(work, trial, ticket, images)
        finally:
            work.floor.leave(ticket)
        if not ticket.suspended or isinstance(trial, JobTrial):
            return said
        trial = going_on(work.run, trial, ids)


def _on_the_floor(work: Workshop, trial: Trial | JobTrial, ticket: Ticket, images: Images | None) -> Said:
    attempt, started_at, began = ticket.attempt, utc_now(), time.monotonic()
    named = {"trial_id": ticket.ids.trial_id, "attempt": attempt.number}
    work.events.emit("trial_started", **named, **ticket.ids.model_dump(include={"variant_id", "task_id", "repl_idx"}))
    if ticket.first:
        work.tell("trial_started", trial, ticket.ids)
    try:
        evidence = _observe(work, trial, ticket, images)
    except EngineError as error:
        evidence = kinds.blank(trial, {}).model_copy(update={"trouble": _no_start(error, work.run.redactor)})
    work.floor.settle(ticket)
    if ticket.why == "time_limit":
        evidence = evidence.model_copy(update={"trouble": _too_late(evidence.trouble, ticket.limit_s)})
    judgement = judge(evidence)
    keep_evidence(attempt, trial, evidence)
    ended = _end(trial, ticket, evidence, judgement, started_at)
    spent = {"duration_ms": int((time.monotonic() - began) * 1000)}
    place = str(work.run.layout.trial(ticket.ids.trial_id).root)
    work.events.emit("trial_finished", **named, **ended, **spent, trial_dir=place)
    if evidence.load is not None and doubts_what_was_measured(judgement, evidence):
        work.doubt(trial, ticket.ids, attempt.number, evidence.load.why or "")
    return judgement, evidence


def _observe(work: Workshop, trial: Trial | JobTrial, ticket: Ticket, images: Images | None) -> TrialEvidence:
    """Carry out the stages; nothing of a plan that needs a network which the operator forbids. Raises EngineError."""
    trouble = None if work.config.network.allowed else forbidden(trial.plan)
    if trouble is not None:
        return kinds.blank(trial, images or {}).model_copy(update={"trouble": trouble})
    return kinds.observe(work, trial, ticket, images or work.images(trial))


def _end(
    trial: Trial | JobTrial, ticket: Ticket, evidence: TrialEvidence, judgement: Verdict, started_at: str
) -> dict[str, str | None]:
    """Write down how the attempt ended; what events say of it."""
    attempt = ticket.attempt
    if judgement.status != "pending":
        result = kinds.result(trial, attempt, evidence, judgement, started_at)
        finish(attempt, result)
        write_explanation(attempt.run, attempt.ids.trial_id)
        return {"status": end_of(result)[0], "outcome": result.outcome}
    if ticket.suspended and ticket.cooperation is not None:
        suspend(attempt, Stand(label=ticket.cooperation.stop_label, checkpoint=newest_checkpoint(attempt)))
        return {"status": "paused", "outcome": None}
    abandon(attempt, "killed_by_user" if ticket.why == "killed" else judgement.reason or "interrupted")
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
