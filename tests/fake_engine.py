"""An engine without containers: behaviours keyed by role act on the mounted host directories and say how it ended."""

from __future__ import annotations

import threading
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path

from agentics.errors import EngineError
from agentics.sandbox.engine import Container, EngineFacts, Exit, Image, Link, Linked, Spoken
from tests.memory_store import MemoryStore, everything_built

_PATIENCE_S = 30.0
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
class Held:
    """A behaviour that waits for a test: `entered` is set once it runs, and it goes on as `then` when `release` is. A
    container that is removed while it waits was killed."""

    then: Behaviour | None = None
    entered: threading.Event = field(default_factory=threading.Event)
    release: threading.Event = field(default_factory=threading.Event)
    killed: bool = False

    def __call__(self, container: Container) -> Exit:
        self.entered.set()
        if not self.release.wait(_PATIENCE_S):
            raise AssertionError(f"{container.role} was never released")
        if self.killed:
            return exited(137, ended="killed", signal=9)
        return self.then(container) if self.then is not None else exited()

    def kill(self) -> None:
        self.killed = True
        self.release.set()


@dataclass
class FakeRunning:
    """Behaves when it is waited for, and only once its gate is open."""

    engine: FakeEngine
    container: Container
    gated: bool
    discarded: bool = False

    def open_gate(self) -> None:
        self.engine.until_thawed(self.container)
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
        self.engine.kill(self.container)
        self.engine.note("discard", self.container.role)


@dataclass
class FakeEngine:
    """`behaviours` by role (None or missing: exit 0). An EngineError in `failures[call]` is raised at that call, each
    time it is listed. `calls` is what was asked, in order; `containers` what was started; `running` who behaves now.
    While labels are paused nothing that carries them starts, or ends."""

    behaviours: dict[str, Behaviour] = field(default_factory=dict)
    converse: Conversation | None = None
    images: dict[str, Image] = field(default_factory=dict)
    store: MemoryStore = field(default_factory=everything_built)
    failures: dict[str, list[EngineError]] = field(default_factory=dict)
    known_facts: EngineFacts = FACTS
    calls: list[tuple[str, str]] = field(default_factory=list)
    containers: list[Container] = field(default_factory=list)
    removed: list[Mapping[str, str]] = field(default_factory=list)
    running: list[Container] = field(default_factory=list)
    paused: list[Mapping[str, str]] = field(default_factory=list)
    _lock: threading.Lock = field(default_factory=threading.Lock)
    _thawed: threading.Condition = field(default_factory=threading.Condition)
    _killed: list[Container] = field(default_factory=list)

    def facts(self) -> EngineFacts:
        return self.known_facts

    def image_store(self) -> MemoryStore:
        return self.store

    def image(self, reference: str, platform: str | None) -> Image:
        self.note("image", reference)
        known = self.images.get(reference)
        return known or Image(
            reference=reference, id=f"sha256:{reference}", digest=None, platform=platform or "linux/amd64"
        )

    def start(self, container: Container, *, gated: bool = False) -> FakeRunning:
        self.note("start", container.role)
        self.until_thawed(container)
        self.containers.append(container)
        return FakeRunning(self, container, gated)

    def run_linked(self, solution: Container, evaluator: Container, link: Link) -> Linked:
        self.note("run_linked", solution.role)
        self.until_thawed(solution)
        self.containers += [solution, evaluator]
        if self.converse is not None:
            return self.converse(solution, evaluator, link)
        return conversation(self.behave(solution), self.behave(evaluator))

    def pause(self, labels: Mapping[str, str]) -> int:
        self.note("pause", "")
        with self._thawed:
            self.paused.append(dict(labels))
        return len(self._running_with(labels))

    def unpause(self, labels: Mapping[str, str]) -> int:
        self.note("unpause", "")
        with self._thawed:
            self.paused = [one for one in self.paused if not labels.items() <= one.items()]
            self._thawed.notify_all()
        return len(self._running_with(labels))

    def remove(self, labels: Mapping[str, str]) -> int:
        self.note("remove", "")
        self.removed.append(dict(labels))
        found = self._running_with(labels)
        for container in found:
            self.kill(container)
        with self._thawed:
            self._thawed.notify_all()
        return len(found)

    def live(self) -> frozenset[str]:
        return frozenset()

    def reap(self, *, everything: bool = False) -> int:
        self.note("reap", "everything" if everything else "dead")
        return 0

    def close(self) -> None:
        self.note("close", "")

    def behave(self, container: Container) -> Exit:
        behaviour = self.behaviours.get(container.role)
        with self._lock:
            self.running.append(container)
        try:
            ended = behaviour(container) if behaviour is not None else exited()
            self.until_thawed(container)
            return ended
        finally:
            with self._lock:
                self.running.remove(container)

    def kill(self, container: Container) -> None:
        """End it now, paused or not, if it waits for a test or for its thaw."""
        with self._thawed:
            self._killed.append(container)
            self._thawed.notify_all()
        behaviour = self.behaviours.get(container.role)
        if isinstance(behaviour, Held):
            behaviour.kill()

    def until_thawed(self, container: Container) -> None:
        """Block while its labels are paused, as long as nobody removes it. Raises EngineError if it was removed before
        it ran."""
        removals = len(self.removed)

        def goes_on() -> bool:
            paused = any(one.items() <= container.labels.items() for one in self.paused)
            return not paused or container in self._killed or self._was_removed(container, removals)

        with self._thawed:
            if not self._thawed.wait_for(goes_on, _PATIENCE_S):
                raise AssertionError(f"{container.role} was never thawed")
        if container not in self.running and self._was_removed(container, removals):
            raise EngineError("it was removed before it was started", code="engine_not_found", retryable=True)

    def _was_removed(self, container: Container, since: int) -> bool:
        return any(labels.items() <= container.labels.items() for labels in self.removed[since:])

    def _running_with(self, labels: Mapping[str, str]) -> list[Container]:
        with self._lock:
            return [one for one in self.running if labels.items() <= one.labels.items()]

    def note(self, call: str, about: str) -> None:
        """Record a call, and raise what was planned for it."""
        with self._lock:
            self.calls.append((call, about))
            planned = self.failures.get(call)
            error = planned.pop(0) if planned else None
        if error is not None:
            raise error
