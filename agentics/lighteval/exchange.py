"""Our side of the exchange with a worker: files in one directory that both see.

    ready.json                  the worker has started: {"protocol": 1, "pid": …}, or {"error": {code, message}}
    heartbeat                   touched by the worker every second while it lives
    sessions/<name>/            made by us; the worker forks a child for it when it sees the first order
        order-<n>.json          an order (model.jobwork.Order), n from 1; written under another name, then renamed
        <files named by orders> known answers, items, rows; written before the order
        events.jsonl            event lines (model.jobwork.Event), appended by the child, flushed line by line
        stop                    made by us: stop asking, and end the order with `failed` (code "stopped") within moments
        ended.json              written by the parent when the child is gone: {"exit_code": …} (negative: a signal)
    shutdown                    made by us: end all sessions and exit

Everything that a worker wrote is read with suspicion: plugins run in there.
"""

from __future__ import annotations

import json
import os
import stat
import time
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Protocol

from pydantic import BaseModel, ValidationError

from agentics.errors import EngineError
from agentics.model.jobwork import EVENT, PROTOCOL, Done, Event, Failed, Order

LOOK_S = 0.01
LINE_BYTES = 64 << 20
EVENT_BYTES = 8 << 30
_SMALL = 1 << 20
_CHUNK = 4 << 20


class Asked(Protocol):
    """Whether somebody asked to stop."""

    def is_set(self) -> bool: ...


@dataclass(kw_only=True)
class Tail:
    """Whole lines of a growing file, each once. Only a regular file is followed, and only so far."""

    path: Path
    offset: int = 0
    rest: bytes = b""

    def lines(self) -> list[bytes]:
        """Those that are new. Raises EngineError (worker_protocol) for no file, or more than a worker may say."""
        try:
            fd = os.open(self.path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC)
        except FileNotFoundError:
            return []
        except OSError as error:
            msg = f"{self.path.name}: {error.strerror}"
            raise broken(msg) from error
        with os.fdopen(fd, "rb", buffering=0) as file:
            if not stat.S_ISREG(os.fstat(fd).st_mode):
                msg = f"{self.path.name} is not a regular file"
                raise broken(msg)
            file.seek(self.offset)
            data = file.read(_CHUNK) or b""
        self.offset += len(data)
        *whole, self.rest = (self.rest + data).split(b"\n")
        if len(self.rest) > LINE_BYTES or self.offset > EVENT_BYTES:
            msg = "it says more than a worker may say"
            raise broken(msg)
        return whole


@dataclass(kw_only=True)
class Session:
    """One session of a worker. `gone`: why the worker is no longer there, None while it is."""

    folder: Path
    gone: Callable[[], str | None]
    number: int = 0
    tail: Tail = field(init=False)

    def __post_init__(self) -> None:
        self.tail = Tail(path=self.folder / "events.jsonl")

    def file(self, name: str, rows: Iterable[BaseModel]) -> str:
        """Write a file that the next order names, a line for each row; its name."""
        path = self.folder / f"{self.number + 1}-{name}"
        with path.open("wb") as file:
            file.writelines(row.model_dump_json().encode() + b"\n" for row in rows)
        path.chmod(0o644)
        return path.name

    def send(self, order: Callable[[int], Order]) -> int:
        """Give the order of the next number; that number."""
        self.number += 1
        put(self.folder / f"order-{self.number}.json", order(self.number).model_dump(mode="json"))
        return self.number

    def carry_out(self, order: Callable[[int], Order], interrupt: Asked) -> Iterator[list[Event]]:
        """Give an order and follow it to its end, which is a `Done` or a `Failed` and the last event.

        Raises EngineError when the worker dies, or says what it cannot say. Once `interrupt` is set the worker is told
        to stop; whoever reads goes on until the end, or lets go.
        """
        number, told = self.send(order), False
        while True:
            ended = self._ended()
            why = self.gone()
            batch = [event for line in self.tail.lines() if (event := _event(line)).order == number]
            if batch:
                yield batch
                if isinstance(batch[-1], Done | Failed):
                    return
                continue
            if why is not None or ended is not None:
                raise died(why or f"the session's process ended with {_how(ended or 0)}")
            if interrupt.is_set() and not told:
                self.stop()
                told = True
            time.sleep(LOOK_S)

    def stop(self) -> None:
        (self.folder / "stop").touch()

    def _ended(self) -> int | None:
        said = read_small(self.folder / "ended.json")
        if said is None:
            return None
        code = said.get("exit_code")
        return code if isinstance(code, int) else 1


@dataclass(frozen=True, kw_only=True)
class Exchange:
    """The directory of one worker. `gone` as in a session."""

    root: Path
    gone: Callable[[], str | None]

    def open(self) -> None:
        """Make the directory ready; the worker may be another user."""
        (self.root / "sessions").mkdir()
        for folder in (self.root, self.root / "sessions"):
            folder.chmod(0o777)

    def wait_ready(self, interrupt: Asked) -> None:
        """Until the worker has started. Raises EngineError when it cannot, or speaks another protocol."""
        while (said := read_small(self.root / "ready.json")) is None:
            if (why := self.gone()) is not None:
                raise died(why)
            if interrupt.is_set():
                return
            time.sleep(LOOK_S)
        error = said.get("error")
        if isinstance(error, Mapping):
            msg = f"the worker cannot work: {error.get('message')}"
            raise EngineError(msg, code=str(error.get("code")), retryable=False)
        if said.get("protocol") != PROTOCOL:
            msg = f"the worker speaks protocol {said.get('protocol')!r}, this version {PROTOCOL}"
            raise EngineError(msg, code="worker_protocol", retryable=False, hint="build its image or environment anew")

    def session(self, name: str) -> Session:
        folder = self.root / "sessions" / name
        folder.mkdir()
        folder.chmod(0o777)
        return Session(folder=folder, gone=self.gone)

    def shut_down(self) -> None:
        (self.root / "shutdown").touch()


def put(path: Path, value: Mapping[str, Any]) -> None:
    """Write JSON so that a reader sees all of it or nothing."""
    half = path.with_name(f".{path.name}.half")
    half.write_text(json.dumps(value), encoding="utf-8")
    half.chmod(0o644)
    half.rename(path)


def read_small(path: Path) -> dict[str, Any] | None:
    """A small JSON object that a worker wrote, None where there is none (yet)."""
    try:
        fd = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC)
    except OSError:
        return None
    with os.fdopen(fd, "rb") as file:
        if not stat.S_ISREG(os.fstat(fd).st_mode):
            return None
        data = file.read(_SMALL)
    try:
        value = json.loads(data)
    except ValueError:
        return None
    return value if isinstance(value, dict) else None


def broken(what: str) -> EngineError:
    return EngineError(f"the worker broke its protocol: {what}", code="worker_protocol", retryable=False)


def died(why: str) -> EngineError:
    return EngineError(f"the worker died: {why}", code="worker_died", retryable=True)


def _event(line: bytes) -> Event:
    try:
        return EVENT.validate_json(line)
    except ValidationError as error:
        msg = f"{line[:200]!r}: {error.errors()[0]['msg']}"
        raise broken(msg) from error


def _how(code: int) -> str:
    if code == -9:  # noqa: PLR2004 - SIGKILL
        return "signal 9, which is what the kernel sends when memory runs out"
    return f"signal {-code}" if code < 0 else f"exit code {code}"
