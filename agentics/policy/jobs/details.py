"""What an attempt's ledgers hold as detail rows: every answer with its question, its metrics, and what judges said."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Mapping, Sequence

from pydantic import JsonValue

from agentics.model.job.judge_verdict import AnswerVerdict
from agentics.model.job.stage_options import JudgeAnswers, ScoreAnswers
from agentics.model.job.worker_protocol import Answer, DetailRow, JudgeReply, Sample
from agentics.model.plan.trial_plan import Plan
from agentics.policy.jobs.judge_verdicts import JUDGED, answer_verdicts, read_judgements


def detail_rows(
    score: ScoreAnswers,
    samples: Iterable[Sample],
    answers: Sequence[Answer],
    judgements: Sequence[JudgeReply] = (),
    judges: JudgeAnswers | None = None,
) -> Iterator[DetailRow]:
    """A row for each sample, in the order in which they were scored."""
    known = {(answer.key, answer.seed, answer.doc_id): answer for answer in answers}
    judged = read_judgements(judgements, answers, judges) if judges is not None else None
    verdicts = {(each.key, each.seed, each.doc_id): each for each in answer_verdicts(judged)} if judged else {}
    for sample in samples:
        item = (sample.key, sample.seed, sample.doc_id)
        if item in known:
            row, found = _row(score, sample, known[item]), verdicts.get(item)
            yield row if found is None else row.model_copy(update=_verdict(found))


def score_of(plan: Plan) -> ScoreAnswers:
    """How the plan of a model's trial makes its result."""
    return ScoreAnswers.model_validate(_options(plan, "score_answers"))


def judges_of(plan: Plan) -> JudgeAnswers | None:
    """What the plan says of judges, None where it has none."""
    options = _options(plan, "judge_answers")
    return None if options is None else JudgeAnswers.model_validate(options)


def _options(plan: Plan, stage: str) -> Mapping[str, JsonValue] | None:
    return next((each.options for each in plan.stages if each.name == stage), None)


def golds(sample: Sample) -> tuple[str, ...]:
    """The texts of the reference answers."""
    index, texts = sample.doc.get("gold_index"), choices(sample)
    places = index if isinstance(index, list) else [index]
    numbers = [place for place in places if isinstance(place, int) and not isinstance(place, bool)]
    return tuple(texts[place] for place in numbers if -len(texts) <= place < len(texts))


def choices(sample: Sample) -> tuple[str, ...]:
    said = sample.doc.get("choices")
    return tuple(str(choice) for choice in said) if isinstance(said, list) else ()


def _verdict(found: AnswerVerdict) -> dict[str, object]:
    """The verdict on an answer as a metric, or why there is none; and what each judge said and gave."""
    said = [each.model_dump(mode="json") for each in found.judges]
    return {
        "metric": _json({JUDGED: found.value}) if found.value is not None else None,
        "no_verdict": found.no_verdict,
        "judgements": _json(said) if said else None,
    }


def _row(score: ScoreAnswers, sample: Sample, answer: Answer) -> DetailRow:
    texts = (answer.response or {}).get("text")
    return DetailRow(
        task=score.task,
        fewshot=score.fewshot,
        seed=sample.seed,
        doc_id=sample.doc_id,
        sampling=sample.sampling,
        status=answer.status,
        query=str(sample.doc.get("query", "")),
        choices=choices(sample),
        gold=golds(sample),
        answer=tuple(map(str, texts)) if isinstance(texts, list) else (),
        doc=_json(sample.doc),
        model_response=None if answer.response is None else _json(answer.response),
        metric=None if sample.metrics is None else _json(sample.metrics),
        no_verdict=None,
        judgements=None,
        error=None if answer.error is None else _json(answer.error.model_dump(mode="json")),
        finish_reasons=answer.finish_reasons,
        refusals=answer.refusals,
        truncated=answer.truncated,
        latency_s=answer.latency_s,
        prompt_tokens=answer.usage.prompt_tokens,
        completion_tokens=answer.usage.completion_tokens,
        key=sample.key,
    )


def _json(value: object) -> str:
    return json.dumps(value, sort_keys=True, ensure_ascii=False)
