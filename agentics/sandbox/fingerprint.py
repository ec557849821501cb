"""Whether a directory tree is still what it was: by its inodes, in milliseconds, or by every byte.

Names may be any bytes. Links are not followed. Both digests are the same for the same tree, in whatever order the file
system lists it.
"""

from __future__ import annotations

import hashlib
import os
import stat
from collections.abc import Iterator
from pathlib import Path
from typing import Protocol

from agentics.archive.hostile import Manner, walk
from agentics.content import as_digest

_BLOCK = 1 << 18
_ZEROS = bytes(_BLOCK)
_FILE = os.O_RDONLY | os.O_NOFOLLOW | os.O_CLOEXEC
_Entry = tuple[int, bytes, bytes, os.stat_result]
"""Open directory, name, path relative to the root, status."""


class _Digest(Protocol):
    def update(self, data: bytes, /) -> None: ...


def listing(root: Path) -> str:
    """`sha256:<hex>` over names, kinds, modes, owners, sizes, inode numbers and times, those of inode changes included.

    No content is read, but whoever changes content or metadata changes a time that cannot be set back. The root itself
    counts without its own inode times: it may be renamed. Raises OSError.
    """
    digest = hashlib.sha256()
    for at, name, path, found in _entries(root):
        facts = [found.st_mode, found.st_uid, found.st_gid, found.st_size, found.st_mtime_ns, found.st_nlink]
        if path:
            facts += [found.st_ino, found.st_ctime_ns]
        _take(digest, path, facts)
        if stat.S_ISLNK(found.st_mode):
            _take(digest, os.readlink(name, dir_fd=at), ())
    return as_digest(digest.hexdigest())


def content(root: Path, *, times: bool = True) -> str:
    """`sha256:<hex>` over names, kinds, modes, owners, bytes, link targets and hard links; with `times`, also when each
    was modified. Holes count as zeros and are not read. Raises OSError."""
    digest = hashlib.sha256()
    first_name: dict[tuple[int, int], bytes] = {}
    for at, name, path, found in _entries(root):
        is_file = stat.S_ISREG(found.st_mode)
        facts = [found.st_mode, found.st_uid, found.st_gid, found.st_size if is_file else 0]
        _take(digest, path, [*facts, found.st_mtime_ns] if times else facts)
        if stat.S_ISLNK(found.st_mode):
            _take(digest, os.readlink(name, dir_fd=at), ())
        elif is_file:
            known = first_name.setdefault((found.st_dev, found.st_ino), path)
            _take(digest, known, ())
            if known == path:
                _read(digest, at, name)
    return as_digest(digest.hexdigest())


def allocated(root: Path) -> int:
    """The bytes that the tree takes on the disk; a file with several names counts once. Raises OSError."""
    blocks = {(found.st_dev, found.st_ino): found.st_blocks for _, _, _, found in _entries(root)}
    return 512 * sum(blocks.values())


def _entries(root: Path) -> Iterator[_Entry]:
    """The root, whose path is empty, and all below it. What is in a directory comes in the order of its names."""
    top = os.fsencode(root)
    yield -1, top, b"", os.stat(top, follow_symlinks=False)  # noqa: PTH116 - a path of bytes
    for node in walk(root, Manner(whole=True)):
        yield node.at, os.fsencode(node.name), os.fsencode(node.path), node.found


def _take(digest: _Digest, text: bytes, facts: list[int] | tuple[()]) -> None:
    """Lengths come first, so that two entries never look like another two."""
    numbers = b" ".join(b"%d" % fact for fact in facts)
    digest.update(b"%d %d\n" % (len(text), len(numbers)))
    digest.update(text)
    digest.update(numbers)


def _read(digest: _Digest, at: int, name: bytes) -> None:
    """Each block that is not all zeros, with its place: where the holes are changes nothing."""
    descriptor = os.open(name, _FILE, dir_fd=at)
    try:
        place = 0
        while (place := _next_data(descriptor, place)) >= 0:
            place -= place % _BLOCK
            block = os.pread(descriptor, _BLOCK, place)
            if not block:
                return
            if block != _ZEROS[: len(block)]:
                digest.update(b"%d %d\n" % (place, len(block)))
                digest.update(block)
            place += len(block)
    finally:
        os.close(descriptor)


def _next_data(descriptor: int, place: int) -> int:
    """Where the next byte that is no hole is; -1 at the end."""
    try:
        return os.lseek(descriptor, place, os.SEEK_DATA)
    except OSError:  # ENXIO: only a hole is left
        return -1
