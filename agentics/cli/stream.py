"""`--json-stream`: the events of a run on stdout as they happen. A reader who is slow or gone holds nothing up."""

from __future__ import annotations

import queue
import threading
from collections.abc import Iterator
from contextlib import contextmanager

from agentics.cli.console import print_line
from agentics.runner.run_events import Sink


@contextmanager
def streamed(*, wanted: bool) -> Iterator[Sink | None]:
    """A sink that only takes lines, or None where no stream is wanted. All of them are out when this is left.

    A thread writes: a run that waited for a controller which waits for the run would wait for ever.
    """
    if not wanted:
        yield None
        return
    lines: queue.SimpleQueue[str | None] = queue.SimpleQueue()
    writer = threading.Thread(target=_write, args=(lines,), name="events", daemon=True)
    writer.start()
    try:
        yield lines.put
    finally:
        lines.put(None)
        writer.join()


def _write(lines: queue.SimpleQueue[str | None]) -> None:
    read = True
    while (line := lines.get()) is not None:
        read = read and print_line(line)  # runtime/events.jsonl has them all
