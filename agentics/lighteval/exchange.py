"""Our side of the exchange with a worker: files in one directory that both see.

    ready.json                  the worker has started: {"protocol": 1, "pid": …}, or {"error": {code, message}}
    heartbeat                   touched by the worker every second while it lives
    sessions/<name>/            made by us; the worker forks a child for it when it sees the first order
        order-<n>.json          an order (model.jobwork.Order), n from 1; written under another name, then renamed
        <files named by orders> known answers, items, rows; written before the order
        events.jsonl            event lines (model.jobwork.Event), appended by the child, flushed line by line
        stop                    made by us: stop asking, and end the order with `failed` (code "stopped") within moments
        kill                    made by us: the parent kills the child, whatever it does
        ended.json              written by the parent when the child is gone: {"exit_code": …} (negative: a signal)
    shutdown                    made by us: end all sessions and exit

Everything that a worker wrote is read with suspicion: plugins run in there.
"""

from __future__ import annotations

import json
import math
import os
import stat
import time
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, BinaryIO

from pydantic import BaseModel, ValidationError
from pydantic_core import from_json, to_json

from agentics.errors import EngineError, StopFlag
from agentics.model.job.worker_protocol import EVENT, PROTOCOL, OrderDone, OrderFailed, WorkerEvent, WorkerOrder
from agentics.policy.publish.redact import Redactor

LOOK_S = 0.01
STOP_S = 30.0
LINE_BYTES = 64 << 20
EVENT_BYTES = 8 << 30
_SMALL = 1 << 20
_CHUNK = 4 << 20
_SHARED = 0o1777
"""Everybody may add names; nobody may remove or rename what is another's."""


@dataclass(kw_only=True)
class Folder:
    """A directory that a worker can write to, by descriptor: whatever it does to names and links, we stay in there.

    We make new files only, and follow no link.
    """

    path: Path
    fd: int

    @classmethod
    def make(cls, path: Path, mode: int) -> Folder:
        path.mkdir()
        path.chmod(mode)
        return cls(path=path, fd=os.open(path, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC))

    def write(self, name: str, chunks: Iterable[bytes]) -> None:
        """A new file. Raises EngineError where the worker has put something under its name."""
        flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC
        try:
            with os.fdopen(os.open(name, flags, 0o644, dir_fd=self.fd), "wb") as file:
                os.fchmod(file.fileno(), 0o644)
                file.writelines(chunks)
        except OSError as error:
            msg = f"{name}: {error.strerror}"
            raise broken(msg) from error

    def put(self, name: str, value: Mapping[str, Any]) -> None:
        """A new JSON file that a reader sees whole or not at all."""
        self.write(f".{name}.half", (json.dumps(value).encode(),))
        try:
            os.rename(f".{name}.half", name, src_dir_fd=self.fd, dst_dir_fd=self.fd)
        except OSError as error:
            msg = f"{name}: {error.strerror}"
            raise broken(msg) from error

    def mark(self, name: str) -> None:
        """An empty file, if nothing is there."""
        with suppress(EngineError):
            self.write(name, ())

    def open(self, name: str) -> BinaryIO | None:
        """A regular file that the worker wrote, None where there is none. Raises EngineError for anything else."""
        try:
            fd = os.open(name, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC, dir_fd=self.fd)
        except FileNotFoundError:
            return None
        except OSError as error:
            msg = f"{name}: {error.strerror}"
            raise broken(msg) from error
        if not stat.S_ISREG(os.fstat(fd).st_mode):
            os.close(fd)
            msg = f"{name} is not a regular file"
            raise broken(msg)
        return os.fdopen(fd, "rb", buffering=0)

    def read(self, name: str, most: int) -> bytes | None:
        """All of a file of at most so many bytes, None where there is none."""
        file = self.open(name)
        if file is None:
            return None
        with file:
            data = file.read(most + 1) or b""
            while len(data) <= most and (more := file.read(most + 1 - len(data))):
                data += more
        if len(data) > most:
            msg = f"{name} holds more than {most} bytes"
            raise broken(msg)
        return data

    def small(self, name: str) -> dict[str, Any] | None:
        """A small JSON object, None where there is none (yet)."""
        data = self.read(name, _SMALL)
        try:
            value = json.loads(data) if data is not None else None
        except ValueError:
            return None
        return value if isinstance(value, dict) else None

    def close(self) -> None:
        """Whoever still uses it fails; the number of the descriptor may soon be another file's."""
        fd, self.fd = self.fd, -1
        os.close(fd)


@dataclass(kw_only=True)
class EventFileTail:
    """Whole lines of a growing file, each once, and only so far."""

    folder: Folder
    name: str
    offset: int = 0
    rest: bytes = b""

    def lines(self) -> list[bytes]:
        """Those that are new. Raises EngineError (worker_protocol) for no file, or more than a worker may say."""
        file = self.folder.open(self.name)
        if file is None:
            return []
        with file:
            file.seek(self.offset)
            data = file.read(_CHUNK) or b""
        self.offset += len(data)
        *whole, self.rest = (self.rest + data).split(b"\n")
        if len(self.rest) > LINE_BYTES or self.offset > EVENT_BYTES:
            msg = "it says more than a worker may say"
            raise broken(msg)
        return whole


@dataclass(kw_only=True)
class WorkerSession:
    """One session of a worker. `gone`: why the worker is no longer there, None while it is. `redactor` takes secrets
    out of all that it says. `stop_s`: how long it may take to end an order once it was told to stop."""

    place: Folder
    gone: Callable[[], str | None]
    redactor: Redactor = field(default_factory=Redactor)
    stop_s: float = STOP_S
    number: int = 0
    tail: EventFileTail = field(init=False)

    def __post_init__(self) -> None:
        self.tail = EventFileTail(folder=self.place, name="events.jsonl")

    def file(self, name: str, rows: Iterable[BaseModel]) -> str:
        """Write a file that the next order names, a line for each row; its name."""
        name = f"{self.number + 1}-{name}"
        self.place.write(name, (row.model_dump_json().encode() + b"\n" for row in rows))
        return name

    def read(self, name: str, most: int) -> bytes | None:
        """A file that the worker made, of at most so many bytes; None where there is none. Raises EngineError."""
        return self.place.read(name, most)

    def send(self, order: Callable[[int], WorkerOrder]) -> int:
        """Give the order of the next number; that number."""
        self.number += 1
        self.place.put(f"order-{self.number}.json", order(self.number).model_dump(mode="json"))
        return self.number

    def carry_out(self, order: Callable[[int], WorkerOrder], interrupt: StopFlag) -> Iterator[list[WorkerEvent]]:
        """Give an order and follow it to its end, which is a `Done` or a `Failed` and the last event.

        Raises EngineError when the worker dies, or says what it cannot say. Once `interrupt` is set the worker is told
        to stop; when it does not, the session is killed, which is an EngineError, too.
        """
        number, last = self.send(order), None
        while True:
            ended = self._ended()
            why = self.gone()
            batch = [event for line in self.tail.lines() if (event := _event(line, self.redactor)).order == number]
            if batch:
                yield batch
                if isinstance(batch[-1], OrderDone | OrderFailed):
                    return
                continue
            if why is not None or ended is not None:
                raise died(why or f"the session's process ended with {_how(ended or 0)}")
            if interrupt.is_set() and last is None:
                self.stop()
                last = time.monotonic() + self.stop_s
            elif last is not None and time.monotonic() > last:
                self.kill()
                why = f"it was told to stop, and did not within {self.stop_s:g} s"
                raise died(why)
            time.sleep(LOOK_S)

    def stop(self) -> None:
        self.place.mark("stop")

    def kill(self) -> None:
        """Kill the session's process, also one that hangs."""
        self.place.mark("kill")

    def _ended(self) -> int | None:
        said = self.place.small("ended.json")
        if said is None:
            return None
        code = said.get("exit_code")
        return code if isinstance(code, int) else 1


@dataclass(kw_only=True)
class Exchange:
    """The directory of one worker, whose parent is ours alone. `gone` and `redactor` as in a session."""

    top: Folder
    sessions: Path
    redactor: Redactor = field(default_factory=Redactor)
    gone: Callable[[], str | None] = lambda: None
    _folders: list[Folder] = field(default_factory=list)

    @classmethod
    def make(cls, root: Path, redactor: Redactor | None = None) -> Exchange:
        """Make the directory ready, before the worker starts: it may be another user, who can neither move nor replace
        what is ours in there."""
        top = Folder.make(root, _SHARED)
        (root / "sessions").mkdir()
        (root / "sessions").chmod(0o755)
        return cls(top=top, sessions=root / "sessions", redactor=redactor or Redactor())

    @property
    def root(self) -> Path:
        return self.top.path

    def wait_ready(self, interrupt: StopFlag, limit_s: float = math.inf) -> None:
        """Until the worker has started. Raises EngineError when it cannot, takes longer than `limit_s` seconds, or
        speaks another protocol."""
        last = time.monotonic() + limit_s
        while (said := self.top.small("ready.json")) is None:
            if (why := self.gone()) is not None:
                raise died(why)
            if interrupt.is_set():
                return
            if time.monotonic() > last:
                msg = f"the worker did not start within {limit_s:g} s"
                hint = "raise start_s of [lighteval.limits] in agentics.toml; `agentics job worker` starts one alone"
                raise EngineError(msg, code="worker_start_timeout", retryable=False, hint=hint)
            time.sleep(LOOK_S)
        error = said.get("error")
        if isinstance(error, Mapping):
            msg = self.redactor.known(f"the worker cannot work: {error.get('message')}")
            raise EngineError(msg, code=str(error.get("code")), retryable=False)
        if said.get("protocol") != PROTOCOL:
            msg = f"the worker speaks protocol {said.get('protocol')!r}, this version {PROTOCOL}"
            raise EngineError(msg, code="worker_protocol", retryable=False, hint="build its image or environment anew")

    def session(self, name: str, stop_s: float = STOP_S) -> WorkerSession:
        place = Folder.make(self.sessions / name, _SHARED)
        self._folders.append(place)
        return WorkerSession(place=place, gone=self.gone, redactor=self.redactor, stop_s=stop_s)

    def shut_down(self) -> None:
        self.top.mark("shutdown")

    def close(self) -> None:
        """Let go of the directory."""
        for folder in (self.top, *self._folders):
            folder.close()


def broken(what: str) -> EngineError:
    return EngineError(f"the worker broke its protocol: {what}", code="worker_protocol", retryable=False)


def died(why: str) -> EngineError:
    return EngineError(f"the worker died: {why}", code="worker_died", retryable=True)


def _event(line: bytes, redactor: Redactor) -> WorkerEvent:
    """An event without the secrets that a server, a model or a plugin repeated.

    Raises EngineError (worker_protocol).
    """
    try:
        if redactor.values:
            # A JSON text may write any character as an escape: secrets are looked for in what it means.
            line = to_json(redactor.known_json(from_json(line), keys=True))
        return EVENT.validate_json(line)
    except ValueError as error:
        # Cut afterwards: half a secret is no longer found.
        shown = redactor.known(line.decode(errors="replace"))[:200]
        msg = f"{shown!r}: {error.errors()[0]['msg'] if isinstance(error, ValidationError) else error}"
        raise broken(msg) from error


def _how(code: int) -> str:
    if code == -9:  # noqa: PLR2004 - SIGKILL
        return "signal 9, which is what the kernel sends when memory runs out"
    return f"signal {-code}" if code < 0 else f"exit code {code}"
