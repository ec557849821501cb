"""Ends this process by SIGKILL right before one of the changes that it makes: to files, and to the container engine.

A change is anything that another process could see afterwards: a file opened for writing (before it is made, and while
it is still empty), written and synced, renamed, removed, linked, a directory made or removed, a mode or an owner, a
mount, a request to the engine (before it is sent, and while the engine is at it). Changes of all threads are counted
together.
"""

from __future__ import annotations

import builtins
import io
import itertools
import os
import signal
import sys
import threading
from collections.abc import Callable
from http.client import HTTPConnection
from pathlib import Path
from typing import Any

_WRITES = os.O_WRONLY | os.O_RDWR | os.O_CREAT | os.O_TRUNC
_FILE_EVENTS = {
    "os.rename",
    "os.remove",
    "os.mkdir",
    "os.rmdir",
    "os.link",
    "os.symlink",
    "os.truncate",
    "os.chmod",
    "os.chown",
    "shutil.rmtree",
}
_ENGINE_EVENTS = {"http.client.send"}


class Moments:
    """Counts changes, and ends the process at the one of the number `last`, counted from 1; None: never."""

    def __init__(self, last: int | None, told: Path | None = None) -> None:
        self._last = last
        self._told = told.open("w", encoding="utf-8") if told else None
        self._numbers = itertools.count(1)
        self.count = 0

    def install(self) -> None:
        """From now on, for as long as this process lives."""
        sys.addaudithook(self._audit)
        self._after_open()
        os.fsync = self._before(os.fsync, "fsync", self._tear)
        from agentics.sandbox import mounting

        HTTPConnection.getresponse = self._before(HTTPConnection.getresponse, "asked")
        mounting.mount = self._before(mounting.mount, "mount")
        mounting.unmount = self._before(mounting.unmount, "unmount")

    def _audit(self, event: str, args: tuple[Any, ...]) -> None:
        if event in _FILE_EVENTS or event in _ENGINE_EVENTS:
            self._moment(event, args[0] if event in _FILE_EVENTS else args[1][:60])
        elif event == "open" and isinstance(args[2], int) and args[2] & _WRITES and args[0] != os.devnull:
            self._moment("open", args[0])

    def _after_open(self) -> None:
        real = io.open

        def opened(file: Any, mode: str = "r", *args: Any, **kwargs: Any) -> Any:
            found = real(file, mode, *args, **kwargs)
            if set(mode) & set("wax+") and not isinstance(file, int):
                self._moment("opened", file)
            return found

        io.open = builtins.open = opened

    def _before(self, real: Callable[..., Any], name: str, at_last: Callable[..., None] | None = None) -> Callable:
        def wrapped(*args: Any, **kwargs: Any) -> Any:
            self._moment(name, args[0] if args else "", lambda: at_last(*args) if at_last else None)
            return real(*args, **kwargs)

        return wrapped

    def _tear(self, descriptor: int) -> None:
        """Of a ledger's last line, only a part was written."""
        place = Path(f"/proc/self/fd/{descriptor}").readlink()
        if place.suffix == ".jsonl":
            os.truncate(place, max(0, place.stat().st_size - 7))

    def _moment(self, event: str, about: object, then: Callable[[], None] = lambda: None) -> None:
        if threading.current_thread().name == "engine-lease":
            return  # it comes by the clock, so it would give the others another number each time
        number = next(self._numbers)
        self.count = number
        if self._told is not None:
            os.write(self._told.fileno(), f"{number} {event} {about!r}\n".encode())
        if number == self._last:
            self._last = None
            then()
            os.kill(os.getpid(), signal.SIGKILL)
