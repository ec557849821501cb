"""From what a worker told to the result of a job's trial, and from that to a status. Pure.

What was not answered is counted and left out; it is never a zero.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence

from agentics.content import digest_of
from agentics.model.document.record import Fault
from agentics.model.evidence.trial_evidence import JobFacts
from agentics.model.evidence.verdict import Verdict
from agentics.model.job.job_result import (
    AnswerCounts,
    AnswerEnds,
    JobResult,
    JurySummary,
    Latency,
    MetricSummary,
    Primary,
    Provenance,
)
from agentics.model.job.stage_options import ScoreAnswers
from agentics.model.job.worker_protocol import Answer, EvaluationReport, MetricValue, TaskReady
from agentics.policy.jobs.judge_verdicts import JUDGED, JudgeVerdicts, judge_summaries, judged_values, jury_summary
from agentics.policy.outcome.samples import mean, quantile, spread
from agentics.policy.verdict.metrics import status_from_metrics

_USER_ERRORS = frozenset({"unauthorized", "not_found", "bad_request", "secret_missing"})
_NOTHING = MetricValue(value=None, n=0)
FOUR_HASHES = ("hash_examples", "hash_full_prompts", "hash_input_tokens", "hash_cont_tokens")


def job_result(
    facts: JobFacts, answers: Sequence[Answer], score: ScoreAnswers, judged: JudgeVerdicts | None
) -> JobResult:
    """`judged`: what the judges said, where there are any.

    Raises ValueError when the worker did not tell all that a result needs."""
    ready, report, environment = facts.ready, facts.report, facts.environment
    if ready is None or report is None or environment is None:
        msg = "the worker told no report"
        raise ValueError(msg)
    if judged is None:
        metrics = _metrics(ready, report)
    else:
        values = judged_values(judged, (seed.seed for seed in report.seeds))
        metrics = {JUDGED: _summary(values, ready.documents, higher=True, aggregation="mean")}
    hashes = [{name: seed.hashes.get(name) or None for name in FOUR_HASHES} for seed in report.seeds]
    parts = _compared_on(score, ready)
    digests = (ready.config_sha256, ready.prompt_sha256, ready.data_sha256)
    revision = report.model_commit or score.model_revision
    return JobResult(
        task=score.task,
        fewshot=score.fewshot,
        documents=ready.documents,
        scoring_mode=score.scoring_mode,
        metrics=metrics,
        primary=_primary(metrics, score.primary_metric),
        answers=_counts(report),
        ends=_ends(answers, score),
        errors=_failures(answers),
        prompt_tokens=_total(answer.usage.prompt_tokens for answer in answers),
        completion_tokens=_total(answer.usage.completion_tokens for answer in answers),
        latency=_latency(answers),
        judges=judge_summaries(judged) if judged is not None else (),
        jury=jury_summary(judged) if judged is not None else None,
        hashes=hashes[0] if hashes else dict.fromkeys(FOUR_HASHES),
        provenance=Provenance(
            config_sha256=ready.config_sha256,
            prompt_sha256=ready.prompt_sha256,
            data_sha256=ready.data_sha256,
            data_commit=ready.data_commit,
            model_revision=revision,
            versions=environment.versions,
            generation=ready.generation,
        ),
        comparability=digest_of({**parts}),
        compared_on=parts,
        reproducible=bool(hashes) and all(all(each.values()) for each in hashes),
        pinned=all(digests) and revision is not None,
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
        return _none_judged(result, result.jury)
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
    jury = result.jury
    if status == "passed" and jury is not None and jury.unjudged:
        status, reason = "degraded", "partial_errors"
    if status == "passed" and result.ends.truncated and not result.ends.truncated_allowed:
        status, reason = "degraded", "prompts_truncated"
    silent = jury is not None and jury.short > 0 and any(judge.failed for judge in result.judges)
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


def _none_judged(result: JobResult, jury: JurySummary) -> Verdict:
    if jury.ties == jury.unjudged > 0:
        detail = f"the judges tied on each of {jury.ties} answers"
        return Verdict(status="error", reason="judges_tied", fault="user", outcome="error", detail=detail)
    codes = Counter[str]()
    for judge in result.judges:
        codes.update(judge.errors)
        codes.update(judge.unread)
    detail = f"none of {result.answers.answered} answers has verdicts of {jury.min_judges} judges"
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


def _counts(report: EvaluationReport) -> AnswerCounts:
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


def _ends(answers: Sequence[Answer], score: ScoreAnswers) -> AnswerEnds:
    words = Counter(word for answer in answers for word in answer.finish_reasons if word is not None)
    cut = [answer.truncated for answer in answers if answer.truncated is not None]
    return AnswerEnds(
        finish_reasons=dict(sorted(words.items())),
        refused=sum(answer.refused for answer in answers),
        truncated=sum(cut) if cut else None,
        truncated_allowed=score.allow_truncated_prompts,
    )


def _failures(answers: Iterable[Answer]) -> dict[str, int]:
    codes = (each.error.code if each.error else "failed" for each in answers if each.status == "failed")
    return dict(sorted(Counter(codes).items()))


def _metrics(ready: TaskReady, report: EvaluationReport) -> dict[str, MetricSummary]:
    names = dict.fromkeys([*ready.metrics, *(name for seed in report.seeds for name in seed.metrics)])
    found = {}
    for name in names:
        if any(name in seed.metrics for seed in report.seeds):
            values = tuple(seed.metrics.get(name, _NOTHING) for seed in report.seeds)
            about = ready.metrics.get(name, {})
            higher = bool(about.get("higher_is_better", True))
            aggregation = str(about.get("aggregation", "mean"))
            found[name] = _summary(values, ready.documents, higher=higher, aggregation=aggregation)
    return found


def _summary(values: tuple[MetricValue, ...], documents: int, *, higher: bool, aggregation: str) -> MetricSummary:
    """`documents`: of the task, each asked under every seed."""
    known = [value.value for value in values if value.value is not None]
    return MetricSummary(
        mean=mean(known),
        sd=spread(known),
        stderr=values[0].stderr if len(values) == 1 else None,
        higher_is_better=higher,
        aggregation=aggregation,
        n=sum(value.n for value in values),
        of=documents * len(values),
        seeds=values,
    )


def _primary(metrics: Mapping[str, MetricSummary], wanted: str | None) -> Primary | None:
    """The one that was named, else the first that LightEval lists."""
    name = wanted if wanted in metrics else next(iter(metrics), None)
    if name is None:
        return None
    metric = metrics[name]
    return Primary(
        name=name,
        value=metric.mean,
        stderr=metric.stderr,
        higher_is_better=metric.higher_is_better,
        n=metric.n,
        of=metric.of,
    )


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
