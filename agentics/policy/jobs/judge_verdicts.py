"""What judges said, read once: a verdict for every answer, and what is to be told of each judge and of all together."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from statistics import fmean

from agentics.content import digest_of
from agentics.model.job.job_result import JudgeSummary, JurySummary
from agentics.model.job.judge_template import JudgeTemplate
from agentics.model.job.judge_verdict import AnswerVerdict, JudgeVerdict
from agentics.model.job.stage_options import JudgeAnswers
from agentics.model.job.worker_protocol import Answer, JudgeReply, MetricValue, WorkerJudge
from agentics.policy.jobs.judge_parsing import Unread, read_verdict
from agentics.policy.jobs.jury import ItemVerdict, agreement, alpha, verdict
from agentics.policy.outcome.samples import metric_value

JUDGED = "judge_score"
"""The metric of judge and jury, whatever the judges' scales are: 0 … 1."""

Item = tuple[int, str, str]
"""An answer: its few-shot seed, its document and its key. Documents that ask the same have the same key."""


@dataclass(frozen=True, kw_only=True)
class JudgeVerdicts:
    """`said` by judge; `given`: to every answer, what each judge gave that gave something."""

    judges: JudgeAnswers
    said: Mapping[str, Mapping[Item, JudgeReply]]
    read: Mapping[str, Mapping[Item, float | Unread]]
    given: Mapping[Item, Mapping[str, float]]
    verdicts: Mapping[Item, ItemVerdict]


def read_judgements(judgements: Iterable[JudgeReply], answers: Iterable[Answer], judges: JudgeAnswers) -> JudgeVerdicts:
    """`answers`: those that were to be judged are in the result even if no judge said a word about them.

    Raises ValueError for the word of a judge that nobody asked.
    """
    said: dict[str, dict[Item, JudgeReply]] = {judge.name: {} for judge in judges.judges}
    for one in judgements:
        if one.judge not in said:
            msg = f"the worker tells what {one.judge!r:.100} said, who is no judge of this job"
            raise ValueError(msg)
        said[one.judge][(one.seed, one.doc_id, one.item)] = one
    read = {name: _read(judges.templates[name], own) for name, own in said.items()}
    items = dict.fromkeys([*_to_judge(answers), *(item for own in said.values() for item in own)])
    given = {item: _given(item, read) for item in items}
    return JudgeVerdicts(
        judges=judges,
        said=said,
        read=read,
        given=given,
        verdicts={item: _verdict(judges, values) for item, values in given.items()},
    )


def _verdict(judges: JudgeAnswers, values: Mapping[str, float]) -> ItemVerdict:
    return verdict(values, judges.weights, judges.aggregation, judges.min_judges)


def judged_values(judged: JudgeVerdicts, seeds: Iterable[int]) -> tuple[MetricValue, ...]:
    """For each seed, over the answers that have a verdict."""
    known = [(of, each.value) for (of, *_), each in judged.verdicts.items() if each.value is not None]
    return tuple(metric_value([value for of, value in known if of == seed]) for seed in seeds)


def answer_verdicts(judged: JudgeVerdicts) -> Iterator[AnswerVerdict]:
    """What becomes of every answer that was to be judged, with all that judges said of it."""
    for item, found in judged.verdicts.items():
        seed, doc_id, key = item
        said = tuple(_said(own[item], judged.read[name].get(item)) for name, own in judged.said.items() if item in own)
        yield AnswerVerdict(seed=seed, doc_id=doc_id, key=key, value=found.value, no_verdict=found.missing, judges=said)


def _said(one: JudgeReply, read: float | Unread | None) -> JudgeVerdict:
    return JudgeVerdict(
        judge=one.judge,
        value=read if isinstance(read, float) else None,
        unread=read.reason if isinstance(read, Unread) else None,
        text=one.text,
        error=one.error.code if one.error is not None else None,
        prompt_sha256=digest_of([{**message} for message in one.messages]),
        key=one.key,
    )


def judge_summaries(judged: JudgeVerdicts) -> tuple[JudgeSummary, ...]:
    return tuple(_judge(judged, judge) for judge in judged.judges.judges)


def jury_summary(judged: JudgeVerdicts) -> JurySummary:
    verdicts, given = judged.verdicts.values(), list(judged.given.values())
    told = judged.judges.report_disagreement
    apart = [each.disagreement for each in verdicts if each.disagreement is not None]
    return JurySummary(
        aggregation=judged.judges.aggregation,
        judged=sum(each.value is not None for each in verdicts),
        unjudged=sum(each.value is None for each in verdicts),
        short=sum(each.missing == "too_few_judges" for each in verdicts),
        ties=sum(each.missing == "tie" for each in verdicts),
        min_judges=judged.judges.min_judges,
        disagreement=fmean(apart) if apart and told else None,
        agreement=agreement(given) if told else None,
        alpha=alpha(given) if told else None,
    )


def _to_judge(answers: Iterable[Answer]) -> Iterable[Item]:
    """Judges read texts: what was chosen by its probability is none, and an empty one is counted as it is."""
    return (
        (answer.seed, answer.doc_id, answer.key)
        for answer in answers
        if answer.status == "answered" and answer.sampling == "generative"
    )


def _read(template: JudgeTemplate, said: Mapping[Item, JudgeReply]) -> dict[Item, float | Unread]:
    return {item: read_verdict(template, one.text) for item, one in said.items() if one.text is not None}


def _given(item: Item, read: Mapping[str, Mapping[Item, float | Unread]]) -> dict[str, float]:
    found = {name: own.get(item) for name, own in read.items()}
    return {name: value for name, value in found.items() if isinstance(value, float)}


def _judge(judged: JudgeVerdicts, judge: WorkerJudge) -> JudgeSummary:
    template = judged.judges.templates[judge.name]
    said, read = judged.said[judge.name].values(), judged.read[judge.name].values()
    numbers = [value for value in read if isinstance(value, float)]
    unread = [value.reason for value in read if isinstance(value, Unread)]
    failed = [one.error.code if one.error else "failed" for one in said if one.text is None]
    return JudgeSummary(
        name=judge.name,
        model=judge.model,
        template_id=template.id,
        template_version=template.version,
        template_sha256=digest_of(template.model_dump(mode="json")),
        settings=judge.model_dump(mode="json", exclude={"name", "model", "messages"}),
        weight=judged.judges.weights[judge.name],
        asked=len(said),
        answered=len(numbers),
        parse_failed=len(unread),
        failed=len(failed),
        mean=fmean(numbers) if numbers else None,
        unread=_counted(unread),
        errors=_counted(failed),
    )


def _counted(words: Sequence[str]) -> dict[str, int]:
    return dict(sorted(Counter(words).items()))
