"""Talks to solutions that cooperate: a control file that they poll, an events file in which they answer.

It writes the first and reads the second, for the cases of one attempt that are alive. What it decides is only whether
an answer is one; when to ask, and what to make of silence, is the caller's.
"""

from __future__ import annotations

import hashlib
import threading
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path

from pydantic import BaseModel

from agentics.archive.tree import file_mode
from agentics.model.evidence.hooks import Action, ControlPlane, Requester
from agentics.policy.hooks import Heard, listen
from agentics.sandbox.regular import read_regular

CONTROL_FILE = "control.json"
EVENTS_FILE = "events.jsonl"
EVENTS_BYTES = 8 << 20
_LOOK_S = 0.1


@dataclass
class _Case:
    control: Path
    state: Path
    seq: int = 0
    stops: set[str] = field(default_factory=set)
    heard: Heard = field(default_factory=Heard)
    alive: bool = True

    def listen(self) -> None:
        data = read_regular(self.state, EVENTS_FILE, EVENTS_BYTES)
        if isinstance(data, bytes):
            self.heard = listen(data, self.heard)

    def answered(self, action: Action, version: str) -> bool:
        return any(ack.answers(action, version) for ack in self.heard.acks)


class Cooperation:
    """One attempt's. Thread-safe: cases open and close while a controller asks.

    A case that is named in what `ask` returned and is no longer `active` can still have answered before it ended.
    """

    def __init__(self) -> None:
        self._lock = threading.Condition()
        self._cases: dict[str, _Case] = {}
        self._stop = False
        self._stopped: set[str] = set()
        self._stop_label: str | None = None

    def opened(self, alias: str, control: Path, state: Path, given_up: Callable[[], bool]) -> bool:
        """The case is about to start: whether it may. Waits while a stop is asked for of others.

        False when one of them has stopped, or when it was `given_up`: then it must not start.
        """
        with self._lock:
            while self._stop and not self._stopped and not given_up():
                self._lock.wait(_LOOK_S)
            if self._stopped or given_up():
                return False
            self._cases[alias] = _Case(control, state)
            return True

    def closed(self, alias: str) -> bool:
        """The case's container has ended, and its state is still there. Whether it ended because it was asked to:
        it acknowledged a stop."""
        with self._lock:
            case = self._cases[alias]
            case.listen()
            case.alive = False
            if any(case.answered("stop", version) for version in case.stops):
                self._stopped.add(alias)
            self._lock.notify_all()
            return alias in self._stopped

    @property
    def active(self) -> tuple[str, ...]:
        """Cases whose containers may be alive."""
        with self._lock:
            return tuple(alias for alias, case in self._cases.items() if case.alive)

    @property
    def stop_requested(self) -> bool:
        """No case starts while this is so; asking for anything else takes it back."""
        with self._lock:
            return self._stop

    @property
    def stops(self) -> bool:
        """Whether a case has acknowledged a stop: the attempt ends there, once its containers have."""
        with self._lock:
            return any(case.answered("stop", version) for case in self._cases.values() for version in case.stops)

    @property
    def stop_label(self) -> str | None:
        """What the newest stop was called."""
        with self._lock:
            return self._stop_label

    @property
    def stopped(self) -> frozenset[str]:
        """Cases that ended because they acknowledged a stop."""
        with self._lock:
            return frozenset(self._stopped)

    @property
    def refused(self) -> int:
        """Lines of events files that did not count."""
        with self._lock:
            return sum(case.heard.refused for case in self._cases.values())

    def ask(self, action: Action, *, label: str | None, requested_by: Requester, at: str) -> dict[str, str]:
        """Write the control file of every active case; the version that each was given. Raises OSError."""
        with self._lock:
            self._stop = action == "stop"
            self._stop_label = label if self._stop else self._stop_label
            self._lock.notify_all()
            versions = {}
            for alias, case in self._cases.items():
                if not case.alive:
                    continue
                case.seq += 1
                told = ControlPlane(
                    seq=case.seq, action=action, label=label, requested_at=at, requested_by=requested_by
                )
                versions[alias] = write_whole(case.control / CONTROL_FILE, told)
                if action == "stop":
                    case.stops.add(versions[alias])
            return versions

    def acknowledged(self, action: Action, versions: Mapping[str, str]) -> frozenset[str]:
        """Which of these cases have answered that they saw this action in exactly this version of their file."""
        with self._lock:
            for alias in versions:
                if self._cases[alias].alive:
                    self._cases[alias].listen()
            return frozenset(
                alias for alias, version in versions.items() if self._cases[alias].answered(action, version)
            )


def write_whole(path: Path, document: BaseModel | bytes) -> str:
    """Replace a file that a container may be reading: it sees the old bytes or the new ones. Their SHA-256, in hex."""
    data = document if isinstance(document, bytes) else document.model_dump_json(indent=2).encode() + b"\n"
    staging = path.with_name(f".{path.name}.new")
    staging.write_bytes(data)
    staging.chmod(file_mode(executable=False))  # before the rename: it must be readable at once
    staging.replace(path)
    return hashlib.sha256(data).hexdigest()
