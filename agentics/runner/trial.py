"""One trial: attempts until one says something of the solution or the challenge, each written as it happens."""

from __future__ import annotations

import uuid
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import tenacity

from agentics import pipeline
from agentics.errors import EngineError
from agentics.model.evidence import TrialEvidence, Trouble
from agentics.model.judgement import Judgement
from agentics.model.record import Ids, Record
from agentics.model.rundir import TaskPolicy, TrialInput
from agentics.pipeline.bench import Bench
from agentics.pipeline.stage import Context, StageFailure
from agentics.policy.exposure import shown_detail
from agentics.policy.verdict import judge
from agentics.rundir import ledger
from agentics.rundir.artifacts import Artifacts
from agentics.rundir.atomic import utc_now
from agentics.rundir.trial import Attempt, abandon, begin_attempt, finish, record
from agentics.runner.campaign import Trial
from agentics.runner.images import Images, users_of, without_root
from agentics.runner.limits import stage_limit_s, timeout_s
from agentics.runner.logs import runner_log, solution_stderr
from agentics.runner.results import trial_result
from agentics.runner.stagebook import AttemptStore, as_experiment
from agentics.runner.workshop import Workshop
from agentics.sandbox.labels import ATTEMPT, TRIAL
from agentics.stages import registry


@dataclass(frozen=True)
class AttemptKeeper:
    """Evidence of one attempt: bytes by content, records as lines that are durable when `append` returns."""

    artifacts: Artifacts
    root: Path

    def put_bytes(self, data: bytes) -> str:
        return self.artifacts.put(data)

    def put_file(self, path: Path) -> str:
        return self.artifacts.put(path)

    def append(self, name: str, record: Record) -> None:
        ledger.append(self.root / f"{name}.jsonl", record)


def run_trial(work: Workshop, trial: Trial, ids: Ids, images: Images | None) -> Judgement:
    """Try until the infrastructure lets us say something, at most as often as the operator allows.

    `images` None: they could not be had at first, and every attempt asks for them again.
    """
    retry = work.config.retry

    def told(state: tenacity.RetryCallState) -> None:
        judgement = _last(state)
        shown = shown_detail(judgement, trial.task.bundle.challenge, trial.plan.mode)
        text = work.run.redactor.text(shown or "infrastructure fault")
        work.tell("attempt_failed", trial, ids, reason=judgement.reason, text=text)

    attempts = tenacity.Retrying(
        stop=tenacity.stop_after_attempt(retry.attempts),
        wait=tenacity.wait_exponential(multiplier=retry.wait_s, max=60)
        + tenacity.wait_random(0, min(1.0, retry.wait_s)),
        retry=tenacity.retry_if_result(lambda judgement: judgement.retryable and not work.stop.event.is_set()),
        sleep=tenacity.sleep_using_event(work.stop.event),
        before_sleep=told,
        retry_error_callback=_last,
    )
    judgement: Judgement = attempts(_attempt, work, trial, ids, images)
    return judgement


def _last(state: tenacity.RetryCallState) -> Judgement:
    if state.outcome is None:
        msg = "asked for the outcome of an attempt that was not made"
        raise AssertionError(msg)
    judgement: Judgement = state.outcome.result()
    return judgement


def _attempt(work: Workshop, trial: Trial, ids: Ids, images: Images | None) -> Judgement:
    attempt = begin_attempt(work.run, ids, _input(trial, ids), trial.plan)
    started_at = utc_now()
    try:
        evidence = _observe(work, trial, attempt, images or work.images(trial))
    except EngineError as error:
        evidence = _blank(trial, {}).model_copy(update={"trouble": _no_start(error)})
    judgement = judge(evidence)
    _keep(attempt, evidence)
    if judgement.status == "pending":
        abandon(attempt, judgement.reason or "interrupted")
    else:
        finish(attempt, trial_result(trial, attempt, evidence, judgement, started_at))
    return judgement


def _observe(work: Workshop, trial: Trial, attempt: Attempt, images: Images) -> TrialEvidence:
    bench = _bench(work, trial, attempt, images)
    try:
        return _evidence(
            pipeline.run(
                as_experiment(trial, attempt.ids),
                run_id=attempt.ids.run_id,
                store=AttemptStore(bench, attempt.root, work.run.redactor),
                enable_trace=True,
                assigns={"bench": bench, "evidence": _blank(trial, images)},
                validate_options="error",
                registry=registry(),
                cancel=work.stop.event,
            )
        )
    finally:
        bench.close()
        work.engine.remove(bench.labels)


def _no_start(error: EngineError) -> Trouble:
    return Trouble(
        stage="images", code=error.code, message=error.message, fault="infrastructure", retryable=error.retryable
    )


def _evidence(ended: Context | StageFailure) -> TrialEvidence:
    if isinstance(ended, StageFailure):
        return ended.context.with_evidence(trouble=ended.trouble).evidence
    return ended.evidence


def _keep(attempt: Attempt, evidence: TrialEvidence) -> None:
    artifacts = attempt.run.artifacts
    record(attempt, "harness_stdout.log", runner_log(evidence, artifacts))
    record(attempt, "harness_stderr.log", solution_stderr(evidence, artifacts))
    record(attempt, "evidence.json", evidence)


def _blank(trial: Trial, images: Images) -> TrialEvidence:
    plan = trial.plan
    return TrialEvidence(
        topology=plan.topology,
        mode=plan.mode,
        target=plan.target,
        trust=plan.trust,
        images={side: image.use for side, image in images.items()},
    )


def _bench(work: Workshop, trial: Trial, attempt: Attempt, images: Images) -> Bench:
    ids = attempt.ids
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
        interrupt=work.stop.event,
        observer=observe,
        jobs=work.jobs,
        undisturbed=work.is_undisturbed(trial.task),
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
    return TrialInput(ids=ids, task=task, policy=TaskPolicy(timeout_ms=timeout_s(plan) * 1000))
