"""What evaluator and solution share in a coexecuted container, and whether the solution uses it up.

Nothing but the memory's limit stands between the two in /tmp, /dev/shm and the container's IPC objects. So the
supervisor looks how much of them is not the evaluator's. More than half of one is told to the host.
"""

from __future__ import annotations

import contextlib
import os
import time
from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from pathlib import Path

PLACES = {"tmp": "/tmp", "shm": "/dev/shm"}  # noqa: S108 - places of the container
_SYSV = {"shm": ("kernel/shmmni", 0), "msg": ("kernel/msgmni", 0), "sem": ("kernel/sem", 3)}
_CREATOR_COLUMN = {"shm": 9, "msg": 9, "sem": 6}  # an object can be given away, but not who made it
_BLOCK = 512
LOOK_S = 0.2


@dataclass(frozen=True)
class ResourceUse:
    """Of a resource, by its name: what the solution holds, and what there is of it."""

    resource: str
    used: int
    limit: int

    @property
    def too_much(self) -> bool:
        return self.limit > 0 and 2 * self.used > self.limit


@dataclass
class Watch:
    """Tells of each resource once, and spends a tenth of the time on looking at most."""

    evaluator_uid: int
    solution_uid: int
    told: set[str] = field(default_factory=set)
    due: float = 0.0

    def look(self, *, at_once: bool = False) -> list[ResourceUse]:
        """What the solution holds too much of and was not told before. Nothing where the last look was a moment ago,
        unless it is wanted `at_once`."""
        began = time.monotonic()
        if began < self.due and not at_once:
            return []
        uses = (*self._places(), *_ipc(self.solution_uid))
        found = [use for use in uses if use.too_much and use.resource not in self.told]
        self.told.update(use.resource for use in found)
        now = time.monotonic()
        self.due = now + max(LOOK_S, 10 * (now - began))
        return found

    def _places(self) -> Iterator[ResourceUse]:
        """Used space that is not the evaluator's: files that were removed and are still open have no owner to find."""
        for name, path in PLACES.items():
            with contextlib.suppress(OSError):
                said = os.statvfs(path)
                size = ResourceUse(
                    f"{name}_bytes", (said.f_blocks - said.f_bfree) * said.f_frsize, said.f_blocks * said.f_frsize
                )
                names = ResourceUse(f"{name}_inodes", said.f_files - said.f_ffree, said.f_files)
                if any(use.too_much and use.resource not in self.told for use in (size, names)):
                    own = _owned(path, self.evaluator_uid)
                    size = replace(size, used=size.used - own[0])
                    names = replace(names, used=names.used - own[1])
                yield from (size, names)


def _owned(root: str, uid: int) -> tuple[int, int]:
    """Bytes and files of this user below `root`. It enters directories of this user only: others may be hostile."""
    size = count = 0
    folders = [root]
    os.seteuid(uid)
    try:
        while folders:
            with contextlib.suppress(OSError), os.scandir(folders.pop()) as entries:
                for entry in entries:
                    said = entry.stat(follow_symlinks=False)
                    if said.st_uid != uid:
                        continue
                    size, count = size + said.st_blocks * _BLOCK, count + 1
                    if entry.is_dir(follow_symlinks=False):
                        folders.append(entry.path)
    finally:
        os.seteuid(0)
    return size, count


def _ipc(uid: int) -> Iterator[ResourceUse]:
    for kind, (setting, column) in _SYSV.items():
        with contextlib.suppress(OSError, ValueError, IndexError):
            lines = Path("/proc/sysvipc", kind).read_text(encoding="ascii").splitlines()[1:]
            used = sum(line.split()[_CREATOR_COLUMN[kind]] == str(uid) for line in lines)
            limit = int(Path("/proc/sys", setting).read_text(encoding="ascii").split()[column])
            yield ResourceUse(f"sysv_{kind}", used, limit)
    with contextlib.suppress(OSError, ValueError), os.scandir("/dev/mqueue") as queues:
        used = sum(queue.stat(follow_symlinks=False).st_uid == uid for queue in queues)
        yield ResourceUse(
            "message_queues", used, int(Path("/proc/sys/fs/mqueue/queues_max").read_text(encoding="ascii"))
        )
