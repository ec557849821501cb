"""A container's streams through the engine, for engines that do not share our FIFOs: read always, closed before a kill.

One thread takes the engine's frames apart into a pipe, another carries stdin, so that the rest sees plain descriptors,
as with FIFOs.
"""

from __future__ import annotations

import os
import select
import socket
import struct
import threading
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, field

from agentics.sandbox.docker.api import Api
from agentics.sandbox.log import Log

_HEADER = struct.Struct(">BxxxL")
_STDERR = 2
_CHUNK = 1 << 16
_LOOK_S = 0.05
_LAST_WORDS_S = 10.0


def supervised(argv: tuple[str, ...]) -> tuple[str, ...]:
    """The command with stdout and stderr in one log; what it writes to descriptor 3 comes as the engine's stderr."""
    return ("sh", "-c", 'exec "$@" 3>&2 2>&1', "sh", *argv)


@dataclass(kw_only=True)
class Attached:
    """`out` is ours to read, `inp` ours to write (None: no stdin). Stderr goes to `errors` directly, or with stdout."""

    errors: Log | None
    piped: bool
    out: int | None = None
    inp: int | None = None
    err: int | None = None
    ready: int | None = None
    _dropping: threading.Event = field(default_factory=threading.Event)
    _socket: socket.socket | None = None
    _reader: threading.Thread | None = None

    def connect(self, api: Api, container: str) -> None:
        """Before the start: a client that comes later misses what a fast program says."""
        self._socket = api.attach(container, stdin=self.piped)
        self.out, sink = os.pipe()
        os.set_blocking(self.out, False)
        os.set_blocking(sink, False)
        self._reader = _spawn(self._carry_out, self._socket, sink)
        if self.piped:
            source, self.inp = os.pipe()
            os.set_blocking(self.inp, False)
            _spawn(_carry_in, self._socket, source)

    def let_go_of_stdin(self) -> int | None:
        return self.inp

    def close_stdin(self) -> None:
        """End of file to the program, once what was written has been carried."""
        held, self.inp = self.inp, None
        if held is not None:
            os.close(held)

    def let_go(self) -> None:
        """Read on, but drop: an attached client that stops reading would keep a kill from ever returning."""
        self._dropping.set()

    def last_words(self) -> None:
        """Once the container has ended: wait until all that it said has been carried into `out`, or is dropped."""
        if self._reader is not None:
            self._reader.join(_LAST_WORDS_S)

    def close(self) -> None:
        self.let_go()
        self.close_stdin()
        if self._socket is not None:
            with suppress(OSError):
                self._socket.shutdown(socket.SHUT_RDWR)
            self.last_words()
            self._socket.close()
        held, self.out = self.out, None
        if held is not None:
            os.close(held)

    def _carry_out(self, connection: socket.socket, sink: int) -> None:
        try:
            while header := _exactly(connection, _HEADER.size):
                stream, length = _HEADER.unpack(header)
                while length and (data := connection.recv(min(length, _CHUNK))):
                    length -= len(data)
                    if stream == _STDERR and self.errors is not None:
                        self.errors.add(data)
                    else:
                        self._put(sink, data)
        except OSError:
            return  # the connection is gone: the exit, or its absence, tells why
        finally:
            os.close(sink)

    def _put(self, sink: int, data: bytes) -> None:
        rest = memoryview(data)
        while rest and not self._dropping.is_set():
            if select.select([], [sink], [], _LOOK_S)[1]:
                try:
                    rest = rest[os.write(sink, rest[: select.PIPE_BUF]) :]
                except BrokenPipeError:
                    self._dropping.set()


def _carry_in(connection: socket.socket, source: int) -> None:
    with suppress(OSError):
        while data := os.read(source, _CHUNK):
            connection.sendall(data)
        connection.shutdown(socket.SHUT_WR)
    # Whoever writes to us next learns that nobody reads.
    os.close(source)


def _exactly(connection: socket.socket, size: int) -> bytes:
    """That many bytes, or none at the end."""
    found = b""
    while len(found) < size:
        more = connection.recv(size - len(found))
        if not more:
            return b""
        found += more
    return found


def _spawn(target: Callable[..., None], *arguments: object) -> threading.Thread:
    thread = threading.Thread(target=target, args=arguments, name="container-streams", daemon=True)
    thread.start()
    return thread
