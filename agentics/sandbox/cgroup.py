"""What a container used, read from a control group of our own around it. It alone may touch /sys/fs/cgroup.

The engine removes a container's group the moment it ends, and its counters with it. A parent group that we make first
outlives it: the counters of a parent include its children's. The name of a group says which process made it.
"""

from __future__ import annotations

import contextlib
import os
import subprocess
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from agentics.sandbox import labels

ROOT = Path("/sys/fs/cgroup")
GroupLayout = Literal["v1", "v2", "systemd"]
_NS = 1_000_000_000
_US = 1_000_000


@dataclass(frozen=True, kw_only=True)
class GroupUsage:
    """`None`: this kernel does not count it. Peaks are of the whole container."""

    cpu_s: float | None = None
    memory_peak_bytes: int | None = None
    pids_peak: int | None = None
    oom_kills: int | None = None


@dataclass(frozen=True)
class ControlGroup:
    """`parent` is what the engine is told as CgroupParent; `path` is below each hierarchy's root."""

    parent: str
    path: str


@dataclass(frozen=True)
class Groups:
    """Makes, reads and removes parent groups of one layout."""

    layout: GroupLayout
    root: Path = ROOT

    def make(self) -> ControlGroup | None:
        """A group of this process. None when it cannot be made here: then nothing is measured."""
        name = labels.this_process().new_name()
        if self.layout == "systemd":
            # The engine asks systemd for the slice; systemd makes it.
            return ControlGroup(f"agentics-{name}.slice", f"agentics.slice/agentics-{name}.slice")
        group = ControlGroup(f"/agentics/{name}", f"agentics/{name}")
        try:
            for hierarchy in self._counting():
                (hierarchy / group.path).mkdir(parents=True)
        except OSError:
            self.remove(group)
            return None
        return group

    def cpu_s(self, group: ControlGroup) -> float | None:
        """Processor time so far, in seconds."""
        if self.layout == "v1":
            used = _number(self.root / "cpuacct" / group.path / "cpuacct.usage")
            return None if used is None else used / _NS
        used = _keyed(self.root / group.path / "cpu.stat").get("usage_usec")
        return None if used is None else used / _US

    def read(self, group: ControlGroup) -> GroupUsage:
        if self.layout == "v1":
            return GroupUsage(
                cpu_s=self.cpu_s(group),
                memory_peak_bytes=_number(self.root / "memory" / group.path / "memory.max_usage_in_bytes"),
                pids_peak=_number(self.root / "pids" / group.path / "pids.peak"),
            )
        at = self.root / group.path
        return GroupUsage(
            cpu_s=self.cpu_s(group),
            memory_peak_bytes=_number(at / "memory.peak"),
            pids_peak=_number(at / "pids.peak"),
            oom_kills=_keyed(at / "memory.events").get("oom_kill"),
        )

    def remove(self, group: ControlGroup) -> None:
        """Once its container is gone. A group that is still busy stays, empty, until the next `sweep`."""
        if self.layout == "systemd":
            subprocess.run(["systemctl", "stop", group.parent], check=False, capture_output=True, timeout=30)
            return
        for hierarchy in self._all():
            with contextlib.suppress(OSError):
                (hierarchy / group.path).rmdir()

    def sweep(self) -> int:
        """Remove groups that a dead process left; how many. One in use refuses, and so is spared.

        A living process's group is empty, too, until its container starts.
        """
        if self.layout == "systemd":
            return 0
        gone, here = set(), labels.this_process()
        for hierarchy in self._all():
            for left in (hierarchy / "agentics").glob("*/"):
                owner = here.of_name(left.name)
                if owner is None or not labels.is_dead(owner, here):
                    continue
                with contextlib.suppress(OSError):
                    left.rmdir()
                    gone.add(left.name)
        return len(gone)

    def _counting(self) -> list[Path]:
        if self.layout == "v1":
            return [self.root / name for name in ("cpuacct", "memory", "pids")]
        return [self.root]

    def _all(self) -> list[Path]:
        """Every hierarchy: the engine makes our parent in all of them."""
        if self.layout == "v1":
            return [Path(entry.path) for entry in os.scandir(self.root) if entry.is_dir()]
        return [self.root]


def groups(version: str, driver: str) -> Groups | None:
    """The layout that a local engine uses, if we may write there. None: usage cannot be measured."""
    if os.geteuid() != 0:
        return None
    if driver == "cgroupfs":
        found = Groups("v1" if version == "1" else "v2")
        usable = (ROOT / "cpuacct").is_dir() if version == "1" else (ROOT / "cgroup.controllers").is_file()
        return found if usable else None
    if driver == "systemd" and version == "2" and Path("/run/systemd/system").is_dir():
        return Groups("systemd")
    return None


def _number(path: Path) -> int | None:
    try:
        return int(path.read_text(encoding="ascii"))
    except (OSError, ValueError):
        return None


def _keyed(path: Path) -> dict[str, int]:
    try:
        pairs = (line.split() for line in path.read_text(encoding="ascii").splitlines())
        return {key: int(value) for key, value in pairs}
    except (OSError, ValueError):
        return {}
