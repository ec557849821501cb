"""How busy this machine is while a trial is measured on it, read from /proc. Linux only; elsewhere nothing is known.

Pressure and the run queue cannot tell whose work waits, and a trial's own cases make the processor busy, too. So the
processor time of other programs is counted process by process: all but this process, its children, the container
engine, the kernel, and the containers that are ours.
"""

from __future__ import annotations

import os
import platform
import re
import time
from collections import Counter
from collections.abc import Iterator, Mapping, Set
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from agentics.model.evidence.machine_load import MachineLoad
from agentics.policy.verdict.machine_load import LoadLimits, judged

PROC = Path("/proc")
_INITIAL_NAMESPACE = "pid:[4026531836]"
"""The pid namespace of the machine itself, by its fixed number: only there all processes can be seen."""
_KERNEL_THREAD = 0x200000
_ENGINE = ("dockerd", "containerd", "runc", "docker-", "podman", "conmon", "crun", "rootlesskit", "slirp4netns")
_REAPERS = ("systemd", "init", "tini", "dumb-init")
"""Processes to which orphans fall: what they reap is not their own children's work, but also that of containers."""
_CONTAINER = re.compile(r"[0-9a-f]{64}")


@dataclass(frozen=True, kw_only=True)
class LoadingProcess:
    """One process: its own processor time so far, and that of its children that have ended, in ticks."""

    pid: int
    started: int
    parent: int
    name: str
    is_kernel: bool
    own: int
    reaped: int


Processes = Mapping[tuple[int, int], LoadingProcess]


@dataclass(frozen=True, kw_only=True)
class Reading:
    """The machine's counters at one moment, each None where it cannot be read. `at` in seconds, `pressure_us` in
    microseconds, `ticks` and `stolen` of all cores together, `queue` in tasks; `processes` by pid and start."""

    at: float
    pressure_us: int | None
    ticks: int | None
    stolen: int | None
    queue: float | None
    processes: Processes | None


def read(*, here: bool = True) -> Reading:
    """The counters now; none of them where `here` says that containers run on another machine. Takes some 20
    microseconds for each process of the machine."""
    if not here:
        nothing = dict.fromkeys(("pressure_us", "ticks", "stolen", "queue", "processes"))
        return Reading(at=time.monotonic(), **nothing)
    ticks = _ticks()
    return Reading(
        at=time.monotonic(),
        pressure_us=_pressure(),
        ticks=sum(ticks) if ticks else None,
        queue=_queue(),
        stolen=ticks[7] if ticks and len(ticks) > 7 else None,  # noqa: PLR2004 - the eighth is steal
        processes={(each.pid, each.started): each for each in _processes()} if _sees_all() else None,
    )


def between(before: Reading, after: Reading, ours: Set[str], limits: LoadLimits) -> MachineLoad:
    """How busy the machine was from one reading to the other. `ours`: ids of the containers of this process."""
    wall = max(after.at - before.at, 1e-6)
    cores = os.cpu_count() or 1
    foreign = _foreign(before.processes, after.processes, ours)
    pressure = _difference(before.pressure_us, after.pressure_us)
    ticks, stolen = _difference(before.ticks, after.ticks), _difference(before.stolen, after.stolen)
    return judged(
        MachineLoad(
            observed_s=round(wall, 3),
            some_pressure_share=None if pressure is None else _share(pressure / 1e6, wall),
            steal_share=None if not ticks or stolen is None else _share(stolen, ticks),
            foreign_share=None if foreign is None else _share(foreign / os.sysconf("SC_CLK_TCK"), wall * cores),
            run_queue_per_cpu=None if after.queue is None else round(after.queue / cores, 3),
        ),
        limits,
    )


def is_here(kernel: str) -> bool:
    """Whether the engine with this kernel runs on the machine whose /proc this is."""
    return platform.system() == "Linux" and platform.release() == kernel


def _foreign(before: Processes | None, after: Processes | None, ours: Set[str]) -> int | None:
    """Ticks that other programs used between the readings; None where not all processes can be seen."""
    if before is None or after is None:
        return None
    ended = _reaped_since(before, after)
    parents = {each.pid: each.parent for each in after.values()}
    total = 0
    for key, process in after.items():
        if process.is_kernel or process.name.startswith(_ENGINE) or _is_own(process.pid, parents):
            continue
        earlier = before.get(key)
        used = process.own - (earlier.own if earlier else 0)
        if process.pid != 1 and not process.name.startswith(_REAPERS):
            reaped = process.reaped - (earlier.reaped if earlier else 0)
            used += max(0, reaped - ended[process.pid])
        if used > 0 and _container(process.pid) not in ours:
            total += used
    return total


def _reaped_since(before: Processes, after: Processes) -> Counter[int]:
    """Of processes that have ended since: what they had used before, by the nearest ancestor that still lives. It is
    in what that one has reaped, and was used earlier."""
    living = {process.pid for process in after.values()}
    parents = {process.pid: process.parent for process in before.values()}
    found: Counter[int] = Counter()
    for key, process in before.items():
        if key not in after:
            parent = process.parent
            while parent in parents and parent not in living:
                parent = parents[parent]
            found[parent] += process.own + process.reaped
    return found


def _is_own(pid: int, parents: Mapping[int, int]) -> bool:
    """Whether it is this process, or descends from it."""
    while pid in parents and pid != os.getpid():
        pid = parents[pid]
    return pid == os.getpid()


def _container(pid: int) -> str:
    """The id of the container that a process runs in, or nothing."""
    found = _CONTAINER.findall(_text(PROC / str(pid) / "cgroup"))
    return found[-1] if found else ""


def _processes() -> Iterator[LoadingProcess]:
    for entry in os.scandir(PROC):
        if entry.name.isdigit():
            process = _process(_text(PROC / entry.name / "stat"))
            if process is not None:
                yield process


def _process(stat: str) -> LoadingProcess | None:
    """From a line of proc_pid_stat(5). A name may hold anything, also a bracket."""
    pid, _, rest = stat.partition(" (")
    name, bracket, rest = rest.rpartition(") ")
    fields = rest.split()
    if not bracket or len(fields) < 20:  # noqa: PLR2004 - up to the start time
        return None
    numbers = [int(field) for field in fields[1:20]]
    return LoadingProcess(
        pid=int(pid),
        started=numbers[18],
        parent=numbers[0],
        name=name,
        is_kernel=bool(numbers[5] & _KERNEL_THREAD),
        own=numbers[10] + numbers[11],
        reaped=numbers[12] + numbers[13],
    )


def _sees_all() -> bool:
    """Whether /proc shows the processes of the whole machine: not in a container, and not where others' are hidden."""
    with suppress(OSError):
        return str((PROC / "self" / "ns" / "pid").readlink()) == _INITIAL_NAMESPACE and (PROC / "1" / "stat").exists()
    return False


def _pressure() -> int | None:
    """Microseconds for which some task waited for a core, since boot."""
    found = re.match(r"some .*\btotal=(\d+)", _text(PROC / "pressure" / "cpu"))
    return int(found[1]) if found else None


def _ticks() -> list[int] | None:
    """Of all cores: user, nice, system, idle, iowait, irq, softirq and steal. Guests are counted in the first two."""
    words = _text(PROC / "stat").partition("\n")[0].split()
    return [int(word) for word in words[1:9]] if words[:1] == ["cpu"] else None


def _queue() -> float | None:
    """Tasks that run or wait: the kernel's average of the last minute, as nobody keeps another."""
    words = _text(PROC / "loadavg").split()
    return float(words[0]) if words else None


def _text(path: Path) -> str:
    try:
        return path.read_text(encoding="utf-8", errors="replace")
    except OSError:
        return ""


def _difference(before: int | None, after: int | None) -> int | None:
    return None if before is None or after is None else max(0, after - before)


def _share(part: float, whole: float) -> float:
    return round(min(1.0, part / whole), 3)
