"""Reads one file that a container left: no link on the way, a regular file, of bounded size."""

from __future__ import annotations

import os
import stat
from pathlib import Path
from typing import Literal

RegularFileProblem = Literal["missing", "not a regular file", "too large"]
_LOOK = os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC


def read_regular(root: Path, relpath: str, max_bytes: int) -> bytes | RegularFileProblem:
    """The bytes, or why there are none. A link at any component counts as "not a regular file"."""
    try:
        descriptor = _open(root, relpath)
    except (FileNotFoundError, NotADirectoryError):
        return "missing"
    except OSError:  # ELOOP: a link; ENXIO, EPERM: a special file
        return "not a regular file"
    # Before anything is made of it: a directory cannot even become a file object.
    if not stat.S_ISREG(os.fstat(descriptor).st_mode):
        os.close(descriptor)
        return "not a regular file"
    with os.fdopen(descriptor, "rb") as file:
        data = file.read(max_bytes + 1)
    return "too large" if len(data) > max_bytes else data


def read_part(root: Path, relpath: str, max_bytes: int, *, end: bool) -> tuple[int, bytes] | None:
    """The size of a file and at most so many bytes of its start, or of its `end`; None where `read_regular` would find
    nothing."""
    try:
        descriptor = _open(root, relpath)
    except OSError:
        return None
    found = os.fstat(descriptor)
    if not stat.S_ISREG(found.st_mode):
        os.close(descriptor)
        return None
    with os.fdopen(descriptor, "rb") as file:
        file.seek(max(0, found.st_size - max_bytes) if end else 0)
        return found.st_size, file.read(max_bytes)


def _open(root: Path, relpath: str) -> int:
    *folders, last = relpath.split("/")
    at = os.open(root, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        for folder in folders:
            inner = os.open(folder, _LOOK | os.O_DIRECTORY, dir_fd=at)
            os.close(at)
            at = inner
        return os.open(last, _LOOK, dir_fd=at)
    finally:
        os.close(at)
