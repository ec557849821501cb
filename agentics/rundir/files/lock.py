"""One process per run: a kernel lock on runtime/operation.lock, which a crash frees, and a note of who holds it.

The file is never removed or replaced: a lock belongs to an inode, and a second inode would be a second lock.
"""

from __future__ import annotations

import fcntl
import os
import socket
import time
from dataclasses import dataclass
from pathlib import Path

from agentics.errors import Refused
from agentics.model.run.directory import LockOwner
from agentics.rundir.files import safe_files
from agentics.rundir.files.atomic import storing, utc_now

_TRIES = 5
_BETWEEN_TRIES_S = 0.01


@dataclass(frozen=True)
class Lock:
    """Held until `release` or the end of the process. The descriptor is not inherited by programs we start."""

    descriptor: int
    owner: LockOwner

    def release(self) -> None:
        os.close(self.descriptor)


def make(path: Path) -> None:
    """Make the file, if it is not there. Nobody holds the lock by that. Raises StorageError."""
    with storing(path):
        os.close(safe_files.open_file(path, os.O_RDONLY | os.O_CREAT))


def acquire(path: Path, operation: str) -> Lock:
    """Raises Refused (run_locked) within a tenth of a second when another process holds it."""
    with storing(path):
        descriptor = safe_files.open_file(path, os.O_RDWR | os.O_CREAT)
    try:
        if not _taken(descriptor):
            raise _refusal(path, descriptor)
        owner = LockOwner(pid=os.getpid(), host=socket.gethostname(), operation=operation, acquired_at=utc_now())
        with storing(path):
            os.ftruncate(descriptor, 0)
            os.pwrite(descriptor, owner.model_dump_json().encode() + b"\n", 0)
    except BaseException:
        os.close(descriptor)
        raise
    return Lock(descriptor, owner)


def is_held(path: Path) -> bool:
    """Whether some process holds the lock now. For readers, who must not take it."""
    try:
        descriptor = safe_files.open_file(path)
    except (FileNotFoundError, NotADirectoryError):
        return False
    try:
        fcntl.flock(descriptor, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except BlockingIOError:
        return True
    else:
        return False
    finally:
        os.close(descriptor)


def holder(path: Path) -> str:
    """Who holds the lock, in words."""
    with storing(path):
        return _told(safe_files.read_file(path))


def _taken(descriptor: int) -> bool:
    # More than one try: a reader that only asks (`is_held`) has the lock for a moment.
    for attempt in range(_TRIES):
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            if attempt + 1 < _TRIES:
                time.sleep(_BETWEEN_TRIES_S)
        else:
            return True
    return False


def _refusal(path: Path, descriptor: int) -> Refused:
    run = path.parent.parent.name
    return Refused(
        f"run {run} is held by {_told(os.pread(descriptor, 65536, 0))}",
        code="run_locked",
        hint="wait until it ends, or give this run another --run-id",
    )


def _told(note: bytes) -> str:
    try:
        owner = LockOwner.model_validate_json(note)
    except ValueError:
        return "another process"  # which is just now writing its note
    return f"process {owner.pid} on {owner.host} since {owner.acquired_at} ({owner.operation})"
