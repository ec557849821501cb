"""What a run tells programs: each event durable in the run directory first, then said to whoever listens."""

from __future__ import annotations

import threading
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Protocol

from agentics.model.run.event import EVENT, EventName
from agentics.rundir.files import event_log
from agentics.rundir.files.atomic import json_line, utc_now

Sink = Callable[[str], None]
"""Takes one event as a line of JSON, without its line feed."""


class EventEmitter(Protocol):
    """Whoever is told of events."""

    def emit(self, event: EventName, **fields: Any) -> None:  # noqa: ANN401 - by event
        """Tell that something happened."""


class ListenerGone:
    """For what goes on beside a run: forks, replays and dry runs are not told of."""

    def emit(self, event: EventName, **fields: Any) -> None:  # noqa: ANN401 - as the protocol has it
        """Nothing."""


@dataclass
class RunEvents:
    """The events of one invocation; `path` is runtime/events.jsonl, whose run this process holds. Threads may share it.

    A sink that raises OSError is never called again: a listener who goes away changes nothing.
    """

    path: Path
    run_id: str = field(kw_only=True)
    run_dir: Path = field(kw_only=True)
    sink: Sink | None = field(kw_only=True)
    seq: int = field(init=False)
    guard: threading.Lock = field(init=False, default_factory=threading.Lock)

    def __post_init__(self) -> None:
        self.seq = event_log.last_seq(self.path)

    def emit(self, event: EventName, **fields: Any) -> None:  # noqa: ANN401 - by event, as its model says
        """Tell that something happened. What the event names is durable before this is called.

        Raises StorageError when it cannot be written down, ValueError for a field that the event does not have.
        """
        common = {"run_id": self.run_id, "run_dir": str(self.run_dir), "event": event}
        with self.guard:
            told = EVENT.validate_python({"seq": self.seq + 1, "ts": utc_now(), **common, **fields})
            line = json_line(told)
            event_log.append(self.path, line)
            self.seq = told.seq
            self._say(line)

    def _say(self, line: str) -> None:
        if self.sink is None:
            return
        try:
            self.sink(line)
        except OSError:
            self.sink = None
