"""FIFOs of ours as a container's standard streams: made on the host, mounted read-only, opened by a small shell.

The engine is then not in the way of a single byte. A read-only mount still lets a program read and write the FIFOs.
"""

from __future__ import annotations

import contextlib
import fcntl
import os
import secrets
from dataclasses import dataclass
from pathlib import Path

from agentics.archive.hostile import discard

TARGET = "/.io"
_BIG = 1 << 20
_SET_PIPE_SIZE = getattr(fcntl, "F_SETPIPE_SZ", 1031)
_GATE = f": <{TARGET}/gate; "
_LOG = f'exec "$@" </dev/null >{TARGET}/out 2>&1'
_SUPERVISED = f"{_LOG} 3>{TARGET}/report"
# The empty write tells the host that both ends are open. Only then can it let go of the ends that it holds so that no
# side sees an end of file that nobody meant.
_PIPE = f'exec <{TARGET}/in >{TARGET}/out 2>{TARGET}/err; : >{TARGET}/ready; exec "$@"'


def logged(argv: tuple[str, ...], *, gated: bool) -> tuple[str, ...]:
    """The command with stdout and stderr in one log, once the gate is open."""
    return ("sh", "-c", (_GATE if gated else "") + _LOG, "sh", *argv)


def supervised(argv: tuple[str, ...], *, gated: bool) -> tuple[str, ...]:
    """As `logged`, and with a stream beside it that the command reports on, as descriptor 3."""
    return ("sh", "-c", (_GATE if gated else "") + _SUPERVISED, "sh", *argv)


def gated(argv: tuple[str, ...]) -> tuple[str, ...]:
    """The command without streams, once the gate is open."""
    return ("sh", "-c", _GATE + 'exec "$@"', "sh", *argv)


def piped(argv: tuple[str, ...]) -> tuple[str, ...]:
    """The command with stdin, stdout and stderr of its own."""
    return ("sh", "-c", _PIPE, "sh", *argv)


@dataclass(kw_only=True)
class Pipes:
    """Our ends of one container's FIFOs; `None` where there is none, or no longer. `group`: the only one whose members
    can reach them; None where everybody can."""

    directory: Path
    group: int | None = None
    out: int | None = None
    err: int | None = None
    inp: int | None = None
    ready: int | None = None
    report: int | None = None
    gate: int | None = None
    _opened: bool = False
    _closing: bool = False

    def open_gate(self) -> None:
        if self.gate is None:
            # Opened for both, it never blocks, and the container's open for reading finds its writer.
            self.gate = os.open(self.directory / "gate", os.O_RDWR | os.O_NONBLOCK | os.O_CLOEXEC)

    def let_go_of_stdin(self) -> int | None:
        """Once the program has its stdin: swap our two-way end for a write end, which sees the reader go (EPIPE).
        The new end, or None when nobody reads any more, or nobody shall write."""
        held, self.inp = self.inp, None
        self._opened = True
        if not self._closing:
            with contextlib.suppress(OSError):
                self.inp = os.open(self.directory / "in", os.O_WRONLY | os.O_NONBLOCK | os.O_CLOEXEC)
                _enlarge(self.inp)
        if held is not None:
            os.close(held)
        return self.inp

    def close_stdin(self) -> None:
        """End of file to the program, once it has read what was written. A program that has not opened its stdin yet
        would lose that, and wait for a writer for ever: it gets its end of file when it has."""
        if not self._opened:
            self._closing = True
            return
        held, self.inp = self.inp, None
        if held is not None:
            os.close(held)

    def last_words(self) -> None:
        """What a container that has ended said is in the pipes already."""

    def let_go(self) -> None:
        """Nothing holds up a kill here: the engine does not wait for our pipes."""

    def close(self) -> None:
        """Close what is open and remove the FIFOs."""
        for name in ("out", "err", "inp", "ready", "report", "gate"):
            descriptor = getattr(self, name)
            setattr(self, name, None)
            if descriptor is not None:
                os.close(descriptor)
        with contextlib.suppress(OSError):
            self.directory.chmod(0o700)
        discard(self.directory)


def make(scratch: Path, *, streams: tuple[str, ...], speaker: int | None = None) -> Pipes:
    """FIFOs in a directory of their own with an opaque name; `streams` of out, err, in, ready, report, gate.

    Any user may open them, unless there is a `speaker`: then only root with the directory's group can reach the
    directory, and `out` is that user's. Where we are not root, that user is us.
    """
    pipes = Pipes(directory=scratch / secrets.token_hex(8))
    pipes.directory.mkdir()
    try:
        for name in streams:
            os.mkfifo(pipes.directory / name)
            (pipes.directory / name).chmod(0o666 if speaker is None else 0o660)
        if speaker is not None and os.geteuid() == 0:
            os.chown(pipes.directory / "out", speaker, -1)
        pipes.group = None if speaker is None else pipes.directory.stat().st_gid
        pipes.directory.chmod(0o555 if speaker is None else 0o550)
        _open(pipes, streams)
    except OSError:
        pipes.close()
        raise
    return pipes


def _open(pipes: Pipes, streams: tuple[str, ...]) -> None:
    for name in ("out", "err", "ready", "report"):
        if name in streams:
            # Without a writer this does not block, and polls as silent (not as ended) until there has been one.
            end = os.open(pipes.directory / name, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC)
            setattr(pipes, name, end)
            if name == "out":
                _enlarge(end)
    if "in" in streams:
        pipes.inp = os.open(pipes.directory / "in", os.O_RDWR | os.O_NONBLOCK | os.O_CLOEXEC)
        _enlarge(pipes.inp)


def _enlarge(descriptor: int) -> None:
    with contextlib.suppress(OSError):
        fcntl.fcntl(descriptor, _SET_PIPE_SIZE, _BIG)
