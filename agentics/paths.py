"""Paths that somebody gave, on the command line or in a file: what no path can be is refused, and the role is named.

`checked` looks at one before it is used; `translated` says the same of what the operating system refuses later.
"""

from __future__ import annotations

import errno
import os
import stat
from pathlib import Path
from typing import Literal

from agentics.errors import UsageError

PathUse = Literal["read", "file", "folder", "write", "name"]
"""`read`: a file or a directory. `file`: a file. `folder`: a directory that is made where it is missing, and written
into. `write`: a file that is made or replaced. `name`: only named, and read where it is needed."""

LONGEST_PART = 255
LONGEST = 4096
_SHOWN = 100
_WORDS = {
    errno.ENAMETOOLONG: f"from the root the path is longer than {LONGEST} bytes",
    errno.ENOTDIR: "a part of the path is no directory",
    errno.ELOOP: "the symbolic links go round in a circle",
    errno.EACCES: "permission denied",
    errno.EPERM: "permission denied",
    errno.EISDIR: "this is a directory",
    errno.EROFS: "the file system is read-only",
}


def checked(given: str | Path, role: str, use: PathUse = "read") -> Path:
    """The path, if it can be used so. `role`: what it is for, as `run directory` or `--plot`.

    A path at which nothing is passes: whoever needs it says so. Raises UsageError (bad_path) with the role for an empty
    text, a NUL, what is not UTF-8, what is too long, a way through a file or a circle of links, and what may not be
    read or written.
    """
    text = os.fspath(given)
    why = _fault(text)
    if why is not None:
        raise _bad(role, text, why)
    path = Path(text)
    try:
        found = _status(path)
        _check_use(path, found, use)
    except OSError as error:
        raise _refusal(role, text, error) from error
    return path


def translated(error: Exception) -> UsageError | None:
    """What the operating system refused of a path that cannot be used as it is; None for every other trouble."""
    if not isinstance(error, OSError):
        return None
    if error.errno == errno.ENOENT and error.filename is None:
        return _bad("the working directory", os.curdir, "it was removed")
    return _refusal("path", str(error.filename or ""), error) if error.errno in _WORDS else None


def _refusal(role: str, path: str, error: OSError) -> UsageError:
    return _bad(role, path, _WORDS.get(error.errno or 0) or error.strerror or str(error))


def _fault(text: str) -> str | None:
    """Why a text is no path, whatever is on the disk."""
    if not text:
        return "the path is empty"
    if "\0" in text:
        return "the path holds a NUL"
    try:
        data = text.encode()
    except UnicodeEncodeError:
        return "the path is not UTF-8"
    if len(data) > LONGEST:
        return f"the path is longer than {LONGEST} bytes"
    if any(len(part) > LONGEST_PART for part in data.split(b"/")):
        return f"a part of the path is longer than {LONGEST_PART} bytes"
    return None


def _status(path: Path) -> os.stat_result | None:
    try:
        # From the root: it is how the path is used later, and the longest form of it.
        return os.stat(os.path.abspath(path))  # noqa: PTH100, PTH116 - keeps links as they are
    except FileNotFoundError:
        return None


def _check_use(path: Path, found: os.stat_result | None, use: PathUse) -> None:
    """Raises OSError when what is there, or where it would be made, cannot be used so."""
    if use == "name":
        return
    if use in ("read", "file"):
        if found is not None:
            is_folder = stat.S_ISDIR(found.st_mode)
            if (stat.S_ISCHR(found.st_mode) or stat.S_ISBLK(found.st_mode)) and not path.samefile(os.devnull):
                raise OSError(errno.EINVAL, "this is a device, which may never end")
            if is_folder and use == "file":
                raise OSError(errno.EISDIR, None)
            _allowed(path, os.R_OK | (os.X_OK if is_folder else 0))
        return
    if found is None:
        path = _nearest(path)
        _check_use(path, path.stat(), "folder")
    elif use == "folder" and not stat.S_ISDIR(found.st_mode):
        raise OSError(errno.ENOTDIR, None)
    elif use == "write" and stat.S_ISDIR(found.st_mode):
        raise OSError(errno.EISDIR, None)
    else:
        _allowed(path, os.W_OK | (os.X_OK if use == "folder" else 0))


def _nearest(path: Path) -> Path:
    """The nearest directory above a path that exists. Raises OSError where the path is a symbolic link to nothing."""
    if path.is_symlink():
        raise OSError(errno.ENOENT, "a symbolic link to nothing")
    return next(place for place in Path(os.path.abspath(path)).parents if place.exists())  # noqa: PTH100 - keeps links


def _allowed(path: Path, how: int) -> None:
    if not os.access(path, how, effective_ids=os.access in os.supports_effective_ids):
        raise OSError(errno.EACCES, None)


def _bad(role: str, text: str, why: str) -> UsageError:
    return UsageError(f"{role} {_shown(text)}: {why}", code="bad_path")


def _shown(text: str) -> str:
    return repr(text) if len(text) <= _SHOWN else f"{text[:60]!r}… ({len(text.encode(errors='surrogatepass'))} bytes)"
