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
    "os.rename": 2,
    "os.remove": 1,
    "os.mkdir": 2,
    "os.rmdir": 1,
    "os.link": 2,
    "os.symlink": None,
    "os.truncate": None,
    "os.chmod": 2,
    "os.chown": 3,
    "shutil.rmtree": 1,
}
"""By event, which argument is the descriptor of the directory that the path is relative to, where there is one."""
_ENGINE_EVENTS = {"http.client.send"}


class Moments:
    """Counts changes, and ends the process at the one of the number `last`, counted from 1; None: never."""

    def __init__(self, last: int | None, told: Path | None = None) -> None:
        self._last = last
        self._told = told.open("w", encoding="utf-8") if told else None
        self._numbers = itertools.count(1)
        self._opening = threading.local()
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
        if event in _FILE_EVENTS:
            index = _FILE_EVENTS[event]
            self._moment(event, _whole(args[0], args[index] if index is not None else None))
        elif event in _ENGINE_EVENTS:
            self._moment(event, args[1][:60])
        elif event == "open" and isinstance(args[2], int) and args[2] & _WRITES and args[0] != os.devnull:
            self._moment("open", _whole(args[0], getattr(self._opening, "directory", None)))

    def _after_open(self) -> None:
        real = io.open

        def opened(file: Any, mode: str = "r", *args: Any, **kwargs: Any) -> Any:
            found = real(file, mode, *args, **kwargs)
            if set(mode) & set("wax+") and not isinstance(file, int):
                self._moment("opened", file)
            return found

        io.open = builtins.open = opened
        real_os_open = os.open

        def os_opened(path: Any, flags: int, mode: int = 0o777, *, dir_fd: int | None = None) -> int:
            self._opening.directory = dir_fd  # its event does not have it
            try:
                return real_os_open(path, flags, mode, dir_fd=dir_fd)
            finally:
                self._opening.directory = None

        os.open = os_opened

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


def _whole(path: Any, directory: int | None) -> Any:
    """The path with that of the directory before it, where it is relative to one."""
    if not isinstance(path, str) or directory is None or directory < 0:
        return path
    return str(Path(f"/proc/self/fd/{directory}").readlink() / path)
