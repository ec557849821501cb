"""Kernel locks on files that may be removed: a lock that is held is always on the file that has the name now."""

from __future__ import annotations

import fcntl
import os
from pathlib import Path


def try_lock(path: Path, *, exclusive: bool, create: bool = False) -> int | None:
    """A descriptor that holds the lock until it is closed. None while another one holds it in a way that excludes this,
    and where there is no such file. Two descriptors of one process exclude each other like two processes.

    Whoever removes the file holds it exclusively. Raises OSError.
    """
    flags = os.O_RDWR | os.O_CLOEXEC | os.O_NOFOLLOW | (os.O_CREAT if create else 0)
    while True:
        try:
            held = os.open(path, flags, 0o600)
        except FileNotFoundError:
            return None
        try:
            fcntl.flock(held, (fcntl.LOCK_EX if exclusive else fcntl.LOCK_SH) | fcntl.LOCK_NB)
            if _is_named(held, path):
                return held
        except BlockingIOError:
            os.close(held)
            return None
        except BaseException:
            os.close(held)
            raise
        os.close(held)


def _is_named(held: int, path: Path) -> bool:
    """Whether the file was not removed, or replaced, before it was locked."""
    try:
        found = path.stat(follow_symlinks=False)
    except FileNotFoundError:
        return False
    return os.path.samestat(os.fstat(held), found)
