"""From what a worker told to the result of a job's trial, and from that to a status. Pure.

What was not answered is counted and left out; it is never a zero.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass

from agentics.model.evidence import JobFacts
from agentics.model.jobplan import JudgeAnswers, ScoreAnswers
from agentics.model.jobresult import AnswerCounts, JobResult, Latency, MetricSummary, Primary, Provenance
from agentics.model.jobwork import Answer, Judgement, MetricValue, Report, TaskReady
from agentics.model.judgement import Judgement as Verdict
from agentics.model.record import Fault
from agentics.policy.digests import digest_of
from agentics.policy.judged import judge_summaries, judged_values, jury_summary, read_judgements
from agentics.policy.metrics import status_from_metrics
from agentics.policy.samples import mean, quantile, spread

JUDGED = "judge_score"
"""The metric of judge and jury, whatever the judges' scales are: 0 … 1."""

_USER_ERRORS = frozenset({"unauthorized", "not_found", "bad_request", "secret_missing"})
FOUR_HASHES = ("hash_examples", "hash_full_prompts", "hash_input_tokens", "hash_cont_tokens")


@dataclass(frozen=True, kw_only=True)
class Told:
    """What one attempt told, beside its facts: every answer, and every judge's word."""

    answers: Sequence[Answer]
    judgements: Sequence[Judgement] = ()


def job_result(facts: JobFacts, told: Told, score: ScoreAnswers, judges: JudgeAnswers | None) -> JobResult:
    """Raises ValueError when the worker did not tell all that a result needs."""
    ready, report, environment = facts.ready, facts.report, facts.environment
    if ready is None or report is None or environment is None:
        msg = "the worker told no report"
        raise ValueError(msg)
    judged = read_judgements(told.judgements, told.answers, judges) if judges is not None else None
    if judged is None:
        metrics = _metrics(ready, report)
    else:
        values = judged_values(judged, (seed.seed for seed in report.seeds))
        metrics = {JUDGED: _summary(values, higher=True, aggregation="mean")}
    hashes = [{name: seed.hashes.get(name) or None for name in FOUR_HASHES} for seed in report.seeds]
    parts = _compared_on(score, ready)
    digests = (ready.config_sha256, ready.prompt_sha256, ready.data_sha256)
    return JobResult(
        task=score.task,
        fewshot=score.fewshot,
        documents=ready.documents,
        scoring_mode=score.scoring_mode,
        metrics=metrics,
        primary=_primary(metrics, score.primary_metric),
        answers=_counts(report),
        errors=_failures(told.answers),
        prompt_tokens=_total(answer.usage.prompt_tokens for answer in told.answers),
        completion_tokens=_total(answer.usage.completion_tokens for answer in told.answers),
        latency=_latency(told.answers),
        judges=judge_summaries(judged) if judged is not None else (),
        jury=jury_summary(judged) if judged is not None else None,
        hashes=hashes[0] if hashes else dict.fromkeys(FOUR_HASHES),
        provenance=Provenance(
            config_sha256=ready.config_sha256,
            prompt_sha256=ready.prompt_sha256,
            data_sha256=ready.data_sha256,
            model_revision=score.model_revision,
            versions=environment.versions,
            generation=ready.generation,
        ),
        comparability=digest_of({**parts}),
        compared_on=parts,
        reproducible=bool(hashes) and all(all(each.values()) for each in hashes),
        pinned=all(digests) and score.model_revision is not None,
        warnings=tuple(dict.fromkeys([*ready.warnings, *report.warnings, *_substituted(metrics, score)])),
    )


def judge_job(facts: JobFacts, *, endpoint: bool) -> Verdict:
    """The status of a trial whose stages all ended well.

    `endpoint`: the model is behind a server, where an empty answer is no answer. Nor is it one that judges can read.
    """
    result = facts.result
    if result is None:
        return Verdict(status="error", reason="result_missing", fault="infrastructure", outcome="error")
    counts = result.answers
    invalid = counts.empty if endpoint or result.jury is not None else 0
    if counts.failed and counts.failed + invalid == counts.asked:
        return _none_answered(result)
    if result.jury is not None and counts.answered and result.jury.judged == 0:
        return _none_judged(result)
    return _from_counts(result, invalid)


def _from_counts(result: JobResult, invalid: int) -> Verdict:
    counts = result.answers
    share = (lambda number: number / counts.asked) if counts.asked else (lambda _: 0.0)
    status, reason = status_from_metrics(
        {
            "total_samples": counts.asked,
            "valid_samples": counts.asked - counts.failed - invalid,
            "error_count": counts.failed + invalid,
            "invalid_response_rate": share(invalid),
            "connectivity_error_rate": share(counts.failed),
        }
    )
    if status == "no_samples":
        return Verdict(status=status, reason=reason, outcome="missing")
    if status == "failed":
        # Every answer came, and every one was empty: that is what the model says.
        return Verdict(status=status, reason=reason, fault="participant", outcome="failure")
    if all(metric.mean is None for metric in result.metrics.values()):
        detail = f"{counts.answered} answers, and no metric has a value"
        return Verdict(status="error", reason="no_metrics", fault="challenge", outcome="error", detail=detail)
    unjudged = result.jury is not None and result.jury.unjudged > 0
    if status == "passed" and unjudged:
        status, reason = "degraded", "partial_errors"
    silent = any(judge.failed for judge in result.judges) if unjudged else False
    fault: Fault | None = "infrastructure" if counts.failed or silent else None
    return Verdict(status=status, reason=reason, fault=fault, outcome="success")


def _none_answered(result: JobResult) -> Verdict:
    counts = result.answers
    if counts.empty:
        reason, fault = "no_valid_samples", _blamed(result.errors)
    else:
        reason = next(iter(result.errors)) if len(result.errors) == 1 else "all_connectivity_errors"
        fault = _blamed(result.errors)
    told = {**result.errors, **({"empty": counts.empty} if counts.empty else {})}
    detail = f"none of {counts.asked} requests was answered: {_listed(told)}"
    return Verdict(status="error", reason=reason, fault=fault, outcome="error", detail=detail)


def _none_judged(result: JobResult) -> Verdict:
    codes = Counter[str]()
    for judge in result.judges:
        codes.update(judge.errors)
        codes.update(judge.unread)
    detail = f"no judge gave a verdict on any of {result.answers.answered} answers"
    return Verdict(
        status="error",
        reason="judge_failed",
        fault=_blamed(codes),
        outcome="error",
        detail=f"{detail}: {_listed(codes)}" if codes else detail,
    )


def _blamed(codes: Mapping[str, int]) -> Fault:
    """A wrong key or an unknown model is for the user to mend."""
    return "user" if codes and set(codes) <= _USER_ERRORS else "infrastructure"


def _listed(codes: Mapping[str, int]) -> str:
    return ", ".join(f"{code} {count}" for code, count in sorted(codes.items()))


def _compared_on(score: ScoreAnswers, ready: TaskReady) -> dict[str, str]:
    """What two results must share: suite, scoring and generation from the job; the task, its prompt and its data."""
    about = {name: digest_of(value) for name, value in score.comparability.items()}
    return {**about, "mode": score.scoring_mode, "prompt": ready.prompt_sha256, "data": ready.data_sha256}


def _counts(report: Report) -> AnswerCounts:
    if report.asked != report.answered + report.empty + report.failed:
        msg = f"the worker's counts do not add up: of {report.asked} it tells {report.answered} answered, "
        msg += f"{report.empty} empty and {report.failed} failed"
        raise ValueError(msg)
    return AnswerCounts(
        asked=report.asked,
        answered=report.answered,
        empty=report.empty,
        failed=report.failed,
        known=report.known,
    )


def _failures(answers: Iterable[Answer]) -> dict[str, int]:
    codes = (each.error.code if each.error else "failed" for each in answers if each.status == "failed")
    return dict(sorted(Counter(codes).items()))


def _metrics(ready: TaskReady, report: Report) -> dict[str, MetricSummary]:
    names = dict.fromkeys([*ready.metrics, *(name for seed in report.seeds for name in seed.metrics)])
    found = {}
    for name in names:
        values = tuple(seed.metrics[name] for seed in report.seeds if name in seed.metrics)
        if values:
            about = ready.metrics.get(name, {})
            higher = bool(about.get("higher_is_better", True))
            found[name] = _summary(values, higher=higher, aggregation=str(about.get("aggregation", "mean")))
    return found


def _summary(values: tuple[MetricValue, ...], *, higher: bool, aggregation: str) -> MetricSummary:
    known = [value.value for value in values if value.value is not None]
    return MetricSummary(
        mean=mean(known),
        sd=spread(known),
        stderr=values[0].stderr if len(values) == 1 else None,
        higher_is_better=higher,
        aggregation=aggregation,
        seeds=values,
    )


def _primary(metrics: Mapping[str, MetricSummary], wanted: str | None) -> Primary | None:
    """The one that was named, else the first that LightEval lists."""
    name = wanted if wanted in metrics else next(iter(metrics), None)
    if name is None:
        return None
    metric = metrics[name]
    return Primary(name=name, value=metric.mean, stderr=metric.stderr, higher_is_better=metric.higher_is_better)


def _latency(answers: Iterable[Answer]) -> Latency | None:
    times = sorted(a.latency_s for a in answers if a.latency_s is not None and not a.known and a.status != "failed")
    if not times:
        return None
    return Latency(p50=quantile(times, 0.5), p95=quantile(times, 0.95), max=times[-1])


def _substituted(metrics: Mapping[str, MetricSummary], score: ScoreAnswers) -> Iterator[str]:
    """Judges give one metric of their own, whatever the task's are."""
    wanted = score.primary_metric
    if wanted is not None and wanted not in metrics and score.scoring_mode == "deterministic" and metrics:
        yield f"the primary metric {wanted!r:.100} was not measured: {next(iter(metrics))!r:.100} stands in for it"


def _total(numbers: Iterable[int | None]) -> int | None:
    known = [number for number in numbers if number is not None]
    return sum(known) if known else None
