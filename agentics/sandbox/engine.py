"""What is asked of a container engine, and what is known afterwards: values and one small protocol, no engine.

A container that fails is a value (`Exit`). Only the engine failing is an exception (`errors.EngineError`).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal, Protocol

from agentics.sandbox.images import ImageStore

Ended = Literal["exited", "timed_out", "out_of_memory", "output_limit", "disk_limit", "killed"]
Kernel = Literal["shared", "own"]
"""Whose kernel answers a container's system calls: the engine's, or one of its own (gVisor, a virtual machine)."""
Relaxation = Literal["writable_root", "root_user", "default_seccomp", "capabilities", "network"]


@dataclass(frozen=True, kw_only=True)
class Mount:
    """A host directory inside the container. `watch_*`: limits that nobody but us enforces while the container runs."""

    source: Path
    target: str
    writable: bool = False
    watch_bytes: int | None = None
    watch_inodes: int | None = None


@dataclass(frozen=True, kw_only=True)
class Limits:
    """What one container may use. `disk_bytes` bounds every single file (RLIMIT_FSIZE) and the private /tmp."""

    timeout_s: float
    memory_bytes: int
    cpu_millis: int
    disk_bytes: int
    pids: int = 256
    open_files: int = 1024
    log_bytes: int = 1 << 20


@dataclass(frozen=True, kw_only=True)
class Container:
    """One container, complete. `stdio`: `none` has no streams of ours, `log` captures stdout and stderr together up to
    `limits.log_bytes`, `pipe` is one half of a linked pair (stderr is its log), `supervised` is a log that belongs to
    the user `speaker` inside, and descriptor 3 beside it for the report of the program that runs everything else."""

    role: str
    image: str
    argv: tuple[str, ...]
    cwd: str
    user: str
    limits: Limits
    env: Mapping[str, str] = field(default_factory=dict)
    mounts: tuple[Mount, ...] = ()
    labels: Mapping[str, str] = field(default_factory=dict)
    platform: str | None = None
    network: bool = False
    stdio: Literal["none", "log", "pipe", "supervised"] = "log"
    speaker: int | None = None
    capabilities: tuple[str, ...] = ()
    gpus: int = 0
    relaxed: frozenset[Relaxation] = frozenset()
    runtime: str | None = None
    """The engine's name of it; None for its default."""


@dataclass(frozen=True, kw_only=True)
class Exit:
    """How a container ended. Times are the engine's own stamps (RFC 3339, UTC); `None` is "not measured here".

    `ended` is `out_of_memory` when the kernel killed for memory and the container did not exit 0; `oom_killed` alone
    also covers a child that was killed while its parent went on. `exit_code` 124 stands for a timeout.
    `wall_s` counts from the opened gate (or the process start) to the end, without `paused_s`: the time in between for
    which the container, or its linked partner, was paused.
    """

    ended: Ended
    exit_code: int
    signal: int | None = None
    oom_killed: bool = False
    started_at: str
    finished_at: str
    wall_s: float
    cpu_s: float | None = None
    memory_peak_bytes: int | None = None
    pids_peak: int | None = None
    log: bytes = b""
    log_bytes_seen: int = 0
    log_truncated: bool = False
    report: bytes = b""
    paused_s: float = 0.0
    runtime: str = ""
    """The engine's name of what ran it."""
    kernel: Kernel | None = None
    user: str = ""
    """Who ran its first process: `<uid>:<gid>`, as the engine was told."""


@dataclass(frozen=True, kw_only=True)
class Link:
    """How two containers' standard streams are joined. Byte limits are for each direction."""

    limit_bytes: int = 256 << 20
    transcript_bytes: int = 1 << 20
    grace_s: float = 2.0


@dataclass(frozen=True, kw_only=True)
class Spoken:
    """One chunk of a transcript: who said it, when (seconds from the start of the session), and what."""

    speaker: Literal["solution", "evaluator"]
    at_s: float
    data: bytes


@dataclass(frozen=True, kw_only=True)
class Linked:
    """How a linked pair ended. `first_to_end` is who ended first; `first_to_fail` who ended *badly* first, before the
    session was decided (None: nobody did). `evaluator_waiting`: when the evaluator ran out of time it was idle, waiting
    for a solution that was still alive."""

    solution: Exit
    evaluator: Exit
    first_to_end: Literal["solution", "evaluator"]
    first_to_fail: Literal["solution", "evaluator"] | None
    evaluator_waiting: bool
    solution_bytes: int
    evaluator_bytes: int
    transcript: tuple[Spoken, ...]
    transcript_truncated: bool


@dataclass(frozen=True, kw_only=True)
class Image:
    """A local image. `digest` is the registry's (repo@sha256:…) if there is one, `id` the engine's own content id."""

    reference: str
    id: str
    digest: str | None
    platform: str
    labels: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, kw_only=True)
class EngineFacts:
    """What evidence records of the engine. `shares_pipes`: a FIFO made on the host works inside a container."""

    name: str
    version: str
    api_version: str
    host_platform: str
    cgroup_version: str
    cgroup_driver: str
    rootless: bool
    seccomp: bool
    cpus: int
    memory_bytes: int
    kernel: str
    shares_files: bool
    shares_pipes: bool
    measures_usage: bool
    gpus: bool = False
    cgroup_namespaces: bool = True
    """A container can have a view of control groups that begins at its own."""
    maps_users: bool = False
    """A container's user is another one on the host, by the engine's own settings."""
    runtimes: tuple[str, ...] = ()
    """What the engine can run containers with."""
    default_runtime: str = "runc"
    """What it runs those with that name none."""


class Running(Protocol):
    """A started container."""

    def open_gate(self) -> None:
        """Let a gated container's program start; its clock starts here. Without a gate, nothing.

        Blocks while its labels are paused."""

    def wait(self) -> Exit:
        """Block until the end, enforcing the time limit, then remove the container. Raises EngineError."""

    def discard(self) -> None:
        """Kill and remove, whatever it is doing."""


class Engine(Protocol):
    """A container engine. Thread-safe: cases run side by side."""

    def facts(self) -> EngineFacts: ...

    def image_store(self) -> ImageStore:
        """What is asked of the engine where images are made."""

    def image(self, reference: str, platform: str | None) -> Image:
        """The local image, pulled if missing. Raises EngineError(code="image_missing") when it cannot be had."""

    def start(self, container: Container, *, gated: bool = False) -> Running:
        """Create and start; its runtime is examined first, once. A gated container has everything ready but waits for
        `open_gate` to run its program.

        Blocks while its labels are paused. Raises EngineError (`limits_not_kept` or `runtime_without_network` where the
        runtime is not fit for it), also when `remove` takes it before it could start."""

    def run_linked(self, solution: Container, evaluator: Container, link: Link) -> Linked:
        """Start both, carry the bytes, and come back when both have ended. Blocks as `start` does while paused."""

    def pause(self, labels: Mapping[str, str]) -> int:
        """Freeze every running container of this engine object that carries all of these labels; how many.

        Paused time counts against no limit. The pause stays in force until `unpause`, also for what comes later: that
        does not start. Raises EngineError; then nothing is paused."""

    def unpause(self, labels: Mapping[str, str]) -> int:
        """End the pause of these labels, and of all that ask for more than them; how many containers go on.

        Raises EngineError when one could not be thawed: ask again."""

    def remove(self, labels: Mapping[str, str]) -> int:
        """Kill and remove every container with all of these labels; how many there were."""

    def live(self) -> frozenset[str]:
        """Ids of the containers that this engine object has made and not removed yet."""

    def reap(self, *, everything: bool = False) -> int:
        """Remove what dead owners on this host left behind, or all that ever was ours; how many there were."""
