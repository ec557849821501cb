"""What a workspace holds, read from a tree that somebody hostile wrote: by descriptor, no link followed.

Memory, depth and the bytes that are read are bounded; what is beyond a bound is left out, and the snapshot says so.
"""

from __future__ import annotations

import base64
import errno
import hashlib
import heapq
import os
import stat
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path

from agentics.archive.hostile import DIR
from agentics.content import as_digest, sha256_of
from agentics.model.evidence.workspace import ChangeKind, UnreadReason, WorkspaceFile, WorkspaceSnapshot
from agentics.sandbox.collect import BROKEN_OFF, CHUNK, FILE

_NOTHING = sha256_of(b"")
_KINDS: dict[int, ChangeKind] = {
    stat.S_IFREG: "file",
    stat.S_IFLNK: "symlink",
    stat.S_IFDIR: "directory",
    stat.S_IFIFO: "fifo",
    stat.S_IFSOCK: "socket",
    stat.S_IFBLK: "block_device",
    stat.S_IFCHR: "char_device",
}


@dataclass(frozen=True, kw_only=True)
class Reach:
    """How far a snapshot goes: names looked at, directories below each other, bytes read. Sparse bytes are read too."""

    names: int = 1 << 16
    depth: int = 128
    bytes: int = 8 << 30


@dataclass
class _SnapshotWalk:
    reach: Reach
    names: int = 0
    bytes: int = 0
    truncated: bool = False
    seen: list[WorkspaceFile] = field(default_factory=list)
    digests: dict[tuple[int, int], tuple[str, int]] = field(default_factory=dict)
    buffer: bytearray = field(default_factory=lambda: bytearray(CHUNK))


def snapshot(root: Path, *, captured_at: str, reach: Reach | None = None) -> WorkspaceSnapshot:
    """The files below `root`, hidden ones included. Of one tree always the same, also where `reach` cuts it off.

    Raises OSError for trouble of the host's own, and when `root` is no directory.
    """
    walk = _SnapshotWalk(reach or Reach())
    for at, name, path in _entries(root, walk):
        if (file := _file(at, name, path, walk)) is not None:
            walk.seen.append(file)
    files = tuple(sorted(walk.seen, key=lambda file: file.path))
    return WorkspaceSnapshot(
        captured_at=captured_at,
        file_count=len(files),
        total_bytes=sum(file.size_bytes for file in files),
        files=files,
        truncated=walk.truncated,
    )


def _entries(root: Path, walk: _SnapshotWalk) -> Iterator[tuple[int, bytes, bytes]]:
    """Open directory, name and path of all that is not a directory which was read. The caller must not keep the
    descriptor. One descriptor is open for each level, and no more names are held than the walk may see."""
    stack: list[tuple[int, bytes, list[bytes]]] = []
    try:
        at = os.open(root, DIR)
        stack.append((at, b"", []))
        stack[0][2].extend(_listed(at, walk))
        while stack:
            at, prefix, names = stack[-1]
            if not names:
                os.close(stack.pop()[0])
                continue
            name = names.pop()
            inner = _directory(at, name)
            if inner is None:
                yield at, name, prefix + name
            elif len(stack) > walk.reach.depth:
                os.close(inner)
                walk.truncated = True
            else:
                stack.append((inner, prefix + name + b"/", []))
                stack[-1][2].extend(_listed(inner, walk))
    finally:
        for at, _, _ in stack:
            os.close(at)


def _listed(directory: int, walk: _SnapshotWalk) -> list[bytes]:
    """The first names, last one first. A directory of millions is read to its end, but never held."""
    room = walk.reach.names - walk.names
    with os.scandir(directory) as entries:
        names = heapq.nsmallest(room + 1, (os.fsencode(entry.name) for entry in entries))
    if len(names) > room:
        walk.truncated = True
        del names[room:]
    walk.names += len(names)
    return names[::-1]


def _directory(at: int, name: bytes) -> int | None:
    """A descriptor of it, if it is a directory that can be read."""
    with suppress(FileNotFoundError, PermissionError):
        if stat.S_ISDIR(os.stat(name, dir_fd=at, follow_symlinks=False).st_mode):
            return _open(at, name, DIR)
    return None


def _file(at: int, name: bytes, path: bytes, walk: _SnapshotWalk) -> WorkspaceFile | None:
    """None when it has gone meanwhile."""
    shown, raw = _shown(path)
    try:
        found = os.stat(name, dir_fd=at, follow_symlinks=False)
    except FileNotFoundError:
        return None
    except PermissionError:
        return WorkspaceFile(
            path=shown, digest=_NOTHING, size_bytes=0, mode="0000", kind="unknown", unread="unreadable", path_base64=raw
        )
    kind = _KINDS.get(stat.S_IFMT(found.st_mode), "unknown")
    target, digest, size = None, _NOTHING, 0
    unread: UnreadReason | None = None
    if kind == "symlink":
        link = _target(at, name)
        if link is None:
            return None
        target = link.decode("utf-8", "backslashreplace")
        digest, size = sha256_of(link), len(link)
    elif kind == "file":
        digest, size, unread = _content(at, name, found, walk)
    elif kind == "directory":
        unread = "unreadable"
    return WorkspaceFile(
        path=shown,
        digest=digest,
        size_bytes=size,
        mode=f"{stat.S_IMODE(found.st_mode):04o}",
        kind=kind,
        target=target,
        unread=unread,
        path_base64=raw,
    )


def _target(at: int, name: bytes) -> bytes | None:
    """None when the link has gone, or is no link any more."""
    with suppress(OSError):
        return os.readlink(name, dir_fd=at)
    return None


def _content(
    at: int, name: bytes, expected: os.stat_result, walk: _SnapshotWalk
) -> tuple[str, int, UnreadReason | None]:
    """Digest and size. One file under many names is read once."""
    if (known := walk.digests.get((expected.st_dev, expected.st_ino))) is not None:
        return *known, None
    descriptor = _open(at, name, FILE)
    if descriptor is None:
        return _NOTHING, 0, "unreadable"
    try:
        found = os.fstat(descriptor)
        if not stat.S_ISREG(found.st_mode):
            return _NOTHING, 0, "unreadable"
        if walk.bytes + found.st_size > walk.reach.bytes:
            walk.truncated = True
            return _NOTHING, 0, "too_much"
        digest, size = _read(descriptor, found.st_size, walk.buffer)
    finally:
        os.close(descriptor)
    walk.bytes += size
    if found.st_nlink > 1:
        walk.digests[found.st_dev, found.st_ino] = (digest, size)
    return digest, size, None


def _open(at: int, name: bytes, flags: int) -> int | None:
    """None when it may not be read, or has become something else."""
    try:
        return os.open(name, flags, dir_fd=at)
    except OSError as error:
        if error.errno in (errno.EACCES, errno.EPERM, *BROKEN_OFF):
            return None
        raise


def _read(descriptor: int, size: int, buffer: bytearray) -> tuple[str, int]:
    """What it held when it was opened: one that grows under our hands does not keep us."""
    digest, left, window = hashlib.sha256(), size, memoryview(buffer)
    while left and (got := os.readv(descriptor, [window[: min(left, len(buffer))]])):
        digest.update(window[:got])
        left -= got
    return as_digest(digest.hexdigest()), size - left


def _shown(path: bytes) -> tuple[str, str | None]:
    """A path as text, and its bytes in base64 where they are not UTF-8."""
    try:
        return path.decode("utf-8"), None
    except UnicodeDecodeError:
        escaped = path.replace(b"\\", b"\\\\").decode("utf-8", "backslashreplace")
        return f"./{escaped}", base64.b64encode(path).decode("ascii")
