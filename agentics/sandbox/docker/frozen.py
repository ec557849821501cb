"""Which labels stand still: what carries them does not start before they are thawed."""

from __future__ import annotations

import threading
from collections.abc import Callable, Mapping

Labels = frozenset[tuple[str, str]]


class Frozen:
    """The pauses that are in force. `acting` is held by whoever makes or ends one, from beginning to end."""

    def __init__(self) -> None:
        self.acting = threading.Lock()
        self._changed = threading.Condition()
        self._pauses: frozenset[Labels] = frozenset()

    def add(self, labels: Mapping[str, str]) -> None:
        with self._changed:
            self._pauses |= {frozenset(labels.items())}

    def drop(self, labels: Mapping[str, str]) -> None:
        """End the pause of these labels and of all that ask for more than them. Whoever waits for it goes on."""
        with self._changed:
            self._pauses = frozenset(one for one in self._pauses if not labels.items() <= one)
            self._changed.notify_all()

    def holds(self, labels: Mapping[str, str]) -> bool:
        """Whether what carries these labels stands still."""
        return any(one <= labels.items() for one in self._pauses)

    def wait(self, labels: Mapping[str, str], given_up: Callable[[], bool]) -> None:
        """Until they are thawed, or nobody wants it any more: say so with `wake`."""
        if self._pauses:
            with self._changed:
                self._changed.wait_for(lambda: given_up() or not self.holds(labels))

    def wake(self) -> None:
        """Have all who wait look again whether they are still wanted."""
        with self._changed:
            self._changed.notify_all()
