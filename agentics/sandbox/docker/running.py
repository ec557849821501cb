"""A container on its own, while it runs: its log read, its limits kept, its end told as an Exit."""

from __future__ import annotations

import selectors
import threading
import time
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, field

from agentics.errors import EngineError
from agentics.sandbox.collect import usage
from agentics.sandbox.docker.live import DEATH_S, Live
from agentics.sandbox.docker.watch import EndWatch
from agentics.sandbox.engine import Ended, Exit, Mount
from agentics.sandbox.log import Log
from agentics.sandbox.pipes import Pipes

_LOOK_S = 0.1
_LONGEST_LOOK_S = 3600.0


@dataclass
class DockerRunning:
    """Implements `engine.Running`. `late_start`: the gate is the start itself, where no FIFO can be the gate."""

    live: Live
    gated: bool = False
    late_start: bool = False
    _opened: threading.Event = field(default_factory=threading.Event)

    def __post_init__(self) -> None:
        if not self.gated:
            self._opened.set()

    def open_gate(self) -> None:
        if self._opened.is_set():
            return
        try:
            if self.late_start:
                self.live.start()
            else:
                self.live.open_gate()
        except BaseException:
            self.live.dispose()
            raise
        finally:
            self._opened.set()

    def wait(self) -> Exit:
        live = self.live
        try:
            with live.in_use:
                while not self._opened.wait(_LOOK_S) and not live.ended:
                    pass
                if live.watch is not None:
                    _until_the_end(live, live.watch, Watchman.over(live))
                return live.finish()
        finally:
            live.dispose()

    def discard(self) -> None:
        waited_for = self.live.in_use.locked()
        with suppress(EngineError):
            self.live.kill("killed")
        self._opened.set()
        if not waited_for:  # otherwise whoever waits learns that it was killed, and then disposes of it
            self.live.dispose()


@dataclass
class Watchman:
    """Looks after writable directories that nothing else bounds, at most a tenth of the time."""

    mounts: tuple[Mount, ...]
    clock: Callable[[], float] = time.monotonic
    _next: float = field(default=0.0)

    @classmethod
    def over(cls, live: Live) -> Watchman:
        watched = (m for m in live.container.mounts if m.watch_bytes is not None or m.watch_inodes is not None)
        return cls(tuple(watched), live.clock)

    def next_look(self) -> float:
        """When to look again, on the container's clock."""
        return self._next if self.mounts else float("inf")

    def over_limit(self) -> bool:
        began = self.clock()
        if began < self.next_look():
            return False
        over = any(_over(mount) for mount in self.mounts)
        cost = self.clock() - began
        self._next = self.clock() + max(_LOOK_S, 10 * cost)
        return over


def _over(mount: Mount) -> bool:
    size, inodes = usage(mount.source)
    too_big = mount.watch_bytes is not None and size > mount.watch_bytes
    return too_big or (mount.watch_inodes is not None and inodes > mount.watch_inodes)


def _until_the_end(live: Live, watch: EndWatch, watchman: Watchman) -> None:
    """Returns when the container has ended and its log is read. Raises EngineError when it outlives its killing."""
    logs = _logs(live)
    with selectors.DefaultSelector() as selector:
        selector.register(watch, selectors.EVENT_READ)
        for fd in logs:
            selector.register(fd, selectors.EVENT_READ)
        killed_at: float | None = None
        while not live.ended:
            due = killed_at + DEATH_S if killed_at is not None else _deadline(live)
            _read_for(logs, selector, live.clock.wait_s(min(due, watchman.next_look()) - live.clock()))
            if killed_at is not None:
                _require_death(live, killed_at)
            elif why := _limit_passed(live, watchman):
                live.kill(why)
                killed_at = live.clock()
    if live.streams is not None:
        live.streams.last_words()
    for fd, log in logs.items():
        log.drain(fd)


def _logs(live: Live) -> dict[int, Log]:
    """By descriptor, where what is read from it goes."""
    if live.streams is None or live.streams.out is None:
        return {}
    logs = {live.streams.out: live.log}
    if isinstance(live.streams, Pipes) and live.streams.report is not None and live.report is not None:
        logs[live.streams.report] = live.report
    return logs


def _read_for(logs: dict[int, Log], selector: selectors.BaseSelector, seconds: float) -> None:
    # A selector takes no more than some weeks; who calls looks again anyway.
    for key, _ in selector.select(min(max(0.0, seconds), _LONGEST_LOOK_S)):
        if key.fd in logs and not logs[key.fd].read(key.fd):
            selector.unregister(key.fd)


def _deadline(live: Live) -> float:
    return (live.began or live.clock()) + live.container.limits.timeout_s


def _limit_passed(live: Live, watchman: Watchman) -> Ended | None:
    if live.ended:
        return None
    if live.log.flooded:
        return "output_limit"
    if live.clock() >= _deadline(live):
        return "timed_out"
    return "disk_limit" if watchman.over_limit() else None


def _require_death(live: Live, killed_at: float) -> None:
    if live.clock() > killed_at + DEATH_S:
        msg = f"a killed container was still there after {DEATH_S:g} s"
        raise EngineError(msg, code="engine_stuck")
