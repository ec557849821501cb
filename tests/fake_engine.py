"""An engine without containers: behaviours keyed by role act on the mounted host directories and say how it ended."""

from __future__ import annotations

import threading
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path

from agentics.errors import EngineError
from agentics.sandbox.engine import Container, EngineFacts, Exit, Image, Link, Linked, Spoken

Behaviour = Callable[[Container], Exit]
Conversation = Callable[[Container, Container, Link], Linked]

FACTS = EngineFacts(
    name="fake",
    version="1",
    api_version="1.41",
    host_platform="linux/amd64",
    cgroup_version="2",
    cgroup_driver="cgroupfs",
    rootless=False,
    seccomp=True,
    cpus=2,
    memory_bytes=8 << 30,
    kernel="6.0",
    shares_files=True,
    shares_pipes=True,
    measures_usage=True,
)


def exited(code: int = 0, **facts) -> Exit:
    """An Exit with plausible figures; keywords replace any of them."""
    base = Exit(
        ended="exited",
        exit_code=code,
        started_at="2026-01-01T00:00:00.000000000Z",
        finished_at="2026-01-01T00:00:00.010000000Z",
        wall_s=0.01,
        cpu_s=0.01,
        memory_peak_bytes=1 << 20,
        pids_peak=2,
    )
    return replace(base, **facts)


def timed_out(**facts) -> Exit:
    return exited(124, ended="timed_out", signal=9, **facts)


def out_of_memory(**facts) -> Exit:
    return exited(137, ended="out_of_memory", oom_killed=True, signal=9, **facts)


def mounted(container: Container, target: str) -> Path:
    """The host directory behind a path inside the container: that of the longest mount above it."""
    above = [m for m in container.mounts if target == m.target or target.startswith(m.target.rstrip("/") + "/")]
    if not above:
        raise LookupError(f"{container.role} has nothing mounted at {target}")
    mount = max(above, key=lambda m: len(m.target))
    return mount.source / target[len(mount.target) :].lstrip("/")


def writes(files: Mapping[str, str | bytes], then: Exit | None = None) -> Behaviour:
    """Write these files (paths inside the container) and end."""

    def behave(container: Container) -> Exit:
        for target, text in files.items():
            path = mounted(container, target)
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(text.encode() if isinstance(text, str) else text)
        return then or exited()

    return behave


def conversation(solution: Exit | None = None, evaluator: Exit | None = None, **facts) -> Linked:
    """A Linked of two exits; keywords replace any of its fields."""
    base = Linked(
        solution=solution or exited(),
        evaluator=evaluator or exited(),
        first_to_end="solution",
        first_to_fail=None,
        evaluator_waiting=False,
        solution_bytes=2,
        evaluator_bytes=2,
        transcript=(
            Spoken(speaker="evaluator", at_s=0.0, data=b"?\n"),
            Spoken(speaker="solution", at_s=0.1, data=b"!\n"),
        ),
        transcript_truncated=False,
    )
    return replace(base, **facts)


@dataclass
class FakeRunning:
    """Behaves when it is waited for, and only once its gate is open."""

    engine: FakeEngine
    container: Container
    gated: bool
    discarded: bool = False

    def open_gate(self) -> None:
        self.gated = False
        self.engine.note("open_gate", self.container.role)

    def wait(self) -> Exit:
        if self.gated:
            raise AssertionError(f"{self.container.role} would wait for ever: its gate was never opened")
        self.engine.note("wait", self.container.role)
        if self.discarded:
            return exited(137, ended="killed", signal=9)
        return self.engine.behave(self.container)

    def discard(self) -> None:
        self.discarded = True
        self.engine.note("discard", self.container.role)


@dataclass
class FakeEngine:
    """`behaviours` by role (None or missing: exit 0). An EngineError in `failures[call]` is raised at that call, each
    time it is listed. `calls` is what was asked, in order; `containers` what was started."""

    behaviours: dict[str, Behaviour] = field(default_factory=dict)
    converse: Conversation | None = None
    images: dict[str, Image] = field(default_factory=dict)
    failures: dict[str, list[EngineError]] = field(default_factory=dict)
    known_facts: EngineFacts = FACTS
    calls: list[tuple[str, str]] = field(default_factory=list)
    containers: list[Container] = field(default_factory=list)
    removed: list[Mapping[str, str]] = field(default_factory=list)
    _lock: threading.Lock = field(default_factory=threading.Lock)

    def facts(self) -> EngineFacts:
        return self.known_facts

    def image(self, reference: str, platform: str | None) -> Image:
        self.note("image", reference)
        known = self.images.get(reference)
        return known or Image(
            reference=reference, id=f"sha256:{reference}", digest=None, platform=platform or "linux/amd64"
        )

    def start(self, container: Container, *, gated: bool = False) -> FakeRunning:
        self.note("start", container.role)
        self.containers.append(container)
        return FakeRunning(self, container, gated)

    def run_linked(self, solution: Container, evaluator: Container, link: Link) -> Linked:
        self.note("run_linked", solution.role)
        self.containers += [solution, evaluator]
        if self.converse is not None:
            return self.converse(solution, evaluator, link)
        return conversation(self.behave(solution), self.behave(evaluator))

    def remove(self, labels: Mapping[str, str]) -> int:
        self.note("remove", "")
        self.removed.append(dict(labels))
        return 0

    def reap(self, *, everything: bool = False) -> int:
        self.note("reap", "everything" if everything else "dead")
        return 0

    def close(self) -> None:
        self.note("close", "")

    def behave(self, container: Container) -> Exit:
        behaviour = self.behaviours.get(container.role)
        return behaviour(container) if behaviour is not None else exited()

    def note(self, call: str, about: str) -> None:
        """Record a call, and raise what was planned for it."""
        with self._lock:
            self.calls.append((call, about))
            planned = self.failures.get(call)
            error = planned.pop(0) if planned else None
        if error is not None:
            raise error
