"""The streams of a process whose stdout is data only: whatever else prints does so elsewhere, by whichever means.

Once `take` was called, descriptor 1 is no longer the stdout that the process was started with, which has a descriptor
of its own. It is stderr, or a log while `printed_to` is entered; so C code and child processes print there. `divert`
does the same for Python's own `sys.stdout`. Without `take`, as in a program that only imports this, nothing here
changes anything.
"""

from __future__ import annotations

import ctypes
import errno
import io
import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import IO, Any

LOG_BYTES = 16 << 20
TRUNCATED = b"\n[output cut at the limit]\n"
_OPEN = os.O_WRONLY | os.O_CREAT | os.O_APPEND | os.O_NOFOLLOW | os.O_CLOEXEC


class Stream(io.TextIOWrapper):
    """Text to a descriptor. A reader who goes away, or a full disk, ends the writing and nothing else: `lost` says why,
    and what is still written goes nowhere."""

    lost: OSError | None = None

    def __init__(self, descriptor: int, *, buffering: int = -1) -> None:
        binary: Any = open(descriptor, "wb", buffering, closefd=False)  # noqa: SIM115  open as long as the process
        super().__init__(binary, encoding="locale", errors="backslashreplace", write_through=buffering == 0)

    def write(self, text: str) -> int:
        try:
            return super().write(text)
        except OSError as error:
            self.lose(error)
            return len(text)

    def flush(self) -> None:
        try:
            super().flush()
        except OSError as error:
            self.lose(error)

    def lose(self, error: OSError) -> None:
        self.lost = self.lost or error
        nowhere = os.open(os.devnull, os.O_WRONLY)
        os.dup2(nowhere, self.fileno())
        os.close(nowhere)


_printed: list[Stream] = []
"""What `sys.stdout` is for code of strangers: a stream to descriptor 1, once this process has taken its stdout."""


def take() -> Stream:
    """Take the stdout of this process for data; returns the stream for it. Called once, at the start."""
    closed = sys.__stdout__ is None
    for descriptor, stream in enumerate((sys.__stdin__, sys.__stdout__, sys.__stderr__)):
        if stream is None:
            _fill(descriptor)
    data = Stream(os.dup(1))
    if closed:
        data.lose(OSError(errno.EBADF, os.strerror(errno.EBADF)))
    os.dup2(2, 1)
    # Unbuffered: a stage's thread may print while the interpreter ends, and must hold no lock then.
    _printed.append(Stream(1, buffering=0))
    sys.stdout, sys.stderr = data, Stream(2, buffering=0)
    for name, stream in (("__stdout__", _printed[0]), ("__stderr__", sys.stderr)):
        if getattr(sys, name) is None:  # a stage that prints there finds a stream, as everywhere
            setattr(sys, name, stream)
    return data


def divert() -> None:
    """From now on Python's `sys.stdout` is descriptor 1, too: code of strangers is about to run."""
    if _printed:
        sys.stdout = _printed[0]


@contextmanager
def printed_to(path: Path) -> Iterator[None]:
    """While inside, descriptor 1 is this log, of which at most 16 MiB are kept at the end. Raises OSError where it
    cannot be opened. A log in which nothing was printed is removed."""
    if not _printed:
        yield
        return
    divert()
    log = os.open(path, _OPEN, 0o600)
    os.dup2(log, 1)
    try:
        yield
    finally:
        _printed[0].flush()
        with suppress(AttributeError, OSError):
            ctypes.CDLL(None).fflush(None)  # what C code printed and has not written yet
        os.dup2(2, 1)
        size = os.fstat(log).st_size
        if size > LOG_BYTES + len(TRUNCATED):
            os.ftruncate(log, LOG_BYTES)
            os.write(log, TRUNCATED)
        os.close(log)
        if size == 0:
            path.unlink(missing_ok=True)


def lost(stream: IO[str]) -> OSError | None:
    """Why nothing can be written to a stream any more; None while it can."""
    return getattr(stream, "lost", None)


def _fill(descriptor: int) -> None:
    """Give a descriptor that was closed to /dev/null, before a file gets it and is taken for a stream."""
    nowhere = os.open(os.devnull, os.O_RDWR)
    if nowhere != descriptor:
        os.dup2(nowhere, descriptor)
        os.close(nowhere)
