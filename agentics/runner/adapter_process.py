"""A process that starts an adapter, copies its output up to a cap, and at its end ends all that it has started.

Run as a file by the runner's Python, without any package: `adapter_process.py STATUS_FD CAP CUT PARENT COMMAND...`. Its
own stdout and stderr are the adapter's logs. SIGTERM: ask the adapter to end, and end it after a grace. SIGHUP, which
the kernel sends when the runner dies: end it at once. At the end it writes one JSON object to STATUS_FD: `status`, the
exit status, negative for a signal; `cut`, whether a log was; `left`, whether a process could not be ended. Where the
program cannot be started, it is `missing`, the reason.
"""

from __future__ import annotations

import ctypes
import json
import os
import selectors
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path

GRACE_S = 5.0
"""So long an adapter that was asked may take to end."""
BURIAL_S = 5.0
"""So long the killed are waited for."""
_PR_SET_PDEATHSIG, _PR_SET_CHILD_SUBREAPER = 1, 36
_CHUNK = 1 << 16
_LOOK_S = 0.02


@dataclass
class _Log:
    """Copies a pipe to a file: `cap` bytes, then the words that tell of the cut. What follows is read and dropped."""

    source: int
    dest: int
    cap: int
    cut: bytes
    seen: int = 0

    @property
    def is_cut(self) -> bool:
        return self.seen > self.cap

    def copy(self) -> int | None:
        """Take what is there: so many bytes, 0 at the end. None where nothing is there just now."""
        try:
            data = os.read(self.source, _CHUNK)
        except BlockingIOError:
            return None
        before, self.seen = self.seen, self.seen + len(data)
        self._write(data[: max(0, self.cap - before)])
        if before <= self.cap < self.seen:
            self._write(self.cut)
        return len(data)

    def _write(self, data: bytes) -> None:
        with suppress(OSError):  # a full disk ends the log, not the adapter
            while data:
                data = data[os.write(self.dest, data) :]


@dataclass
class _Adapter:
    """The program, and what is known of its end. `status` is negative for a signal."""

    pid: int
    logs: Sequence[_Log]
    status: int | None = None
    asked: float | None = None
    at_once: bool = False
    childless: bool = False
    wakeup: int = field(default=-1)

    def bury(self) -> None:
        """Take leave of all who are dead: the adapter, and who had no other parent left."""
        with suppress(ChildProcessError):
            while True:
                pid, status = os.waitpid(-1, os.WNOHANG)
                if pid == 0:
                    return
                if pid == self.pid:
                    self.status = os.waitstatus_to_exitcode(status)
        self.childless = True

    def ask(self) -> None:
        if self.asked is None:
            self.asked = time.monotonic()
            _to_group(self.pid, signal.SIGTERM)

    @property
    def has_to_end(self) -> bool:
        late = self.asked is not None and time.monotonic() - self.asked > GRACE_S
        return self.status is not None or self.at_once or late


def main(argv: Sequence[str]) -> None:
    status_fd, cap, cut, parent = int(argv[0]), int(argv[1]), argv[2], int(argv[3])
    command = argv[4:]
    _prctl(_PR_SET_CHILD_SUBREAPER, 1)
    _prctl(_PR_SET_PDEATHSIG, signal.SIGHUP)
    reader, writer = _signals()
    if os.getppid() != parent:
        return  # the runner died before the kernel was asked to tell
    try:
        child = subprocess.Popen(
            command,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            start_new_session=True,
            preexec_fn=_orphan_dies(os.getpid()),  # noqa: PLW1509  there are no threads here
        )
    except OSError as error:
        _tell(status_fd, {"missing": error.strerror or str(error)})
        return
    streams = ((child.stdout, 1), (child.stderr, 2))
    logs = [_Log(stream.fileno(), to, cap, cut.encode()) for stream, to in streams if stream is not None]
    adapter = _Adapter(child.pid, logs, wakeup=reader)
    _attend(adapter)
    _end_all(adapter)
    os.close(writer)
    _tell(
        status_fd,
        {
            "status": -signal.SIGKILL if adapter.status is None else adapter.status,
            "cut": any(log.is_cut for log in logs),
            "left": not adapter.childless,
        },
    )


def _attend(adapter: _Adapter) -> None:
    """Copy what the adapter says until it has to end."""
    with selectors.DefaultSelector() as selector:
        selector.register(adapter.wakeup, selectors.EVENT_READ)
        for log in adapter.logs:
            os.set_blocking(log.source, False)
            selector.register(log.source, selectors.EVENT_READ, log)
        while not adapter.has_to_end:
            for key, _ in selector.select(None if adapter.asked is None else _LOOK_S):
                if key.data is None:
                    _heed(adapter)
                elif key.data.copy() == 0:
                    selector.unregister(key.fd)


def _heed(adapter: _Adapter) -> None:
    """Act on the signals that have come."""
    numbers = os.read(adapter.wakeup, _CHUNK)
    adapter.bury()
    adapter.at_once = adapter.at_once or signal.SIGHUP in numbers
    if signal.SIGTERM in numbers:
        adapter.ask()


def _end_all(adapter: _Adapter) -> None:
    """Kill whatever is left of the adapter and its children, in whichever session, and copy their last words.

    Whoever loses its parent becomes a child of this process: so nobody is left when this process has no child.
    """
    deadline = time.monotonic() + BURIAL_S
    while not adapter.childless and time.monotonic() < deadline:
        below = _descendants()
        for pid in below:
            with suppress(OSError):
                os.kill(pid, signal.SIGKILL)
        if not below:
            _to_group(adapter.pid, signal.SIGKILL)
        adapter.bury()
        if not adapter.childless:
            time.sleep(_LOOK_S / 10)
    for log in adapter.logs if adapter.childless else ():
        while log.copy():
            pass


def _to_group(pid: int, number: int) -> None:
    with suppress(OSError):
        os.killpg(pid, number)


def _descendants() -> list[int]:
    """Everybody below this process; nobody where there is no /proc."""
    children: dict[int, list[int]] = {}
    for place in Path("/proc").glob("[0-9]*/stat"):
        with suppress(OSError, IndexError, ValueError):
            parent = int(place.read_bytes().rpartition(b")")[2].split()[1])
            children.setdefault(parent, []).append(int(place.parent.name))
    found = list(children.get(os.getpid(), ()))
    for pid in found:
        found += children.get(pid, ())
    return found


def _signals() -> tuple[int, int]:
    """A descriptor that has a byte for each signal that came, and its other end."""
    reader, writer = os.pipe()
    for descriptor in (reader, writer):
        os.set_blocking(descriptor, False)
    signal.set_wakeup_fd(writer, warn_on_full_buffer=False)
    for number in (signal.SIGCHLD, signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, lambda *_: None)
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    return reader, writer


def _orphan_dies(parent: int) -> Callable[[], None]:
    """What the adapter does before it begins: it dies with this process, which answers for it."""

    def before() -> None:
        signal.signal(signal.SIGINT, signal.SIG_DFL)
        _prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)
        if os.getppid() != parent:
            os._exit(1)

    return before


def _prctl(option: int, value: int) -> None:
    with suppress(AttributeError):
        ctypes.CDLL(None).prctl(option, value, 0, 0, 0)


def _tell(descriptor: int, document: dict[str, object]) -> None:
    with suppress(OSError):  # nobody is left who wants to know
        os.write(descriptor, json.dumps(document).encode())


if __name__ == "__main__":
    main(sys.argv[1:])
