"""Follows an order that a worker carries out: what it says is kept as it comes, and counted for whoever watches."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence

from agentics.errors import EngineError
from agentics.model.document.record import Fault, Record
from agentics.model.evidence.trial_evidence import JobFacts, Trouble
from agentics.model.job.worker_protocol import Answer, JudgeReply, OrderFailed, Sample, WorkerEvent, WorkerOrder
from agentics.pipeline.contract.stage import Context, StageFailure
from agentics.pipeline.job_tools import JobTools, Orders
from agentics.policy.jobs.failures import of_order

LEDGERS: Mapping[type[Record], str] = {Answer: "answers", Sample: "samples", JudgeReply: "judgements"}
"""Where what is said goes: the attempt's ledgers, by kind of line."""

_FAULTS: Mapping[str, Fault] = {
    "mapping": "user",
    "task": "challenge",
    "dataset": "challenge",
    "backend": "user",
    "scoring": "challenge",
}
_MACHINE = frozenset({"out_of_memory", "disk_full"})


def followed(
    tools: JobTools, orders: Orders, order: Callable[[int], WorkerOrder], tell: Callable[[Sequence[WorkerEvent]], None]
) -> tuple[list[WorkerEvent], OrderFailed | None]:
    """Carry out an order. What came that is kept nowhere else, and why it failed, if it did.

    `tell` is given every batch, once what is in it is durable. Raises EngineError, and Interrupted when the run was
    asked to stop.
    """
    rest: list[WorkerEvent] = []
    failed = None
    for batch in _unless_stopped(tools, orders.carry_out(order, tools.interrupt)):
        for kind, name in LEDGERS.items():
            # What was known already is in an earlier attempt's ledger; here it stands for this attempt.
            tools.keep.append_all(name, [line for line in batch if isinstance(line, kind)])
        tell(batch)
        rest += [line for line in batch if type(line) not in LEDGERS]
        failed = batch[-1] if isinstance(batch[-1], OrderFailed) else None
    tools.check_interrupted()
    return rest, failed


def _unless_stopped(tools: JobTools, batches: Iterator[list[WorkerEvent]]) -> Iterator[list[WorkerEvent]]:
    """A worker that was removed because the run is to stop has not failed."""
    try:
        yield from batches
    except EngineError:
        tools.check_interrupted()
        raise


def one(kind: type[Record], events: Iterable[WorkerEvent]) -> object:
    """The last event of a kind, None where there is none."""
    return next((event for event in reversed(list(events)) if isinstance(event, kind)), None)


def stopped(context: Context, stage: str, failed: OrderFailed) -> StageFailure:
    """The stage's failure for an order that was not carried out. Who wrote the task answers for the task, who wrote the
    job for what the backend is told; a custom model's own exception is its author's."""
    fault: Fault = "infrastructure" if failed.code in _MACHINE else _FAULTS.get(failed.stage, "infrastructure")
    where = f" ({failed.field})" if failed.field else ""
    hint = f"; {failed.hint}" if failed.hint else ""
    message, again = f"{failed.message}{where}{hint}", failed.code == "hub_unreachable"
    trouble = Trouble(stage=stage, code=failed.code, message=message, fault=fault, retryable=again)
    context = with_job(context, failures=(of_order(failed),))
    return StageFailure(trouble=trouble, context=context, traceback=failed.traceback)


def with_job(context: Context, **changes: object) -> Context:
    """The context with more of what was observed of a job."""
    job = context.evidence.job or JobFacts()
    return context.with_evidence(job=job.model_copy(update=changes))
