"""A clock that can be held: what is measured on it leaves out the time for which somebody held it."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable

_LOOK_S = 0.1


class Clock:
    """Monotonic seconds, less those for which it was held. Thread-safe, and read without a lock: it is read for every
    chunk that is carried."""

    def __init__(self, source: Callable[[], float] = time.monotonic) -> None:
        self._source = source
        self._lock = threading.Lock()
        self._holders: set[object] = set()
        self._past: list[tuple[float, float]] = []
        self._now: tuple[float | None, float] = (None, 0.0)  # since when it is held, and for how long it was before

    def __call__(self) -> float:
        at = self._source()  # first: whatever happens from here on makes the answer earlier, and never later
        since, lost = self._now
        return (at if since is None else min(at, since)) - lost

    def wait_s(self, left: float) -> float:
        """How long to wait in real time, at most, for what is due in `left` seconds of this clock."""
        return left if self._now[0] is None else _LOOK_S

    def hold(self, holder: object) -> None:
        """Stand still until every holder has released it. Idempotent for each holder."""
        with self._lock:
            self._holders.add(holder)
            if self._now[0] is None:
                self._now = (self._source(), self._now[1])

    def release(self, holder: object) -> None:
        """Idempotent."""
        with self._lock:
            self._holders.discard(holder)
            since, lost = self._now
            if since is not None and not self._holders:
                until = self._source()
                self._past.append((since, until))
                self._now = (None, lost + until - since)

    def lost_s(self, until: float) -> float:
        """For how long it was held, up to a moment of its source."""
        with self._lock:
            since = self._now[0]
            held = [*self._past, *([(since, until)] if since is not None else [])]
        return sum(max(0.0, min(end, until) - begin) for begin, end in held)
