"""Keeps every answer with its question, its metrics and what judges said, as one Parquet file of a fixed schema."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from agentics.model.job.stage_options import KeepDetails
from agentics.model.job.worker_protocol import DetailRow, DetailsOrder
from agentics.pipeline.description import described
from agentics.pipeline.jobbench import JobBench
from agentics.pipeline.stage import Context, StageFailure
from agentics.policy.details import detail_rows, judges_of, score_of
from agentics.policy.judged import JUDGED
from agentics.stages.orders import followed, stopped

name = "keep_details"
describe = described(name, "Keeps the details of a task as Parquet.", KeepDetails, needs=("trial", "worker"))
_OUTPUT = "details.parquet"
_BYTES = 4 << 30


def run(context: Context, options: Mapping[str, Any]) -> Context | StageFailure:
    bench = context.job_bench
    KeepDetails.model_validate(options)
    metrics = _metrics(context)
    with bench.session("model") as orders:
        rows = orders.file("rows.jsonl", _rows(bench))

        def order(number: int) -> DetailsOrder:
            return DetailsOrder(order=number, rows=rows, output=f"{number}-{_OUTPUT}", metrics=metrics)

        _, failed = followed(bench, orders, order, lambda _: None)
        if failed is not None:
            return stopped(context, name, failed)
        data = orders.read(f"{orders.number}-{_OUTPUT}", _BYTES)
    if data is None:
        return context.fail(name, "details_missing", "the worker left no details")
    return context.with_job(details_ref=bench.keep.put_bytes(data))


def _metrics(context: Context) -> tuple[str, ...]:
    """Names of the metrics that rows can have."""
    if judges_of(context.job_bench.plan) is not None:
        return (JUDGED,)
    facts = context.evidence.job
    return tuple(facts.ready.metrics) if facts is not None and facts.ready is not None else ()


def _rows(bench: JobBench) -> Iterator[DetailRow]:
    told = bench.told("samples"), tuple(bench.told("answers")), tuple(bench.told("judgements"))
    return detail_rows(score_of(bench.plan), *told, judges_of(bench.plan))
