"""What a run holds of models: the results of their trials, and every answer behind them."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from pydantic import TypeAdapter

from agentics.errors import UsageError
from agentics.model.evidence.trial_evidence import JobFacts
from agentics.model.job.job_result import JobResult
from agentics.model.job.suite import Suite, SuiteScore
from agentics.model.job.worker_protocol import Answer, DetailRow, JudgeReply, Sample
from agentics.model.plan.trial_plan import Plan
from agentics.policy.jobs.comparison import Contender
from agentics.policy.jobs.details import detail_rows, judges_of, score_of
from agentics.policy.outcome.suites import Measured, suite_score
from agentics.rundir.files import ledger
from agentics.rundir.files.atomic import read_document
from agentics.rundir.reader import RunView, TrialView, read_evidence

LEDGERS: Mapping[str, TypeAdapter[Any]] = {
    "answers": TypeAdapter(Answer),
    "samples": TypeAdapter(Sample),
    "judgements": TypeAdapter(JudgeReply),
}
"""By name, without `.jsonl`, below an attempt."""


def told(trial: TrialView, name: str) -> tuple[Any, ...]:
    """A ledger of the newest attempt."""
    return ledger.read(trial.root / "attempts" / str(trial.attempts) / f"{name}.jsonl", LEDGERS[name])


def job_facts(trial: TrialView) -> JobFacts | None:
    """What was observed of a model, None for a trial of something else or one that did not come so far."""
    evidence = read_evidence(trial) if trial.attempts else None
    return evidence.job if evidence is not None else None


def job_results(view: RunView) -> Iterator[tuple[TrialView, JobResult]]:
    """The trials of models that have a result, in order."""
    for trial in view.trials:
        facts = job_facts(trial) if trial.result is not None else None
        if facts is not None and facts.result is not None:
            yield trial, facts.result


def contenders(view: RunView) -> list[Contender]:
    """Each model of a run with its results, as a comparison takes them."""
    found: dict[str, dict[str, JobResult]] = {}
    for trial, result in job_results(view):
        found.setdefault(trial.ids.variant_id, {})[trial.ids.task_id] = result
    return [Contender(name=name, results=results) for name, results in found.items()]


def suite_scores(view: RunView) -> Iterator[tuple[str, SuiteScore]]:
    """The one number of each model whose job belongs to a suite, by its name."""
    for directory, name in view.variants.items():
        suite = read_document(view.layout.suite(directory), Suite)
        if suite is not None:
            yield name, suite_score_of(suite, (trial for trial in view.trials if trial.ids.variant_id == name))


def suite_score_of(suite: Suite, trials: Iterable[TrialView]) -> SuiteScore:
    """Over trials of one model; a task without a verdict is missing."""
    measured = {}
    for trial in trials:
        facts = job_facts(trial) if trial.result is not None and trial.result.metrics else None
        if facts is not None and facts.result is not None:
            measured[trial.ids.task_id] = _measured(facts.result)
    return suite_score(suite, measured)


def _measured(result: JobResult) -> dict[str, Measured]:
    return {
        name: Measured(value=each.mean, stderr=each.stderr, n=each.n, of=each.of, complete=result.complete)
        for name, each in result.metrics.items()
    }


def trial_of(view: RunView, task: str, variant: str | None) -> TrialView:
    """The model's trial of a task. Raises UsageError where there is none, or there are several."""
    found = [t for t in view.trials if t.ids.task_id == task and variant in (None, t.ids.variant_id)]
    if not found:
        have = dict.fromkeys(trial.ids.task_id for trial in view.trials)
        msg = f"run {view.manifest.run_id} has no task {task!r}"
        raise UsageError(msg, code="unknown_task", hint=f"there is {', '.join(have)}" if have else None)
    names = dict.fromkeys(trial.ids.variant_id for trial in found)
    if len(names) > 1:
        msg = f"{task} was given to several models"
        raise UsageError(msg, code="ambiguous_variant", hint=f"say --variant: {', '.join(names)}")
    return found[0]


def rows_of(trial: TrialView) -> tuple[DetailRow, ...]:
    """Every detail row of a trial. Raises UsageError where it is not a model's."""
    plan = read_document(trial.root / "attempts" / str(trial.attempts) / "plan.json", Plan)
    if plan is None or all(stage.name != "score_answers" for stage in plan.stages):
        msg = f"{trial.ids.trial_id} is not a model's: it has no details of answers"
        raise UsageError(msg, code="no_details")
    ledgers = (told(trial, "samples"), told(trial, "answers"), told(trial, "judgements"))
    return tuple(detail_rows(score_of(plan), *ledgers, judges_of(plan)))
