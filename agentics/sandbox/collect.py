"""What a container left behind, taken out of its reach: by descriptor, no links, no special files, everything counted.

The tree belongs to somebody hostile. Its container has ended, but nothing here relies on that: every step opens
relative to a directory that is already open, and refuses to follow a link.
"""

from __future__ import annotations

import errno
import hashlib
import os
import stat
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal

from agentics.archive.tree import DIRECTORY_MODE, bad_name, file_mode, permit, shown_name

ViolationKind = Literal[
    "link",
    "special_file",
    "too_many_files",
    "too_many_dirs",
    "too_deep",
    "too_many_bytes",
    "bad_name",
    "reserved_name",
    "unreadable",
    "changed",
]
CHUNK = 1 << 20
_DEEPEST = 128
BROKEN_OFF = (errno.ENOTDIR, errno.ENOENT, errno.ELOOP, errno.ENXIO)
BOUNDLESS = 1 << 62
DIR = os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC
FILE = os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC
_NEW = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC


@dataclass(frozen=True, kw_only=True)
class Caps:
    """`dirs` counts the root, whose depth is 0. `bytes` counts apparent sizes, so a sparse file counts in full."""

    files: int = 8192
    dirs: int = 1024
    depth: int = 32
    bytes: int = 1 << 30


@dataclass(frozen=True, kw_only=True)
class CollectedFile:
    """`path` is relative, with slashes; `sha256` is hex."""

    path: str
    size: int
    sha256: str
    executable: bool


@dataclass(frozen=True, kw_only=True)
class Violation:
    """What the platform does not carry on. `detail` names no path of the host."""

    kind: ViolationKind
    detail: str


@dataclass(frozen=True, kw_only=True)
class Collected:
    """With a violation there are no files, and `dest` is an empty directory: half a tree would be a choice of ours."""

    files: tuple[CollectedFile, ...] = ()
    violation: Violation | None = None


class _Refused(Exception):
    def __init__(self, violation: Violation) -> None:
        super().__init__(violation.kind)
        self.violation = violation


def _refused(path: str, kind: ViolationKind, why: str) -> _Refused:
    return _Refused(Violation(kind=kind, detail=f"{shown_name(path)}: {why}"))


@dataclass
class _Count:
    caps: Caps
    reserved: frozenset[str]
    files: int = 0
    dirs: int = 1
    bytes: int = 0
    seen: list[CollectedFile] = field(default_factory=list)
    inodes: dict[tuple[int, int], str] = field(default_factory=dict)


def collect(source: Path, dest: Path, caps: Caps, *, reserved: frozenset[str] = frozenset()) -> Collected:
    """Copy the regular files and directories of `source` to `dest`, which must not exist yet or be empty.

    Files become 0644 (0755 where executable), directories 0755; digests are of what was copied. `reserved` names may
    not stand at the top. Raises OSError for trouble of the host's own.
    """
    dest.mkdir(mode=DIRECTORY_MODE, exist_ok=True)
    dest.chmod(DIRECTORY_MODE)
    count = _Count(caps, reserved)
    source_at, dest_at = os.open(source, DIR), os.open(dest, DIR)
    try:
        _walk(source_at, dest_at, "", 0, count)
    except _Refused as refused:
        _empty(dest_at)
        return Collected(violation=refused.violation)
    finally:
        os.close(source_at)
        os.close(dest_at)
    return Collected(files=tuple(sorted(count.seen, key=lambda file: file.path)))


def _walk(source: int, dest: int, prefix: str, depth: int, count: _Count) -> None:
    for name in _names(source, prefix, count):
        path = prefix + name
        _check_name(name, path, depth, count)
        mode = _mode(name, source, path)
        if stat.S_ISLNK(mode):
            raise _refused(path, "link", "a symbolic link")
        if stat.S_ISDIR(mode):
            _directory(source, dest, path, depth + 1, count)
        elif stat.S_ISREG(mode):
            _file(source, dest, path, count)
        else:
            raise _refused(path, "special_file", "neither a file nor a directory")


def _names(directory: int, prefix: str, count: _Count) -> list[str]:
    """Sorted, and never more than could be taken: a directory of millions is not read to its end."""
    most = count.caps.files + count.caps.dirs
    names = []
    with os.scandir(directory) as entries:
        for entry in entries:
            names.append(entry.name)
            if len(names) > most:
                raise _refused(prefix, "too_many_files", f"more than {count.caps.files} files")
    return sorted(names)


def _check_name(name: str, path: str, depth: int, count: _Count) -> None:
    if (why := bad_name(path)) is not None:
        raise _refused(path, "bad_name", f"a name {why}")
    if depth == 0 and name in count.reserved:
        raise _refused(path, "reserved_name", "a name that the platform uses itself")


def _directory(source: int, dest: int, path: str, depth: int, count: _Count) -> None:
    count.dirs += 1
    if count.dirs > count.caps.dirs:
        raise _refused(path, "too_many_dirs", f"more than {count.caps.dirs} directories")
    if depth > count.caps.depth:
        raise _refused(path, "too_deep", f"deeper than {count.caps.depth} directories")
    name = path.rpartition("/")[2]
    inner = _open(name, DIR, source, path)
    try:
        os.mkdir(name, DIRECTORY_MODE, dir_fd=dest)
        copy = os.open(name, DIR, dir_fd=dest)
        try:
            _walk(inner, copy, f"{path}/", depth, count)
            os.fchmod(copy, DIRECTORY_MODE)
        finally:
            os.close(copy)
    finally:
        os.close(inner)


def _file(source: int, dest: int, path: str, count: _Count) -> None:
    count.files += 1
    if count.files > count.caps.files:
        raise _refused(path, "too_many_files", f"more than {count.caps.files} files")
    name = path.rpartition("/")[2]
    descriptor = _open(name, FILE, source, path)
    try:
        found = os.fstat(descriptor)
        if not stat.S_ISREG(found.st_mode):
            raise _refused(path, "special_file", "not a regular file")
        _check_hard_link(found, path, count)
        if count.bytes + found.st_size > count.caps.bytes:
            raise _refused(path, "too_many_bytes", f"more than {count.caps.bytes} bytes in all")
        executable = bool(found.st_mode & 0o111)
        target = os.open(name, _NEW, 0o600, dir_fd=dest)
        try:
            size, digest = _copy(descriptor, target, count.caps.bytes - count.bytes, path)
            os.fchmod(target, file_mode(executable=executable))
        finally:
            os.close(target)
    finally:
        os.close(descriptor)
    count.bytes += size
    count.seen.append(CollectedFile(path=path, size=size, sha256=digest, executable=executable))


def _check_hard_link(found: os.stat_result, path: str, count: _Count) -> None:
    """Two names of one file inside the tree are two files to us. A name of a file outside of it is a way out."""
    if found.st_nlink > 1:
        first = count.inodes.setdefault((found.st_dev, found.st_ino), path)
        if first == path and found.st_nlink > count.caps.files:
            raise _refused(path, "link", "a file with too many names")


def _copy(source: int, target: int, most: int, path: str) -> tuple[int, str]:
    """Size and digest of what was copied. It may grow while we read: never beyond `most`."""
    digest, size = hashlib.sha256(), 0
    while data := os.read(source, CHUNK):
        size += len(data)
        if size > most:
            raise _refused(path, "too_many_bytes", "the file grew while it was read")
        digest.update(data)
        rest = memoryview(data)
        while rest:
            rest = rest[os.write(target, rest) :]
    return size, digest.hexdigest()


def _mode(name: str, at: int, path: str) -> int:
    try:
        return os.stat(name, dir_fd=at, follow_symlinks=False).st_mode
    except FileNotFoundError:
        raise _refused(path, "changed", "it went while the tree was read") from None


def _open(name: str, flags: int, at: int, path: str) -> int:
    try:
        return os.open(name, flags, dir_fd=at)
    except PermissionError:
        # Only where we are not root. Our own container made it, so its mode is the participant's doing.
        raise _refused(path, "unreadable", "cannot be read") from None
    except OSError as error:
        if error.errno not in BROKEN_OFF:
            raise
        raise _refused(path, "changed", "it became something else while the tree was read") from None


def _empty(directory: int) -> None:
    for name, is_dir in [(entry.name, entry.is_dir(follow_symlinks=False)) for entry in os.scandir(directory)]:
        if is_dir:
            inner = os.open(name, DIR, dir_fd=directory)
            try:
                _empty(inner)
            finally:
                os.close(inner)
            os.rmdir(name, dir_fd=directory)
        else:
            os.unlink(name, dir_fd=directory)


def usage(path: Path) -> tuple[int, int]:
    """Bytes and inodes below `path`, links not followed; a file counts its apparent or its allocated bytes, whichever
    is more. What vanishes while we look counts as nothing, a tree that is too deep to look at as `BOUNDLESS`."""
    size = inodes = 0
    for _, _, found, depth in _everything(path):
        if depth > _DEEPEST:
            return BOUNDLESS, BOUNDLESS
        inodes += 1
        if not stat.S_ISDIR(found.st_mode):
            size += max(found.st_size, found.st_blocks * 512)
    return size, inodes


def make_readable(path: Path) -> None:
    """Let everybody read the tree, and run what is executable, before it is mounted read-only.

    Owners may write, so that a copy that keeps the modes can be written to. Links are left alone.
    """
    for at, name, found, _ in _everything(path):
        is_directory, executable = stat.S_ISDIR(found.st_mode), bool(found.st_mode & 0o111)
        permit(at, name, found, DIRECTORY_MODE if is_directory else file_mode(executable=executable))


def make_writable(path: Path, *, uid: int | None = None) -> None:
    """Let the container's user write the tree before it is mounted so; `uid` becomes its owner where we are root."""
    for at, name, found, _ in _everything(path):
        if uid is not None and os.geteuid() == 0:
            os.chown(name, uid, uid, dir_fd=at, follow_symlinks=False)
        permit(at, name, found, 0o777 if stat.S_ISDIR(found.st_mode) else 0o666)


def _everything(path: Path) -> Iterator[tuple[int, str, os.stat_result, int]]:
    """The root (as ".") and all below it: directory descriptor, name, status, depth. A directory comes before what is
    in it, so that it can be made readable first; below the deepest level nothing comes."""
    root = os.open(path, DIR)
    stack: list[tuple[int, list[str], int]] = [(root, [], 0)]
    try:
        yield root, ".", os.fstat(root), 0
        stack[0][1].extend(_listed(root))
        while stack:
            at, names, depth = stack[-1]
            if not names:
                os.close(stack.pop()[0])
                continue
            name = names.pop()
            try:
                found = os.stat(name, dir_fd=at, follow_symlinks=False)
            except OSError:
                continue
            yield at, name, found, depth + 1
            if stat.S_ISDIR(found.st_mode) and depth < _DEEPEST:
                with suppress(OSError):
                    inner = os.open(name, DIR, dir_fd=at)
                    stack.append((inner, _listed(inner), depth + 1))
    finally:
        for at, _, _ in stack:
            os.close(at)


def _listed(directory: int) -> list[str]:
    with suppress(OSError), os.scandir(directory) as entries:
        return [entry.name for entry in entries]
    return []
