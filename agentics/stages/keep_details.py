"""Keeps every answer with its question, its metrics and what judges said, as one Parquet file of a fixed schema."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from agentics.model.job.stage_options import KeepDetails
from agentics.model.job.worker_protocol import DetailRow, DetailsOrder
from agentics.pipeline.contract.description import described
from agentics.pipeline.contract.stage import Context, StageFailure
from agentics.pipeline.job_tools import JobTools, job_tools
from agentics.policy.jobs.details import detail_rows, judges_of, score_of
from agentics.policy.jobs.judge_verdicts import JUDGED
from agentics.stages.worker_orders import followed, stopped, with_job

name = "keep_details"
describe = described(name, "Keeps the details of a task as Parquet.", KeepDetails, needs=("trial", "worker"))
_OUTPUT = "details.parquet"
_BYTES = 4 << 30


def run(context: Context, options: Mapping[str, Any]) -> Context | StageFailure:
    tools = job_tools(context)
    KeepDetails.model_validate(options)
    metrics = _metrics(context)
    with tools.session("model") as orders:
        rows = orders.file("rows.jsonl", _rows(tools))

        def order(number: int) -> DetailsOrder:
            return DetailsOrder(order=number, rows=rows, output=f"{number}-{_OUTPUT}", metrics=metrics)

        _, failed = followed(tools, orders, order, lambda _: None)
        if failed is not None:
            return stopped(context, name, failed)
        data = orders.read(f"{orders.number}-{_OUTPUT}", _BYTES)
    if data is None:
        return context.fail(name, "details_missing", "the worker left no details")
    return with_job(context, details_ref=tools.keep.put_bytes(data))


def _metrics(context: Context) -> tuple[str, ...]:
    """Names of the metrics that rows can have."""
    if judges_of(job_tools(context).plan) is not None:
        return (JUDGED,)
    facts = context.evidence.job
    return tuple(facts.ready.metrics) if facts is not None and facts.ready is not None else ()


def _rows(tools: JobTools) -> Iterator[DetailRow]:
    told = tools.told("samples"), tuple(tools.told("answers")), tuple(tools.told("judgements"))
    return detail_rows(score_of(tools.plan), *told, judges_of(tools.plan))
