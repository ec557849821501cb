"""Asks a model about one task: what is known is not asked for again, and every answer is durable as it comes."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from agentics.model.job.stage_options import AskModel
from agentics.model.job.worker_protocol import (
    Answer,
    Environment,
    EvaluateOrder,
    EvaluationReport,
    TaskReady,
    WorkerEvent,
)
from agentics.pipeline.contract.description import described
from agentics.pipeline.contract.stage import Context, StageFailure
from agentics.pipeline.job_tools import JobTools, job_tools
from agentics.stages.worker_orders import followed, one, stopped, with_job

name = "ask_model"
describe = described(name, "Asks a model about one task, in a LightEval worker.", AskModel, needs=("trial", "worker"))


@dataclass
class Counting:
    """Tells how many of how many requests are over, and how many of these failed, by code."""

    tools: JobTools
    total: int = 0
    done: int = 0
    failures: Counter[str] = field(default_factory=Counter)

    def __call__(self, batch: Sequence[WorkerEvent]) -> None:
        before = self.done
        for event in batch:
            if isinstance(event, TaskReady):
                self.total = event.requests
            elif isinstance(event, Answer):
                self.done += 1
                if event.status == "failed":
                    self.failures[event.error.code if event.error else "failed"] += 1
        if self.done > before:
            facts = {"done": self.done, "new": self.done - before, "total": self.total}
            self.tools.observe("samples_done", stage=name, **facts, failures=dict(self.failures))


def run(context: Context, options: Mapping[str, Any]) -> Context | StageFailure:
    tools, template = job_tools(context), AskModel.model_validate(options).ask
    with tools.session("model") as orders:
        known = orders.file("known.jsonl", tools.answers())

        def order(number: int) -> EvaluateOrder:
            return template.model_copy(update={"order": number, "known": known, "limits": tools.limits})

        events, failed = followed(tools, orders, order, Counting(tools))
    facts = {
        "environment": one(Environment, events),
        "ready": one(TaskReady, events),
        "report": one(EvaluationReport, events),
    }
    context = with_job(context, **facts)
    return context if failed is None else stopped(context, name, failed)
