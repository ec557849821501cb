"""The labels on everything we make, and what they tell: whose it is, and whether that owner is still alive.

An owner is a process: pid, start time, boot, pid namespace and host, so that a reused pid deceives nobody.
"""

from __future__ import annotations

import hashlib
import os
import platform
import secrets
from dataclasses import dataclass, replace
from pathlib import Path

PREFIX = "org.agentics"
OWNER = f"{PREFIX}.owner"
RUN = f"{PREFIX}.run"
TRIAL = f"{PREFIX}.trial"
ATTEMPT = f"{PREFIX}.attempt"
ROLE = f"{PREFIX}.role"


@dataclass(frozen=True, kw_only=True)
class Owner:
    """A process of some host, at some boot of it."""

    pid: int
    started: str
    boot: str
    namespace: str
    host: str

    def label(self) -> str:
        return ",".join((str(self.pid), self.started, self.boot, self.namespace, self.host))

    def new_name(self) -> str:
        """A name, of letters, digits and `_`, for what can carry no label. No two calls give the same."""
        return "_".join((str(self.pid), self.started, self._where(), secrets.token_hex(8)))

    def of_name(self, name: str) -> Owner | None:
        """Whose `new_name` that is; None unless it is of a process of our own boot, namespace and host."""
        pid, _, rest = name.partition("_")
        started, _, rest = rest.partition("_")
        where = rest.partition("_")[0]
        return replace(self, pid=int(pid), started=started) if pid.isdecimal() and where == self._where() else None

    def _where(self) -> str:
        return hashlib.sha256("\0".join((self.boot, self.namespace, self.host)).encode()).hexdigest()[:16]


def this_process() -> Owner:
    """Us, as an owner."""
    return Owner(
        pid=os.getpid(),
        started=_started(os.getpid()) or "",
        boot=_read("/proc/sys/kernel/random/boot_id"),
        namespace=_namespace(),
        host=platform.node(),
    )


def parse(label: str) -> Owner | None:
    """None for a label that we did not write."""
    parts = label.split(",", 4)
    if len(parts) != 5 or not parts[0].isdigit():  # noqa: PLR2004 the five fields of Owner
        return None
    return Owner(pid=int(parts[0]), started=parts[1], boot=parts[2], namespace=parts[3], host=parts[4])


def is_dead(owner: Owner, here: Owner) -> bool:
    """Whether that process is certainly gone. Another host's, or another pid namespace's, we cannot tell: not dead."""
    if owner.host != here.host:
        return False
    if owner.boot != here.boot:
        return True
    return owner.namespace == here.namespace and _started(owner.pid) != owner.started


def _started(pid: int) -> str | None:
    """Ticks since boot; None when there is no such process."""
    try:
        stat = Path(f"/proc/{pid}/stat").read_text(encoding="utf-8", errors="replace")
    except OSError:
        return None
    return stat.rpartition(")")[2].split()[19]


def _namespace() -> str:
    try:
        return str(Path("/proc/self/ns/pid").readlink())
    except OSError:
        return ""


def _read(path: str) -> str:
    try:
        return Path(path).read_text(encoding="ascii").strip()
    except OSError:
        return ""
