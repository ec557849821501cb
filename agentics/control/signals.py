"""An orderly stop: the first SIGINT, SIGTERM or SIGHUP asks, the second one ends the process at once."""

from __future__ import annotations

import signal
import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from types import FrameType

from agentics.errors import EngineError, Stopped, Terminated

SIGNALS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)
_AGAIN_S = 0.25


@contextmanager
def terminable() -> Iterator[None]:
    """While inside, a signal raises Terminated in the main thread."""
    with _handled(_raise, SIGNALS):
        yield


@dataclass
class StopSignal:
    """Whether somebody asked, and by which signal. `exit_status` is the shell's 128 + signal.

    `tell` is called once, when somebody asks. `remove` ends what is running; it is set while something could run.
    """

    event: threading.Event = field(default_factory=threading.Event)
    number: int | None = None
    tell: Callable[[], object] | None = None
    remove: Callable[[], object] | None = None
    over: threading.Event = field(default_factory=threading.Event)

    @property
    def exit_status(self) -> int | None:
        return None if self.number is None else 128 + self.number

    def end_what_runs(self) -> None:
        """Until all is over: a container may just be being started when we look for the first time."""
        if self.tell is not None:
            self.tell()
        while not self.over.is_set():
            # An engine that cannot be told is what the trial itself finds out, and says.
            with suppress(EngineError):
                self.remove_all()
            self.over.wait(_AGAIN_S)

    def remove_all(self) -> None:
        """End what runs now, once. Raises EngineError."""
        remove = self.remove
        if remove is not None:
            remove()


@contextmanager
def stopping(stop: StopSignal) -> Iterator[None]:
    """While inside, a signal sets the event and ends what runs, in a thread: a handler may hold nobody's lock. A
    Stopped that leaves has the exit status of the signal."""

    def ask(number: int, _: FrameType | None) -> None:
        stop.number = number
        stop.event.set()
        for each in _heard(SIGNALS):
            signal.signal(each, signal.SIG_DFL)
        threading.Thread(target=stop.end_what_runs, name="stop", daemon=True).start()

    with _handled(ask, SIGNALS):
        try:
            yield
        except Stopped as stopped:
            stopped.exit_status = stop.exit_status or stopped.exit_status
            raise
        finally:
            stop.over.set()


@contextmanager
def _handled(handler: Callable[[int, FrameType | None], None], numbers: Sequence[int]) -> Iterator[None]:
    """Handle these signals while inside. Only the main thread can; in another one nothing is changed."""
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    before = {number: signal.getsignal(number) for number in _heard(numbers)}
    for number in before:
        signal.signal(number, handler)
    try:
        yield
    finally:
        for number, earlier in before.items():
            signal.signal(number, earlier)


def _heard(numbers: Sequence[int]) -> list[int]:
    """These signals without SIGHUP where it is ignored: a process under `nohup` outlives its terminal."""
    return [n for n in numbers if n != signal.SIGHUP or signal.getsignal(n) is not signal.SIG_IGN]


def _raise(number: int, _: FrameType | None) -> None:
    raise Terminated(number)
