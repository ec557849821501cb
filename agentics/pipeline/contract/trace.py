"""The trace of a run: what was done and decided, and why, told to a sink as it happens. Immutable like the context."""

from __future__ import annotations

import html
import uuid
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from pydantic import TypeAdapter
from pydantic_core import to_jsonable_python

from agentics.errors import StorageError
from agentics.model.evidence.stage_record import ConfidenceStatistics, EventType, TraceChain, TraceEvent
from agentics.rundir.files import ledger
from agentics.rundir.files.atomic import utc_now

_EVENTS = TypeAdapter(TraceEvent)


def _nowhere(_: TraceEvent) -> None:
    """Kept in memory only."""


@dataclass(frozen=True, kw_only=True)
class Trace:
    """The events so far. A trace without a sink is kept in memory only."""

    id: str
    name: str
    experiment_id: str
    created_at: str
    events: tuple[TraceEvent, ...] = ()
    sink: Callable[[TraceEvent], None] = field(default=_nowhere, compare=False)

    def event(self, kind: EventType, decision: str, *, stage: str | None = None, **more: Any) -> Trace:  # noqa: ANN401
        """With one more event, which the sink has when this returns. `more`: other fields of a TraceEvent."""
        more["metadata"] = to_jsonable_python(more.get("metadata", {}), fallback=_word, inf_nan_mode="null")
        event = TraceEvent.model_validate(
            {
                "id": uuid.uuid4().hex,
                "timestamp": utc_now(),
                "type": kind,
                "decision": decision,
                "stage_id": stage,
                "experiment_id": self.experiment_id,
                **more,
            }
        )
        self.sink(event)
        return replace(self, events=(*self.events, event))

    def of_stage(self, name: str) -> tuple[TraceEvent, ...]:
        return tuple(event for event in self.events if event.stage_id == name)

    def of_type(self, kind: EventType) -> tuple[TraceEvent, ...]:
        return tuple(event for event in self.events if event.type == kind)

    @property
    def last(self) -> TraceEvent | None:
        return self.events[-1] if self.events else None

    def confidence(self) -> ConfidenceStatistics:
        stated = [event.confidence for event in self.events if event.confidence is not None]
        if not stated:
            return ConfidenceStatistics(count=0)
        return ConfidenceStatistics(
            count=len(stated), mean=sum(stated) / len(stated), least=min(stated), most=max(stated)
        )

    def chain(self) -> TraceChain:
        """All of it as one document."""
        return TraceChain(
            id=self.id,
            name=self.name,
            events=self.events,
            created_at=self.created_at,
            updated_at=self.last.timestamp if self.last else self.created_at,
            statistics=dict(Counter(event.type for event in self.events)),
        )

    def to_html(self) -> str:
        """A page of its own; whatever events say is shown, not obeyed."""
        shown = ((e.timestamp, e.type, e.stage_id or "", e.decision, e.reasoning) for e in self.events)
        rows = "".join(f"<tr><td>{'</td><td>'.join(map(html.escape, cells))}</td></tr>" for cells in shown)
        title = html.escape(self.name)
        return f'<!doctype html><meta charset="utf-8"><title>{title}</title><h1>{title}</h1><table>{rows}</table>'


def begin(experiment_id: str, run_id: str, sink: Callable[[TraceEvent], None] = _nowhere) -> Trace:
    return Trace(
        id=run_id, name=f"{experiment_id} {run_id}", experiment_id=experiment_id, created_at=utc_now(), sink=sink
    )


def read_events(path: Path) -> tuple[TraceEvent, ...]:
    """The events of a trace file, also of a run that was killed: a torn last line was never an event. Raises
    StorageError when a whole line is none."""
    return ledger.read(path, _EVENTS)


def read_chain(path: Path) -> TraceChain:
    """A chain that was saved as one document. Raises StorageError."""
    try:
        return TraceChain.model_validate_json(path.read_bytes())
    except (OSError, ValueError) as error:
        msg = f"{path}: no trace: {error}"
        raise StorageError(msg, code="damaged_file") from error


def _word(value: object) -> str:
    """What stands for a value that JSON cannot say: its kind, and nothing that it holds."""
    return f"<{type(value).__name__}>"
