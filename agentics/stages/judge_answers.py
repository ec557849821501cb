"""Asks judges about the answers that are stored. The model is not asked again, and a judge that fails is seen."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any

from agentics.model.job.stage_options import JudgeAnswers
from agentics.model.job.worker_protocol import Event, JudgeItem, JudgeOrder, JudgeReply
from agentics.pipeline.description import described
from agentics.pipeline.jobbench import JobBench
from agentics.pipeline.stage import Context, StageFailure
from agentics.policy.details import choices, golds
from agentics.policy.judging import read_verdict
from agentics.stages.orders import followed, stopped

name = "judge_answers"
describe = described(name, "Asks judges about a model's answers.", JudgeAnswers, needs=("trial", "worker"))


def run(context: Context, options: Mapping[str, Any]) -> Context | StageFailure:
    bench, wanted = context.job_bench, JudgeAnswers.model_validate(options)
    items = tuple(_items(bench))
    if not items:
        return context  # nothing was answered: the result says so
    done = _Counting(bench, len(items) * len(wanted.judges))
    with bench.session("judges") as orders:
        rows = orders.file("items.jsonl", items)
        known = orders.file("judgements.jsonl", _readable(bench.judgements(), wanted))

        def order(number: int) -> JudgeOrder:
            return JudgeOrder(order=number, judges=wanted.judges, items=rows, known=known, limits=bench.limits)

        _, failed = followed(bench, orders, order, done)
    return context if failed is None else stopped(context, name, failed)


def _readable(judgements: Iterable[JudgeReply], wanted: JudgeAnswers) -> Iterator[JudgeReply]:
    """Those that need not be asked for again. A text that cannot be read is no verdict: its judge is asked again."""
    for one in judgements:
        template = wanted.templates.get(one.judge)
        if template is None or (one.text is not None and isinstance(read_verdict(template, one.text), float)):
            yield one


class _Counting:
    def __init__(self, bench: JobBench, total: int) -> None:
        self.bench, self.total, self.done = bench, total, 0
        self.failures = Counter[str]()

    def __call__(self, batch: Sequence[Event]) -> None:
        said = [event for event in batch if isinstance(event, JudgeReply)]
        self.done += len(said)
        self.failures.update(f"{event.judge}: {event.error.code}" for event in said if event.error is not None)
        if said:
            facts = {"done": self.done, "new": len(said), "total": self.total}
            self.bench.observe("samples_done", stage=name, **facts, failures=dict(self.failures))


def _items(bench: JobBench) -> Iterator[JudgeItem]:
    """What was answered, as judges see it: the question, the answer without its reasoning, and the reference."""
    answers = {(a.key, a.seed, a.doc_id): a for a in bench.told("answers") if a.status == "answered"}
    for sample in bench.told("samples"):
        answer = answers.get((sample.key, sample.seed, sample.doc_id))
        if answer is None or answer.response is None or sample.sampling != "generative":
            continue
        texts = answer.response.get("text") or [""]
        yield JudgeItem(
            key=sample.key,
            seed=sample.seed,
            doc_id=sample.doc_id,
            question=str(sample.doc.get("query", "")),
            answer=_final(str(texts[0] if isinstance(texts, list) else texts)),
            gold=golds(sample),
            choices=choices(sample),
        )


def _final(text: str) -> str:
    """Without what a model thought before it answered."""
    return text.rpartition("</think>")[2].strip()
