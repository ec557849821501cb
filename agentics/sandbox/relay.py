"""Bytes between two programs: limited, copied into a transcript, passed on. It knows descriptors, and no container.

One thread, one selector, no threads. Memory is bounded by one chunk for each direction and the transcript: a peer that
does not read stops the speaker through the pipe itself.
"""

from __future__ import annotations

import fcntl
import os
import selectors
import termios
import time
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Any, Literal, Protocol

from agentics.sandbox.engine import Link, Spoken

RelaySpeaker = Literal["solution", "evaluator"]
_CHUNK = 1 << 16  # more would cost an allocation from the kernel for every byte that is said
_MOST_CHUNKS = 1 << 16  # of a transcript: a chunk has a price of its own beside its bytes


class Readable(Protocol):
    """Anything that a selector can wait for."""

    def fileno(self) -> int: ...


@dataclass
class RelayEnd:
    """One program as the relay has it: what it says (`out`), where it listens (`inp`), and how to end its stdin."""

    speaker: RelaySpeaker
    out: int
    inp: int | None
    close_stdin: Callable[[], None]


@dataclass
class Transcript:
    """The beginning of a conversation, up to a number of bytes."""

    limit: int
    truncated: bool = False
    _size: int = 0
    _said: list[tuple[RelaySpeaker, float, bytearray]] = field(default_factory=list)

    def add(self, speaker: RelaySpeaker, at_s: float, data: bytes) -> None:
        room = self.limit - self._size
        if self.truncated or not data:
            return
        if len(data) > room or len(self._said) >= _MOST_CHUNKS:
            self.truncated = True
            data = data[:room] if len(self._said) < _MOST_CHUNKS else b""
        if not data:
            return
        self._size += len(data)
        if self._said and self._said[-1][0] == speaker:
            self._said[-1][2].extend(data)
        else:
            self._said.append((speaker, at_s, bytearray(data)))

    def spoken(self) -> tuple[Spoken, ...]:
        return tuple(Spoken(speaker=who, at_s=at, data=bytes(data)) for who, at, data in self._said)


@dataclass
class RelayDirection:
    """From one program's stdout to the other's stdin. `waiting` is what the listener has not taken yet; while there is
    some we wait for the listener (`giving`) and not for the speaker (`taking`)."""

    source: RelayEnd
    listener: RelayEnd
    count: int = 0
    waiting: memoryview = field(default_factory=lambda: memoryview(b""))
    taking: bool = False
    giving: bool = False
    ended_at: float | None = None
    deaf: bool = False

    @property
    def ended(self) -> bool:
        return self.ended_at is not None


class Relay:
    """Call `step` until nothing is left to carry; what it returns are the watched things that became readable."""

    def __init__(
        self, solution: RelayEnd, evaluator: RelayEnd, link: Link, *, clock: Callable[[], float] = time.monotonic
    ) -> None:
        self._limit = link.limit_bytes
        self._clock = clock
        self._began = clock()
        self._selector = selectors.DefaultSelector()
        self.transcript = Transcript(link.transcript_bytes)
        self._ways: dict[RelaySpeaker, RelayDirection] = {
            "solution": RelayDirection(solution, evaluator),
            "evaluator": RelayDirection(evaluator, solution),
        }
        for way in self._ways.values():
            self._start_taking(way)

    def step(self, timeout_s: float | None) -> list[Any]:
        """Wait until something can be carried, or something watched is readable; carry it."""
        news = []
        for key, _ in self._selector.select(timeout_s):
            if isinstance(key.data, RelayDirection):
                if key.fd == key.data.source.out:
                    self._take(key.data)
                else:
                    self._give(key.data)
            else:
                news.append(key.data)
        return news

    def watch(self, what: int | Readable, name: object) -> None:
        """Have `step` return `name` whenever this is readable."""
        self._selector.register(what, selectors.EVENT_READ, name)

    def unwatch(self, what: int | Readable) -> None:
        with suppress(KeyError):
            self._selector.unregister(what)

    def count(self, speaker: RelaySpeaker) -> int:
        """Bytes said so far, those beyond the limit included."""
        return self._ways[speaker].count

    def over_limit(self, speaker: RelaySpeaker) -> bool:
        return self._ways[speaker].count > self._limit

    def silent_since(self, speaker: RelaySpeaker) -> float | None:
        """When this side's end of file came, on the relay's clock. The other side cannot have heard of it earlier."""
        return self._ways[speaker].ended_at

    def is_waiting(self, speaker: RelaySpeaker) -> bool:
        """Whether this side has read all it was sent, or cannot go on because its peer does not read."""
        toward, away = self._toward(speaker), self._ways[speaker]
        if away.waiting:
            return True
        return not toward.waiting and _unread(toward.listener.inp) == 0

    def replace_stdin(self, speaker: RelaySpeaker, replace: Callable[[], int | None]) -> None:
        """This program's stdin is what `replace` gives from now on; None: nobody reads it."""
        way = self._toward(speaker)
        self._stop_giving(way)
        fresh = replace()
        if way.deaf:
            return
        way.listener.inp = fresh
        if way.listener.inp is None:
            self._deafen(way)
        elif way.waiting:
            self._start_giving(way)

    def hang_up(self, speaker: RelaySpeaker) -> None:
        """This program has ended: it reads no more, and what its peer still says to it is dropped."""
        self._deafen(self._toward(speaker))

    def drain(self, speaker: RelaySpeaker) -> None:
        """This program has ended: take what it left in its pipe, as far as its peer takes it in."""
        way = self._ways[speaker]
        while not way.ended and not way.waiting:
            before = way.count
            self._take(way)
            if way.count == before:
                return

    def close(self) -> None:
        self._selector.close()

    def _toward(self, speaker: RelaySpeaker) -> RelayDirection:
        return self._ways["evaluator" if speaker == "solution" else "solution"]

    def _take(self, way: RelayDirection) -> None:
        try:
            data = os.read(way.source.out, _CHUNK)
        except BlockingIOError:
            return
        if not data:
            way.ended_at = self._clock()
            self._stop_taking(way)
            if not way.waiting:
                self._end_of_file(way)
            return
        within = data[: max(0, self._limit - way.count)]
        way.count += len(data)
        self.transcript.add(way.source.speaker, self._clock() - self._began, within)
        if within and not way.deaf:
            way.waiting = memoryview(within)
            self._give(way)

    def _give(self, way: RelayDirection) -> None:
        inp = way.listener.inp
        if inp is None:
            self._deafen(way)
            return
        try:
            way.waiting = way.waiting[os.write(inp, way.waiting) :]
        except BlockingIOError:
            pass
        except OSError:  # EPIPE: it closed its stdin or is gone. That is its right, and no error of the session.
            self._deafen(way)
            return
        if way.waiting and not way.giving:
            self._stop_taking(way)
            self._start_giving(way)
        elif not way.waiting and way.giving:
            self._stop_giving(way)
            if way.ended:
                self._end_of_file(way)
            else:
                self._start_taking(way)

    def _end_of_file(self, way: RelayDirection) -> None:
        self._stop_giving(way)
        way.deaf = True
        way.listener.inp = None
        way.listener.close_stdin()

    def _deafen(self, way: RelayDirection) -> None:
        """Drop what comes from now on, but keep reading: the speaker must not block for ever on nobody."""
        if way.deaf:
            return
        self._end_of_file(way)
        way.waiting = memoryview(b"")
        if not way.ended:
            self._start_taking(way)

    def _start_taking(self, way: RelayDirection) -> None:
        if not way.taking:
            way.taking = True
            self._selector.register(way.source.out, selectors.EVENT_READ, way)

    def _stop_taking(self, way: RelayDirection) -> None:
        if way.taking:
            way.taking = False
            self._selector.unregister(way.source.out)

    def _start_giving(self, way: RelayDirection) -> None:
        if not way.giving and way.listener.inp is not None:
            way.giving = True
            self._selector.register(way.listener.inp, selectors.EVENT_WRITE, way)

    def _stop_giving(self, way: RelayDirection) -> None:
        if way.giving and way.listener.inp is not None:
            way.giving = False
            self._selector.unregister(way.listener.inp)


def _unread(pipe: int | None) -> int:
    """Bytes in a pipe that its reader has not taken."""
    if pipe is None:
        return 0
    answer = bytearray(4)
    with suppress(OSError):
        fcntl.ioctl(pipe, termios.FIONREAD, answer)
    return int.from_bytes(answer, "little")
