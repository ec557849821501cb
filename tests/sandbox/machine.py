"""A machine whose /proc a test writes."""

from __future__ import annotations

import os
from dataclasses import dataclass, field
from pathlib import Path

from agentics.sandbox import load

CORES, HZ = os.cpu_count() or 1, os.sysconf("SC_CLK_TCK")


@dataclass
class Machine:
    """A /proc. Times of processes and of the machine in seconds of processor time; `seconds` is what the clock says."""

    root: Path
    seconds: float = 0.0
    pressure_s: float | None = 0.0
    stolen_s: float = 0.0
    loadavg: str = "0.50 0.40 0.30 1/100 4242\n"
    found: dict[int, tuple] = field(default_factory=dict)

    def process(self, pid, own=0.0, reaped=0.0, *, parent=1, name="work", kernel=False, container=None, started=1):
        """There is this process, or there is no longer (`own` None)."""
        self.found.pop(pid, None)
        if own is not None:
            self.found[pid] = (own, reaped, parent, name, kernel, container, started)

    def write(self):
        self.root.mkdir(exist_ok=True)
        for entry in list(self.root.iterdir()):
            if entry.name.isdigit():
                for file in entry.iterdir():
                    file.unlink()
                entry.rmdir()
        for pid, (own, reaped, parent, name, kernel, container, started) in {1: init(), **self.found}.items():
            place = self.root / str(pid)
            place.mkdir()
            flags = 0x200000 if kernel else 0x400000
            times = f"{int(own * HZ)} 0 {int(reaped * HZ)} 0"
            stat = f"{pid} ({name}) S {parent} 1 1 0 -1 {flags} 0 0 0 0 {times} 20 0 1 0 {started} 0 0"
            (place / "stat").write_text(stat)
            (place / "cgroup").write_text(f"4:cpuacct:/docker/{container}\n" if container else "0::/user.slice\n")
        (self.root / "self" / "ns").mkdir(parents=True, exist_ok=True)
        link = self.root / "self" / "ns" / "pid"
        if not link.is_symlink():
            link.symlink_to("pid:[4026531836]")
        (self.root / "loadavg").write_text(self.loadavg)
        idle, stolen = int(self.seconds * CORES * HZ - self.stolen_s * HZ), int(self.stolen_s * HZ)
        (self.root / "stat").write_text(f"cpu  0 0 0 {idle} 0 0 0 {stolen} 0 0\ncpu0 1\n")
        if self.pressure_s is not None:
            (self.root / "pressure").mkdir(exist_ok=True)
            total = int(self.pressure_s * 1e6)
            said = f"some avg10=1.00 avg60=2.00 avg300=3.00 total={total}\nfull avg10=0.00 avg60=0.00 total=0\n"
            (self.root / "pressure" / "cpu").write_text(said)

    def read(self):
        self.write()
        found = load.read()
        return load.Reading(**{**vars(found), "at": self.seconds})


def init():
    return 0.0, 0.0, 0, "systemd", False, None, 1
