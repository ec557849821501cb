"""The public view of a run: a type of its own, so that nothing is shown that nobody decided to show."""

from __future__ import annotations

from typing import Literal

from agentics.model.document.record import Fault, Mode, Record, Status, Trust


class PublicMetric(Record):
    """`n` samples of `of` are in the value of a model's metric; null for other metrics."""

    metric_name: str
    value: float
    direction: Literal["maximize", "minimize"] | None
    n: int | None
    of: int | None


class PublicCase(Record):
    """One public result of a validation. There are none of an official evaluation."""

    case_name: str
    status: Status
    score: float | None


class PublicTask(Record):
    """What anybody may know of one task: how it ended, and the primary metric if there is a verdict."""

    task: str
    status: Status
    reason: str | None
    fault: Fault | None
    mode: Mode | None
    trust: Trust | None
    primary_metric: PublicMetric | None
    cases: tuple[PublicCase, ...]


class PublicRun(Record):
    """public/run.json: every variant by name, its tasks in the order asked for."""

    schema_version: Literal["public_run_v1"] = "public_run_v1"
    run_id: str
    variants: dict[str, tuple[PublicTask, ...]]


DOCUMENTS: dict[str, type[Record]] = {"public_run": PublicRun}
