"""What a container left behind, taken out of its reach: by descriptor, no links, no special files, everything counted.

The tree belongs to somebody hostile. Its container has ended, but nothing here relies on that: every step opens
relative to a directory that is already open, and refuses to follow a link.
"""

from __future__ import annotations

import errno
import hashlib
import os
import stat
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal

from agentics.archive.hostile import DIR, ENTER, MAX_DEPTH, Manner, empty, open_ours, permit, reopen, walk
from agentics.archive.tree import DIRECTORY_MODE, bad_name, file_mode, shown_name

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
BROKEN_OFF = (errno.ENOTDIR, errno.ENOENT, errno.ELOOP, errno.ENXIO)
BOUNDLESS = 1 << 62
FILE = os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC
_OURS = Manner(lenient=True, reopen=True)
_NEW = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC


@dataclass(frozen=True, kw_only=True)
class Caps:
    """`dirs` counts the root, whose depth is 0. `bytes` counts apparent sizes, so a sparse file counts in full.
    `name_bytes`: of the paths of all files."""

    files: int = 8192
    dirs: int = 1024
    depth: int = 32
    bytes: int = 1 << 30
    name_bytes: int = BOUNDLESS


@dataclass(frozen=True, kw_only=True)
class CollectedFile:
    """`path` is relative, with slashes; `sha256` is hex."""

    path: str
    size: int
    sha256: str
    executable: bool


@dataclass(frozen=True, kw_only=True)
class CollectViolation:
    """What the platform does not carry on. `detail` names no path of the host."""

    kind: ViolationKind
    detail: str


@dataclass(frozen=True, kw_only=True)
class Collected:
    """With a violation there are no files, and `dest` is an empty directory: half a tree would be a choice of ours."""

    files: tuple[CollectedFile, ...] = ()
    violation: CollectViolation | None = None


class _RefusedFile(Exception):
    def __init__(self, violation: CollectViolation) -> None:
        super().__init__(violation.kind)
        self.violation = violation


def _refused(path: str, kind: ViolationKind, why: str) -> _RefusedFile:
    return _RefusedFile(CollectViolation(kind=kind, detail=f"{shown_name(path)}: {why}"))


@dataclass
class _Count:
    caps: Caps
    reserved: frozenset[str]
    files: int = 0
    dirs: int = 1
    bytes: int = 0
    name_bytes: int = 0
    seen: list[CollectedFile] = field(default_factory=list)
    inodes: dict[tuple[int, int], str] = field(default_factory=dict)


def collect(source: Path, dest: Path, caps: Caps, *, reserved: frozenset[str] = frozenset()) -> Collected:
    """Copy the regular files and directories of `source` to `dest`, which must not exist yet or be empty.

    Files become 0644 (0755 where executable), directories 0755; digests are of what was copied. `reserved` names may
    not stand at the top. What its own modes would keep from us gets permissions for its owner in `source`. Raises
    OSError for trouble of the host's own.
    """
    dest.mkdir(mode=DIRECTORY_MODE, exist_ok=True)
    dest.chmod(DIRECTORY_MODE)
    count = _Count(caps, reserved)
    reopen(source)
    source_at, dest_at = os.open(source, DIR), os.open(dest, DIR)
    try:
        _walk(source_at, dest_at, "", 0, count)
    except _RefusedFile as refused:
        empty(dest_at)
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
    count.name_bytes += len(os.fsencode(path))
    if count.name_bytes > count.caps.name_bytes:
        raise _refused(path, "too_many_bytes", f"paths of more than {count.caps.name_bytes} bytes in all")
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
    wanted = ENTER if flags == DIR else stat.S_IRUSR
    try:
        # Its mode is the participant's doing. It keeps us out only where we are not root, and own it.
        return open_ours(at, name, flags, wanted)
    except PermissionError:
        raise _refused(path, "unreadable", "cannot be read") from None
    except OSError as error:
        if error.errno not in BROKEN_OFF:
            raise
        raise _refused(path, "changed", "it became something else while the tree was read") from None


def usage(path: Path) -> tuple[int, int]:
    """Bytes and inodes below `path`, links not followed; a file counts its apparent or its allocated bytes, whichever
    is more. What vanishes while we look counts as nothing, a tree that is too deep to look at as `BOUNDLESS`."""
    size, inodes = 0, 1
    for node in walk(path, _OURS):
        if node.is_directory and node.depth + 1 >= MAX_DEPTH:
            return BOUNDLESS, BOUNDLESS
        inodes += 1
        if not node.is_directory:
            size += max(node.found.st_size, node.found.st_blocks * 512)
    return size, inodes


def make_readable(path: Path) -> None:
    """Let everybody read the tree, and run what is executable, before it is mounted read-only.

    Owners may write, so that a copy that keeps the modes can be written to. Links are left alone.
    """
    reopen(path, DIRECTORY_MODE)
    for node in walk(path, _OURS):
        executable = bool(node.found.st_mode & 0o111)
        permit(
            node.at, node.name, node.found, DIRECTORY_MODE if node.is_directory else file_mode(executable=executable)
        )


def make_writable(path: Path, *, uid: int | None = None) -> None:
    """Let the container's user write the tree before it is mounted so; `uid` becomes its owner where we are root."""
    owner = uid if uid is not None and os.geteuid() == 0 else -1
    if owner >= 0:
        os.chown(path, owner, owner, follow_symlinks=False)
    reopen(path, 0o777)
    for node in walk(path, _OURS):
        if owner >= 0:
            os.chown(node.name, owner, owner, dir_fd=node.at, follow_symlinks=False)
        permit(node.at, node.name, node.found, 0o777 if node.is_directory else 0o666)
