"""An orderly stop: the first SIGINT or SIGTERM asks, the second one ends the process at once."""

from __future__ import annotations

import signal
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from types import FrameType

_SIGNALS = (signal.SIGINT, signal.SIGTERM)


@dataclass
class Stop:
    """Whether somebody asked, and by which signal. `exit_status` is the shell's 128 + signal."""

    event: threading.Event = field(default_factory=threading.Event)
    number: int | None = None

    @property
    def exit_status(self) -> int | None:
        return None if self.number is None else 128 + self.number


@contextmanager
def stopping(stop: Stop, on_stop: Callable[[], object]) -> Iterator[None]:
    """While inside, a signal sets the event and calls `on_stop` in a thread: a handler may hold nobody's lock."""
    if threading.current_thread() is not threading.main_thread():
        yield  # only the main thread may have handlers; a caller in another thread sets the event itself
        return
    before = {number: signal.getsignal(number) for number in _SIGNALS}

    def ask(number: int, _: FrameType | None) -> None:
        stop.number = number
        stop.event.set()
        for each in _SIGNALS:
            signal.signal(each, signal.SIG_DFL)
        threading.Thread(target=on_stop, name="stop", daemon=True).start()

    for number in _SIGNALS:
        signal.signal(number, ask)
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
