"""One container from its creation to its removal: made, started, killed, read off, thrown away. No waiting here."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from agentics.errors import EngineError
from agentics.sandbox import cgroup, pipes
from agentics.sandbox.clock import Clock
from agentics.sandbox.docker import attach, create
from agentics.sandbox.docker.api import Api, StartRefused
from agentics.sandbox.docker.attach import Attached
from agentics.sandbox.docker.frozen import Frozen
from agentics.sandbox.docker.watch import EndWatch
from agentics.sandbox.engine import Container, Ended, Exit, Kernel
from agentics.sandbox.log import Log
from agentics.sandbox.settings import EngineSettings

_KILLED = 137
_TIMED_OUT = 124
_NOT_FOUND, _NOT_EXECUTABLE = 127, 126
_SIGNALS = range(129, 193)
_REPORT_BYTES = 4 << 20
_NEVER = "0001-"
DEATH_S = 60.0  # how long a killed container may take to be gone before we call the engine broken


@dataclass(kw_only=True)
class EngineState:
    """What all containers of one engine share that have one runtime. Those of other runtimes share `live`, `removals`,
    `lock` and `frozen` with them. `kernel` None: not looked at yet."""

    api: Api
    settings: EngineSettings
    scratch: Path
    owner: dict[str, str]
    seccomp: str | None
    groups: cgroup.Groups | None
    shares_pipes: bool
    volumes: Callable[[str], tuple[str, ...]]
    removers: ThreadPoolExecutor
    cgroup_namespaces: bool = True
    runtime: str = ""
    kernel: Kernel | None = None
    live: set[Live] = field(default_factory=set)
    removals: set[Future[None]] = field(default_factory=set)
    lock: threading.Lock = field(default_factory=threading.Lock)
    frozen: Frozen = field(default_factory=Frozen)


@dataclass(kw_only=True, eq=False)
class Live:
    """A container that exists. `began` is on its clock, `opened` the wall-clock time of the gate; `report` is there
    where a supervisor in it has a stream of its own. Whoever waits for it holds `in_use`: its descriptors stay open so
    long, even if it is thrown away meanwhile. Whoever starts, freezes, thaws or kills it holds `moving`. Of those who
    are frozen together, a lower `turn` comes first."""

    host: EngineState
    container: Container
    log: Log
    argv: tuple[str, ...]
    clock: Clock = field(default_factory=Clock)
    turn: int = 0
    report: Log | None = None
    streams: pipes.Pipes | Attached | None = None
    group: cgroup.ControlGroup | None = None
    id: str = ""
    watch: EndWatch | None = None
    began: float | None = None
    opened: float | None = None
    killed: Ended | None = None
    refused: str | None = None
    in_use: threading.Lock = field(default_factory=threading.Lock)
    moving: threading.Lock = field(default_factory=threading.Lock)
    _disposed: bool = False
    _unwanted: bool = False
    _frozen: bool = False
    _lost_before: float = 0.0

    @property
    def ended(self) -> bool:
        return self.refused is not None or (self.watch is not None and self.watch.ended)

    @property
    def labels(self) -> dict[str, str]:
        """All that it carries."""
        return {**self.container.labels, **self.host.owner}

    @property
    def paused_s(self) -> float:
        """For how long its clock was held, from where it counts to the end."""
        until = self.watch.ended_at if self.watch is not None else time.monotonic()
        return max(0.0, self.clock.lost_s(until) - self._lost_before)

    def start(self) -> None:
        """Once nothing that it carries is paused. Raises EngineError, also when it is removed before that. A program
        that cannot be run is a way of ending, told by `finish`."""
        with self._unpaused() as wanted:
            if not wanted:
                msg = "could not start a container: it was removed before"
                raise EngineError(msg, code="engine_not_found", retryable=True)
            self.watch = EndWatch(self.host.api.expect_exit(self.id))
            if isinstance(self.streams, Attached):
                self.streams.connect(self.host.api, self.id)
            try:
                self.host.api.start(self.id)
            except StartRefused as refused:
                self.refused = str(refused)
            self._count_from_here()

    def open_gate(self) -> None:
        """The program's clock starts here, once nothing that it carries is paused."""
        with self._unpaused() as wanted:
            if wanted and isinstance(self.streams, pipes.Pipes):
                self.streams.open_gate()
            self.count_from_here()

    def count_from_here(self) -> None:
        """What is measured of its time, and its limit, counts from now on."""
        self.opened = time.time()
        self._count_from_here()

    def _count_from_here(self) -> None:
        self.began = self.clock()
        self._lost_before = self.clock.lost_s(time.monotonic())

    @contextmanager
    def _unpaused(self) -> Iterator[bool]:
        """Wait for the end of a pause, and hold off the next. False: nobody wants it any more."""
        while True:
            self.host.frozen.wait(self.labels, self._is_unwanted)
            with self.moving:
                if self._is_unwanted() or not self.host.frozen.holds(self.labels):
                    yield not self._is_unwanted()
                    return

    def _is_unwanted(self) -> bool:
        return self._unwanted or self._disposed or self.killed is not None

    def abandon(self) -> None:
        """It is being removed by its labels: whoever waits to start it shall not."""
        self._unwanted = True
        self.host.frozen.wake()

    def freeze(self) -> bool:
        """Whether it stands still now and did not before; that is off its clock. Raises EngineError."""
        with self.moving:
            if self._frozen or self.began is None or self.ended or self._is_unwanted():
                return False
            self.clock.hold(self)
            try:
                self._frozen = self.host.api.pause(self.id)
            except EngineError:
                with suppress(EngineError):  # a late answer may be a yes
                    self.host.api.unpause(self.id)
                raise
            finally:
                if not self._frozen:
                    self.clock.release(self)
            return self._frozen

    def thaw(self) -> bool:
        """Whether it goes on, and did not before. Raises EngineError; then it still stands still."""
        with self.moving:
            if not self._frozen:
                return False
            self.host.api.unpause(self.id)
            self._frozen = False
            self.clock.release(self)
            return True

    def _thaw_to_die(self) -> None:
        """An engine may refuse to kill what is frozen, and a frozen process does not die before it is thawed."""
        if self._frozen:
            with suppress(EngineError):
                self.host.api.unpause(self.id)
            self._frozen = False
            self.clock.release(self)

    def kill(self, why: Ended) -> None:
        """Idempotent; the first reason stays."""
        try:
            with self.moving:
                if self.killed is None and not self.ended:
                    self.killed = why
                    if self.streams is not None:
                        self.streams.let_go()
                    self._thaw_to_die()
                    self.host.api.kill(self.id)
        finally:
            self.host.frozen.wake()

    def cpu_s(self) -> float | None:
        """Processor time so far; None when it cannot be known."""
        with suppress(EngineError):
            if self.group is not None and self.host.groups is not None:
                return self.host.groups.cpu_s(self.group)
            return self.host.api.processor_ns(self.id) / 1e9
        return None

    def check_engine(self) -> None:
        """Raises EngineError if the engine was lost while this container ran."""
        if self.watch is not None and self.watch.ended:
            _ = self.watch.exit_code

    def finish(self) -> Exit:
        """How it ended. Raises EngineError if the engine was lost on the way."""
        if self.refused is not None:
            return self._never_ran()
        if self.watch is None:
            msg = "the container was never started"
            raise EngineError(msg, code="engine_not_ended")
        code = self.watch.exit_code
        state = self.host.api.state(self.id)
        used = self.host.groups.read(self.group) if self.host.groups and self.group else cgroup.GroupUsage()
        oom = bool(state.get("OOMKilled")) or bool(used.oom_kills) or self._died_at_its_limit(code, used)
        return _exit(self, code, state, used, oom_killed=oom)

    def _died_at_its_limit(self, code: int, used: cgroup.GroupUsage) -> bool:
        """Whether a runtime with a kernel of its own was killed for memory: it dies as a whole, and the engine may hear
        of its end before it hears why."""
        limit, peak = self.container.limits.memory_bytes, used.memory_peak_bytes or 0
        return self.host.kernel == "own" and code == _KILLED and self.killed is None and peak >= limit

    def dispose(self) -> None:
        """Kill, remove and forget, in the background. Idempotent."""
        with self.host.lock:
            if self._disposed:
                return
            self._disposed = True
            self.host.frozen.wake()
            removal = self.host.removers.submit(self._remove)
            self.host.removals.add(removal)
        removal.add_done_callback(self._removed)

    def _remove(self) -> None:
        if self.streams is not None:
            self.streams.let_go()
        with self.moving:
            self._thaw_to_die()
        # What cannot be removed now carries our label: the next start of a process here finds it.
        with suppress(EngineError):
            if self.id:
                self.host.api.remove(self.id)
        with self.in_use:
            if self.watch is not None:
                self.watch.close()
            if self.streams is not None:
                self.streams.close()
        if self.group is not None and self.host.groups is not None:
            self.host.groups.remove(self.group)

    def _removed(self, removal: Future[None]) -> None:
        with self.host.lock:
            self.host.live.discard(self)
            self.host.removals.discard(removal)

    def _never_ran(self) -> Exit:
        missing = "permission denied" not in (self.refused or "") and "exec format" not in (self.refused or "")
        said = f"{self.container.argv[0]}: {'not found' if missing else 'cannot be executed'}\n".encode()
        now = datetime.now(UTC).isoformat().replace("+00:00", "Z")
        return Exit(
            ended="exited",
            exit_code=_NOT_FOUND if missing else _NOT_EXECUTABLE,
            started_at=now,
            finished_at=now,
            wall_s=0.0,
            log=said,
            log_bytes_seen=len(said),
            runtime=self.host.runtime,
            kernel=self.host.kernel,
            user=create.user(self.container),
        )


def launch(
    host: EngineState, container: Container, *, gated: bool = False, clock: Clock | None = None, turn: int = 0
) -> Live:
    """A created container, not yet started; whatever fails on the way leaves nothing behind."""
    log = Log(cap=container.limits.log_bytes, flood=host.settings.flood_bytes)
    live = Live(host=host, container=container, log=log, argv=container.argv, clock=clock or Clock(), turn=turn)
    if container.stdio == "supervised":
        live.report = Log(cap=_REPORT_BYTES, flood=host.settings.flood_bytes)
    with host.lock:
        host.live.add(live)
    try:
        _lay_streams(live, gated=gated)
        live.group = host.groups.make() if host.groups else None
        around = create.CreateSettings(
            settings=host.settings,
            owner=host.owner,
            seccomp=host.seccomp,
            volumes=host.volumes(container.image),
            cgroup_parent=live.group.parent if live.group else None,
            streams=str(live.streams.directory) if isinstance(live.streams, pipes.Pipes) else None,
            streams_group=live.streams.group if isinstance(live.streams, pipes.Pipes) else None,
            attached=isinstance(live.streams, Attached),
            cgroup_namespaces=host.cgroup_namespaces,
            own_kernel=host.kernel == "own",
        )
        live.id = host.api.create(create.config(container, live.argv, around), container.platform)
    except BaseException:
        live.dispose()
        raise
    return live


def _lay_streams(live: Live, *, gated: bool) -> None:
    stdio, argv = live.container.stdio, live.container.argv
    if not live.host.shares_pipes:
        if stdio != "none":
            errors = live.log if stdio == "pipe" else live.report
            live.streams = Attached(errors=errors, piped=stdio == "pipe")
        live.argv = attach.supervised(argv) if stdio == "supervised" else argv
        return
    gate = ("gate",) if gated else ()
    if stdio == "pipe":
        live.streams = pipes.make(live.host.scratch, streams=("out", "err", "in", "ready"))
        live.argv = pipes.piped(argv)
    elif stdio == "log":
        live.streams = pipes.make(live.host.scratch, streams=("out", *gate))
        live.argv = pipes.logged(argv, gated=gated)
    elif stdio == "supervised":
        streams = ("out", "report", *gate)
        live.streams = pipes.make(live.host.scratch, streams=streams, speaker=live.container.speaker)
        live.argv = pipes.supervised(argv, gated=gated)
    elif gated:
        live.streams = pipes.make(live.host.scratch, streams=gate)
        live.argv = pipes.gated(argv)


def _exit(live: Live, code: int, state: dict[str, Any], used: cgroup.GroupUsage, *, oom_killed: bool) -> Exit:
    ended = _ended(live, code, oom_killed=oom_killed)
    paused_s = live.paused_s
    started, finished = str(state["StartedAt"]), str(state["FinishedAt"])
    return Exit(
        ended=ended,
        exit_code=_TIMED_OUT if ended == "timed_out" else code,
        signal=code - 128 if code in _SIGNALS else None,
        oom_killed=oom_killed,
        started_at=started,
        finished_at=finished,
        wall_s=max(0.0, wall_s(started, finished, live.opened) - paused_s),
        cpu_s=used.cpu_s,
        memory_peak_bytes=used.memory_peak_bytes,
        pids_peak=used.pids_peak,
        log=live.log.kept,
        log_bytes_seen=live.log.seen,
        log_truncated=live.log.truncated,
        report=live.report.kept if live.report is not None else b"",
        paused_s=paused_s,
        runtime=live.host.runtime,
        kernel=live.host.kernel,
        user=create.user(live.container),
    )


def _ended(live: Live, code: int, *, oom_killed: bool) -> Ended:
    # A kill that came after the end changed nothing: only our signal's own exit code shows that it hit.
    if live.killed is not None and code == _KILLED:
        return live.killed
    return "out_of_memory" if oom_killed and code != 0 else "exited"


def wall_s(started: str, finished: str, opened: float | None) -> float:
    """Seconds from the start, or from the opened gate (Unix time), to the end."""
    if finished.startswith(_NEVER) or started.startswith(_NEVER):
        return 0.0
    begin = datetime.fromisoformat(started).timestamp()
    if opened is not None:
        begin = max(begin, opened)
    return max(0.0, datetime.fromisoformat(finished).timestamp() - begin)
