"""runtime/events.jsonl: the events of a run, one line each, appended by its runner and followed by anybody.

Nothing is decided on it: a run whose events were deleted is as complete as before.
"""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path

from agentics.errors import StorageError
from agentics.model.run.event import EVENT, RunnerEvent
from agentics.rundir.files import ledger, safe_files
from agentics.rundir.files.atomic import fsync_directory, storing


def append(path: Path, line: str) -> None:
    """Durable on return. The caller holds the run's lock, and called `last_seq` before the first line."""
    with storing(path):
        new = not safe_files.is_file(path)
        with os.fdopen(safe_files.open_file(path, os.O_WRONLY | os.O_APPEND | os.O_CREAT), "ab") as file:
            file.write(line.encode() + b"\n")
            file.flush()
            os.fsync(file.fileno())
        if new:
            fsync_directory(path.parent)


def last_seq(path: Path) -> int:
    """The highest number given out so far, 0 before the first. Cuts off what a dead writer left of a line.

    A line that somebody damaged is passed over: it must not stop a run.
    """
    ledger.repair(path)
    try:
        lines = safe_files.read_lines(path).split(b"\n")
    except FileNotFoundError:
        return 0
    return max((seq for line in lines if (seq := _seq(line)) is not None), default=0)


def read(path: Path) -> tuple[RunnerEvent, ...]:
    """Every whole line; none where there is no file. Raises StorageError (damaged_file)."""
    return EventTail(path).read()


@dataclass
class EventTail:
    """Reads on from where it was, and never writes. Starts over where the file was replaced; tells no event twice."""

    path: Path
    seq: int = 0
    """The last event that was told: only later ones are."""
    offset: int = 0

    def read(self) -> tuple[RunnerEvent, ...]:
        """The events that have come since. A line that is not whole yet waits for the next call."""
        try:
            with os.fdopen(safe_files.open_file(self.path), "rb") as file:
                size = os.fstat(file.fileno()).st_size
                if size < self.offset:
                    self.offset = 0
                if size - self.offset > safe_files.LEDGER_BYTES:
                    raise safe_files.unsafe(self.path, f"larger than {safe_files.LEDGER_BYTES} bytes")
                file.seek(self.offset)
                whole, newline, _ = file.read(safe_files.LEDGER_BYTES).rpartition(b"\n")
        except FileNotFoundError:
            self.offset = 0
            return ()
        self.offset += len(whole) + len(newline)
        lines = whole.split(b"\n") if whole else ()
        fresh = tuple(event for line in lines if (event := self._event(line)).seq > self.seq)
        self.seq = max((event.seq for event in fresh), default=self.seq)
        return fresh

    def _event(self, line: bytes) -> RunnerEvent:
        try:
            event: RunnerEvent = EVENT.validate_json(line)
        except ValueError as error:
            msg = f"{self.path}: damaged: {error}"
            raise StorageError(msg, code="damaged_file", hint="it may be deleted: nothing depends on it") from error
        return event


def _seq(line: bytes) -> int | None:
    try:
        seq: int = EVENT.validate_json(line).seq
    except ValueError:
        return None
    return seq
