"""Asks judges about the answers that are stored. The model is not asked again, and a judge that fails is seen."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any

from agentics.model.job.stage_options import JudgeAnswers
from agentics.model.job.worker_protocol import JudgeItem, JudgeOrder, JudgeReply, WorkerEvent
from agentics.pipeline.contract.description import described
from agentics.pipeline.contract.stage import Context, StageFailure
from agentics.pipeline.job_tools import JobTools, job_tools
from agentics.policy.jobs.details import choices, golds
from agentics.policy.jobs.judge_parsing import read_verdict
from agentics.stages.worker_orders import followed, stopped

name = "judge_answers"
describe = described(name, "Asks judges about a model's answers.", JudgeAnswers, needs=("trial", "worker"))


def run(context: Context, options: Mapping[str, Any]) -> Context | StageFailure:
    tools, wanted = job_tools(context), JudgeAnswers.model_validate(options)
    items = tuple(_items(tools))
    if not items:
        return context  # nothing was answered: the result says so
    done = _Counting(tools, len(items) * len(wanted.judges))
    with tools.session("judges") as orders:
        rows = orders.file("items.jsonl", items)
        known = orders.file("judgements.jsonl", _readable(tools.judgements(), wanted))

        def order(number: int) -> JudgeOrder:
            return JudgeOrder(order=number, judges=wanted.judges, items=rows, known=known, limits=tools.limits)

        _, failed = followed(tools, orders, order, done)
    return context if failed is None else stopped(context, name, failed)


def _readable(judgements: Iterable[JudgeReply], wanted: JudgeAnswers) -> Iterator[JudgeReply]:
    """Those that need not be asked for again. A text that cannot be read is no verdict: its judge is asked again."""
    for one in judgements:
        template = wanted.templates.get(one.judge)
        if template is None or (one.text is not None and isinstance(read_verdict(template, one.text), float)):
            yield one


class _Counting:
    def __init__(self, tools: JobTools, total: int) -> None:
        self.tools, self.total, self.done = tools, total, 0
        self.failures = Counter[str]()

    def __call__(self, batch: Sequence[WorkerEvent]) -> None:
        said = [event for event in batch if isinstance(event, JudgeReply)]
        self.done += len(said)
        self.failures.update(f"{event.judge}: {event.error.code}" for event in said if event.error is not None)
        if said:
            facts = {"done": self.done, "new": len(said), "total": self.total}
            self.tools.observe("samples_done", stage=name, **facts, failures=dict(self.failures))


def _items(tools: JobTools) -> Iterator[JudgeItem]:
    """What was answered, as judges see it: the question, the answer without its reasoning, and the reference."""
    answers = {(a.key, a.seed, a.doc_id): a for a in tools.told("answers") if a.status == "answered"}
    for sample in tools.told("samples"):
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
