"""Walks and copies a directory that somebody else may be changing: by descriptor, never through a link.

Links and special files are reported, never followed or opened.
"""

from __future__ import annotations

import os
import stat
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal, NoReturn

from agentics.archive import hostile
from agentics.model.document.finding import Finding
from agentics.model.document.parsing import invalid

MAX_BYTES = 1 << 30
MAX_ENTRIES = 100_000
MAX_DEPTH = hostile.MAX_DEPTH
CHUNK = 1 << 20
DIRECTORY_MODE = 0o755
_NAME_BYTES = 255
_PATH_BYTES = 4096

EntryKind = Literal["file", "directory", "symlink", "special"]


@dataclass(frozen=True, kw_only=True)
class Entry:
    """`path` is relative to the walk's root, with '/'; `size` in bytes, 0 unless a file; `mode`: permissions."""

    path: str
    kind: EntryKind
    size: int
    mode: int


@contextmanager
def below(fd: int, name: str) -> Iterator[int]:
    """A descriptor of the directory `name` in the directory `fd`. Raises OSError when it is none, or a link."""
    inner = os.open(name, hostile.DIR, dir_fd=fd)
    try:
        yield inner
    finally:
        os.close(inner)


@contextmanager
def at(fd: int, path: str) -> Iterator[int]:
    """A descriptor of the directory at `path` below `fd`, which "" is itself. Raises OSError when it is none."""
    found = fd
    try:
        for name in path.split("/") if path else ():
            inner = os.open(name, hostile.DIR, dir_fd=found)
            if found != fd:
                os.close(found)
            found = inner
        yield found
    finally:
        if found != fd:
            os.close(found)


def open_regular(fd: int | None, name: str) -> int:
    """A descriptor to read the regular file `name` in the directory `fd`, or with None at a path. Raises OSError when
    it is anything else; a link counts as that."""
    inner = os.open(name, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC, dir_fd=fd)
    if not stat.S_ISREG(os.fstat(inner).st_mode):
        os.close(inner)
        msg = f"{name} is not a regular file"
        raise OSError(msg)
    return inner


def read_below(fd: int, path: str, limit: int) -> bytes:
    """At most `limit` bytes of the regular file at `path` below the directory `fd`. Raises OSError when it is none."""
    folder, _, name = path.rpartition("/")
    with at(fd, folder) as inner, open(open_regular(inner, name), "rb") as file:
        return file.read(limit)


def kind_at(fd: int, path: str) -> EntryKind | None:
    """What is at `path` below the directory `fd`, going through no link; None where there is nothing."""
    folder, _, name = path.rpartition("/")
    try:
        with at(fd, folder) as inner:
            return _entry(path, os.stat(name, dir_fd=inner, follow_symlinks=False)).kind
    except OSError:
        return None


def entries(fd: int, prefix: str = "") -> list[Entry]:
    """What is in the directory, sorted by name as bytes."""
    found = []
    for name in sorted(os.listdir(fd), key=os.fsencode):
        with suppress(FileNotFoundError):
            info = os.stat(name, dir_fd=fd, follow_symlinks=False)
            found.append(_entry(f"{prefix}{name}", info))
    return found


def walk(root: Path, *, skip: Callable[[str], bool] = lambda _: False) -> Iterator[Entry]:
    """Everything below `root`, directories before what is in them. What `skip` says of a path is left out.

    Raises InvalidDocument beyond MAX_ENTRIES and MAX_DEPTH, OSError when something cannot be read.
    """
    for count, node in enumerate(hostile.walk(root.resolve(), hostile.Manner(skip=skip)), 1):
        entry = _entry(node.path, node.found)
        if count > MAX_ENTRIES:
            refuse_tree(root, "tree_too_large", f"more than {MAX_ENTRIES} files and directories")
        yield entry
        if entry.kind == "directory" and node.depth + 1 >= MAX_DEPTH:
            refuse_too_deep(entry.path)


def name_of(entry: Entry) -> str:
    return entry.path.rpartition("/")[2]


def refuse_tree(where: Path, code: str, message: str) -> NoReturn:
    """Raises InvalidDocument."""
    raise invalid([Finding(code=code, message=message, file=str(where))])


def refuse_too_deep(path: str) -> NoReturn:
    """Raises InvalidDocument."""
    refuse_tree(Path(path[:80]), "tree_too_deep", f"directories nested deeper than {MAX_DEPTH}")


def link_finding(entry: Entry, file: str) -> Finding:
    """What is said of an entry that is neither file nor directory."""
    if entry.kind == "symlink":
        return Finding(
            code="symlink", message="symbolic links are not allowed", file=file, hint="copy what it points to"
        )
    return Finding(code="special_file", message="neither a file nor a directory", file=file)


@dataclass
class Copy:
    """A copy under way. `exclude` are paths relative to the source; what was wrong is in `findings`."""

    exclude: frozenset[str] = frozenset()
    findings: list[Finding] = field(default_factory=list)
    count: int = 0
    size: int = 0


def copy(source: Path, dest: Path, job: Copy) -> None:
    """Copy files and directories into the existing directory `dest`, each file exclusively.

    Files get `file_mode`, directories DIRECTORY_MODE. Links, special files and files that are there already become
    findings of `job`. Raises InvalidDocument beyond the caps, OSError when reading fails.
    """
    with hostile.opened(source) as here, hostile.opened(dest) as there:
        _copy(here, there, "", job, 0)


def _copy(here: int, there: int, prefix: str, job: Copy, depth: int) -> None:
    for entry in entries(here, prefix):
        if entry.path in job.exclude:
            continue
        job.count += 1
        if job.count > MAX_ENTRIES:
            refuse_tree(Path(entry.path), "tree_too_large", f"more than {MAX_ENTRIES} files and directories")
        if entry.kind == "directory":
            _copy_directory(here, there, entry, job, depth)
        elif entry.kind == "file":
            _copy_file(here, there, entry, job)
        else:
            job.findings.append(link_finding(entry, entry.path))


def _copy_directory(here: int, there: int, entry: Entry, job: Copy, depth: int) -> None:
    if depth + 1 >= MAX_DEPTH:
        refuse_too_deep(entry.path)
    name = name_of(entry)
    with suppress(FileExistsError):
        os.mkdir(name, DIRECTORY_MODE, dir_fd=there)
    try:
        with below(here, name) as inner, below(there, name) as target:
            os.fchmod(target, DIRECTORY_MODE)
            _copy(inner, target, f"{entry.path}/", job, depth + 1)
    except NotADirectoryError:
        job.findings.append(exists(entry.path))


def exists(path: str) -> Finding:
    hint = "give the file another name, or leave it out of the overlay"
    return Finding(code="file_exists", message="already there, and nothing may be overwritten", file=path, hint=hint)


def _copy_file(here: int, there: int, entry: Entry, job: Copy) -> None:
    name = name_of(entry)
    source = open_regular(here, name)
    try:
        flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC
        target = os.open(name, flags, 0o600, dir_fd=there)
    except FileExistsError:
        os.close(source)
        job.findings.append(exists(entry.path))
        return
    with open(source, "rb") as reader, open(target, "wb") as writer:  # noqa: PTH123  descriptors, not paths
        while chunk := reader.read(CHUNK):
            job.size += len(chunk)
            if job.size > MAX_BYTES:
                refuse_tree(Path(entry.path), "tree_too_large", f"more than {MAX_BYTES} bytes")
            writer.write(chunk)
        os.fchmod(target, file_mode(executable=bool(entry.mode & 0o111)))


def bad_name(path: str) -> str | None:
    """Why no platform can carry on the last name of a path, as an ending of "a name"; None where each can."""
    name = path.rpartition("/")[2]
    raw = os.fsencode(name)
    if len(raw) > _NAME_BYTES or len(os.fsencode(path)) > _PATH_BYTES:
        return "that is too long"
    try:
        raw.decode("utf-8")
    except UnicodeDecodeError:
        return "that is not UTF-8"
    if any(not character.isprintable() for character in name) or "\\" in name:
        return "with a control character or backslash"
    return None


def shown_name(path: str) -> str:
    """A path of a stranger in printable ASCII, at most 200 bytes of it."""
    return os.fsencode(path)[:200].decode("utf-8", "replace").encode("unicode_escape").decode() or "."


def file_mode(*, executable: bool) -> int:
    """The mode of a file that containers read. Its owner may write: mounts are read-only, and a program that copies the
    file together with its mode can write to the copy."""
    return 0o755 if executable else 0o644


def _entry(path: str, info: os.stat_result) -> Entry:
    mode = info.st_mode
    kind: EntryKind = "special"
    if stat.S_ISREG(mode):
        kind = "file"
    elif stat.S_ISDIR(mode):
        kind = "directory"
    elif stat.S_ISLNK(mode):
        kind = "symlink"
    return Entry(path=path, kind=kind, size=info.st_size if kind == "file" else 0, mode=stat.S_IMODE(mode))
