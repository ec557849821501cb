"""What the stages of a job work with: a worker to give orders to, and where answers are kept. It decides nothing."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass
from typing import Any, Literal, Protocol

from pydantic import BaseModel

from agentics.errors import StopFlag
from agentics.model.document.record import Record
from agentics.model.job.worker_protocol import Answer, JudgeReply, RequestLimits, WorkerEvent, WorkerOrder
from agentics.model.plan.trial_plan import Plan
from agentics.pipeline.attempt_tools import EvidenceStore
from agentics.pipeline.contract.stage import Context, Interrupted

SessionKind = Literal["model", "judges"]
Ledger = Literal["answers", "samples", "judgements"]


class Orders(Protocol):
    """A worker's session, ours alone while we have it."""

    number: int

    def file(self, name: str, rows: Iterable[BaseModel]) -> str:
        """Write a file that the next order names, a line for each row; its name."""

    def read(self, name: str, most: int) -> bytes | None:
        """A file that the worker made, of at most so many bytes; None where there is none. Raises EngineError."""

    def carry_out(self, order: Callable[[int], WorkerOrder], interrupt: StopFlag) -> Iterator[list[WorkerEvent]]:
        """Give the order of the next number and follow it to its `Done` or `Failed`, in batches as they come.

        Raises EngineError when the worker dies."""


class AnswerStore(EvidenceStore, Protocol):
    """Also keeps many records at once."""

    def append_all(self, name: str, records: Sequence[Record]) -> None:
        """Add a line for each, all durable when this returns."""


@dataclass(kw_only=True)
class JobTools:
    """One attempt's tools. `session` gives the worker of the model, or that of the judges. `answers` and `judgements`:
    what need not be asked for again; `told`: what this attempt's ledgers hold so far; `limits`: the operator's."""

    plan: Plan
    keep: AnswerStore
    interrupt: StopFlag
    observer: Callable[..., None]
    session: Callable[[SessionKind], AbstractContextManager[Orders]]
    answers: Callable[[], Iterable[Answer]]
    judgements: Callable[[], Iterable[JudgeReply]]
    told: Callable[[Ledger], Sequence[Any]]
    limits: RequestLimits

    def observe(self, event: str, **facts: object) -> None:
        self.observer(event, **facts)

    def check_interrupted(self) -> None:
        """Raises Interrupted when the run was asked to stop."""
        if self.interrupt.is_set():
            raise Interrupted


def job_tools(context: Context) -> JobTools:
    """The tools of a model's trial. Raises UsageError outside a trial."""
    tools: JobTools = context.tools
    return tools
