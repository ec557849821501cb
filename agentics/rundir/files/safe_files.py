"""The one way to the files of a run directory, which a stranger may have made: by descriptor, through no link.

A path is absolute and its directories down to the run's root are the real ones: `real` makes them so. So a link that is
met on the way lies in the run directory, and is refused. Only regular files of bounded size are read or written.
"""

from __future__ import annotations

import errno
import os
import stat
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from agentics.archive.hostile import DIR, walk
from agentics.archive.tree import shown_name
from agentics.errors import StorageError

DOCUMENT_BYTES = 64 << 20
"""The most bytes of a document."""
LEDGER_BYTES, LEDGER_LINES = 256 << 20, 1_000_000
"""The most bytes and lines of a ledger, and of other JSON lines."""
FILE_BYTES = 16 << 30
"""The most bytes of any file."""
DEPTH, ENTRIES = 96, 4_000_000
"""The deepest level and the most names of a run directory."""

_PIN = os.O_PATH | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC
_FILE = os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC
_HINT = "a run directory holds regular files and directories only, and no links; was it made by agentics?"
_UNCHECKED = ("benchmark/", "runtime/requests/")
"""What is below directories of the user's programs and of controllers. Its readers look at each name by itself."""


def real(path: Path) -> Path:
    """The absolute path without links, as every function here needs it."""
    return Path(os.path.realpath(path))


@contextmanager
def folder(path: Path, *, make: bool = False) -> Iterator[int]:
    """A descriptor of the directory; with `make`, it and its missing parents are made, each durable in its own parent.

    Raises FileNotFoundError and NotADirectoryError where there is none, StorageError (unsafe_file) at a link.
    """
    at = os.open(path.anchor or os.curdir, _PIN)
    try:
        for part in path.parts[1:] if path.anchor else path.parts:
            inner = _enter(at, part, path, make=make)
            os.close(at)
            at = inner
        listed = os.open(os.curdir, DIR, dir_fd=at)
    finally:
        os.close(at)
    try:
        yield listed
    finally:
        os.close(listed)


def open_file(path: Path, flags: int = os.O_RDONLY, *, limit: int = FILE_BYTES) -> int:
    """A descriptor of a regular file. Raises OSError, and StorageError (unsafe_file) for a link, for another file
    that is not regular, and for a file larger than `limit` bytes."""
    with folder(path.parent) as at:
        try:
            descriptor = os.open(path.name, flags | _FILE, 0o666, dir_fd=at)
        except OSError as error:
            if error.errno in (errno.ELOOP, errno.ENXIO, errno.EISDIR):
                raise unsafe(path, "no regular file") from error
            raise
    found = os.fstat(descriptor)
    if not stat.S_ISREG(found.st_mode) or found.st_size > limit:
        os.close(descriptor)
        raise unsafe(path, f"larger than {limit} bytes" if stat.S_ISREG(found.st_mode) else "no regular file")
    return descriptor


def read_file(path: Path, limit: int = DOCUMENT_BYTES) -> bytes:
    """The bytes of a regular file of at most `limit` bytes. Raises as `open_file` does."""
    with os.fdopen(open_file(path, limit=limit), "rb") as file:
        data = file.read(limit + 1)
    if len(data) > limit:
        raise unsafe(path, f"larger than {limit} bytes")
    return data


def read_lines(path: Path) -> bytes:
    """The bytes of JSON lines. Raises as `open_file` does, also where there are more lines than LEDGER_LINES."""
    data = read_file(path, LEDGER_BYTES)
    if data.count(b"\n") > LEDGER_LINES:
        raise unsafe(path, f"more than {LEDGER_LINES} lines")
    return data


def is_file(path: Path) -> bool:
    """Whether a regular file is there, reached through no link."""
    try:
        with folder(path.parent) as at:
            return stat.S_ISREG(os.stat(path.name, dir_fd=at, follow_symlinks=False).st_mode)
    except (OSError, StorageError):
        return False


def unlink(path: Path) -> None:
    """Remove a file, link or special file. A missing one is no error. Raises OSError."""
    with suppress(FileNotFoundError), folder(path.parent) as at:
        os.unlink(path.name, dir_fd=at)


def move(path: Path, to: Path) -> None:
    """Rename a file, durable in both directories. Raises OSError."""
    with folder(path.parent) as source, folder(to.parent) as target:
        os.rename(path.name, to.name, src_dir_fd=source, dst_dir_fd=target)
        os.fsync(source)
        os.fsync(target)


def check_tree(root: Path) -> None:
    """Raises StorageError (unsafe_file) where a run directory holds a link, or is deeper than DEPTH or larger than
    ENTRIES; nothing where there is no such directory.

    A special file is not reported here. It is refused when it is read: a user's program may leave one in a place that
    no command reads."""
    if not root.is_dir() or root.is_symlink():
        return
    try:
        for count, node in enumerate(walk(root), 1):
            if node.path.startswith(_UNCHECKED):
                continue
            place = root / shown_name(node.path)
            if stat.S_ISLNK(node.found.st_mode):
                raise unsafe(place, "a symbolic link")
            if node.is_directory and node.depth >= DEPTH:
                raise unsafe(place, f"deeper than {DEPTH} directories")
            if count > ENTRIES:
                raise unsafe(root, f"more than {ENTRIES} files and directories")
    except OSError as error:
        msg = f"{root}: cannot be read: {error.strerror or error}"
        raise StorageError(msg) from error


def unsafe(path: Path, what: str) -> StorageError:
    return StorageError(f"{path}: {what}", code="unsafe_file", hint=_HINT)


def _enter(at: int, name: str, path: Path, *, make: bool) -> int:
    try:
        return os.open(name, _PIN, dir_fd=at)
    except FileNotFoundError:
        if not make:
            raise
        with suppress(FileExistsError):
            os.mkdir(name, dir_fd=at)
        listed = os.open(os.curdir, DIR, dir_fd=at)
        try:
            os.fsync(listed)
        finally:
            os.close(listed)
        return os.open(name, _PIN, dir_fd=at)
    except NotADirectoryError as error:
        if stat.S_ISLNK(os.stat(name, dir_fd=at, follow_symlinks=False).st_mode):
            raise unsafe(path, f"{name!r} is a symbolic link") from error
        raise
