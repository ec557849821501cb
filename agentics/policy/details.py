"""What an attempt's ledgers hold as detail rows: every answer with its question, its metrics, and what judges said."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Sequence

from agentics.model.jobplan import ScoreAnswers
from agentics.model.jobwork import Answer, DetailRow, Judgement, Sample


def detail_rows(
    score: ScoreAnswers, samples: Iterable[Sample], answers: Iterable[Answer], judgements: Iterable[Judgement]
) -> Iterator[DetailRow]:
    """A row for each sample, in the order in which they were scored."""
    known = {(answer.key, answer.seed, answer.doc_id): answer for answer in answers}
    said: dict[tuple[int, str], list[Judgement]] = {}
    for one in judgements:
        said.setdefault((one.seed, one.item), []).append(one)
    for sample in samples:
        answer = known.get((sample.key, sample.seed, sample.doc_id))
        if answer is not None:
            yield _row(score, sample, answer, said.get((sample.seed, sample.key), ()))


def golds(sample: Sample) -> tuple[str, ...]:
    """The texts of the reference answers."""
    index, texts = sample.doc.get("gold_index"), choices(sample)
    places = index if isinstance(index, list) else [index]
    numbers = [place for place in places if isinstance(place, int) and not isinstance(place, bool)]
    return tuple(texts[place] for place in numbers if -len(texts) <= place < len(texts))


def choices(sample: Sample) -> tuple[str, ...]:
    said = sample.doc.get("choices")
    return tuple(str(choice) for choice in said) if isinstance(said, list) else ()


def _row(score: ScoreAnswers, sample: Sample, answer: Answer, said: Sequence[Judgement]) -> DetailRow:
    texts = (answer.response or {}).get("text")
    told = [{"judge": one.judge, "text": one.text, "error": one.error and one.error.code} for one in said]
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
        judgements=_json(told) if told else None,
        error=None if answer.error is None else _json(answer.error.model_dump(mode="json")),
        latency_s=answer.latency_s,
        prompt_tokens=answer.usage.prompt_tokens,
        completion_tokens=answer.usage.completion_tokens,
        key=sample.key,
    )


def _json(value: object) -> str:
    return json.dumps(value, sort_keys=True, ensure_ascii=False)
