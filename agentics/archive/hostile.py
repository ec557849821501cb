"""Walks and removes trees that somebody hostile made: iterative, by descriptor, through no link.

A walk holds two descriptors and goes to a bounded depth. A removal holds a few descriptors, and the names of one batch,
however deep and however full the tree is.
"""

from __future__ import annotations

import errno
import os
import secrets
import stat
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from itertools import islice
from pathlib import Path

MAX_DEPTH = 128
"""Directories below each other that a walk enters, the root not counted."""
ENTER = stat.S_IRUSR | stat.S_IXUSR
"""The permissions that reading a directory needs."""
DIR = os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC
_PIN = getattr(os, "O_PATH", os.O_RDONLY) | os.O_NOFOLLOW | os.O_CLOEXEC
_BATCH = 4096


@dataclass(frozen=True, kw_only=True, slots=True)
class Node:
    """One entry of a walk. `at`: a descriptor of the directory that it is in, open until the next entry is asked for.
    `path`: relative to the root, with '/'. `depth`: directories between it and the root; 0 for what is in the root."""

    at: int
    name: str
    path: str
    found: os.stat_result
    depth: int

    @property
    def is_directory(self) -> bool:
        return stat.S_ISDIR(self.found.st_mode)


@dataclass(frozen=True, kw_only=True)
class Manner:
    """How a walk goes. `lenient`: what cannot be read is left out; otherwise it is an OSError. `reopen`: a directory of
    ours that its mode keeps us out of gets ENTER first. `whole`: a directory that is too deep to be entered
    is an OSError. `skip`: paths that are left out, with all below them."""

    lenient: bool = False
    reopen: bool = False
    whole: bool = False
    skip: Callable[[str], bool] = lambda _: False


@dataclass(kw_only=True, slots=True)
class _Level:
    """A directory between the root and where the walk is. `names`: what is still to be visited, last one first."""

    key: tuple[int, int]
    name: str
    prefix: str
    names: list[str]


def walk(root: Path, manner: Manner | None = None) -> Iterator[Node]:
    """Everything below `root`, a directory before what is in it, names in the order of their bytes.

    A directory at the depth MAX_DEPTH is yielded, and not entered. Raises OSError unless the manner is lenient.
    """
    manner = manner or Manner()
    try:
        top = _open_root(root, manner)
    except OSError:
        if manner.lenient:
            return
        raise
    walking = _Walk(top, manner)
    try:
        yield from walking.nodes()
    finally:
        walking.close()


class _Walk:
    """The state of one walk. The root stays open; of all other directories only the one at hand is."""

    def __init__(self, top: int, manner: Manner) -> None:
        self._top = self._at = top
        self._manner = manner
        self._levels = [_Level(key=_key(os.fstat(top)), name="", prefix="", names=[])]

    def close(self) -> None:
        self._leave()
        os.close(self._top)

    def nodes(self) -> Iterator[Node]:
        self._list()
        while self._levels:
            level = self._levels[-1]
            if not level.names:
                self._ascend()
                continue
            name = level.names.pop()
            path = f"{level.prefix}{name}"
            if self._manner.skip(path):
                continue
            try:
                found = os.stat(name, dir_fd=self._at, follow_symlinks=False)
            except OSError as error:
                if not self._manner.lenient and not isinstance(error, FileNotFoundError):
                    raise
                continue
            depth = len(self._levels) - 1
            yield Node(at=self._at, name=name, path=path, found=found, depth=depth)
            if stat.S_ISDIR(found.st_mode):
                self._descend(name, f"{path}/", depth)

    def _descend(self, name: str, prefix: str, depth: int) -> None:
        if depth >= MAX_DEPTH:
            if self._manner.whole:
                raise OSError(errno.ELOOP, f"directories nested deeper than {MAX_DEPTH}", prefix[:80])
            return
        try:
            inner = open_ours(self._at, name, DIR, ENTER if self._manner.reopen else 0)
        except OSError as error:
            if not self._manner.lenient and not isinstance(error, FileNotFoundError):
                raise
            return
        self._leave()
        self._at = inner
        self._levels.append(_Level(key=_key(os.fstat(inner)), name=name, prefix=prefix, names=[]))
        self._list()

    def _list(self) -> None:
        try:
            names = os.listdir(self._at)  # noqa: PTH208  a descriptor, not a path
        except OSError:
            if not self._manner.lenient:
                raise
            return
        self._levels[-1].names = sorted(names, key=os.fsencode, reverse=True)

    def _ascend(self) -> None:
        """Go to the directory above: through `..` where that is still the one that we came from."""
        self._levels.pop()
        if not self._levels:
            return
        above = -1
        if len(self._levels) > 1:
            with suppress(OSError):
                above = os.open("..", DIR, dir_fd=self._at)
        self._leave()
        if above >= 0 and _key(os.fstat(above)) == self._levels[-1].key:
            self._at = above
            return
        if above >= 0:
            os.close(above)
        self._return()

    def _return(self) -> None:
        """Go down again from the root by the names that we know. Where one is another directory now, what was still to
        be visited below it has gone."""
        for index, level in enumerate(self._levels[1:], 1):
            try:
                inner = os.open(level.name, DIR, dir_fd=self._at)
            except OSError:
                del self._levels[index:]
                return
            if _key(os.fstat(inner)) != level.key:
                os.close(inner)
                del self._levels[index:]
                return
            self._leave()
            self._at = inner

    def _leave(self) -> None:
        if self._at != self._top:
            os.close(self._at)
            self._at = self._top


def remove(path: Path) -> None:
    """Remove whatever is at `path`, links unfollowed, modes of directories overcome; nothing where nothing is.

    Removes all that can be removed, and then raises the OSError of the first entry that cannot.
    """
    with suppress(FileNotFoundError), opened(path.parent) as parent:
        remove_at(parent, path.name)


def remove_at(at: int, name: str) -> None:
    """As `remove`, of `name` in the directory `at`. Raises FileNotFoundError where there is nothing.

    A tree may be deeper than a path is long, or than descriptors are there. So every directory is moved up to the top
    of the tree before it is emptied.
    """
    if not stat.S_ISDIR(os.stat(name, dir_fd=at, follow_symlinks=False).st_mode):
        os.unlink(name, dir_fd=at)
        return
    top = open_ours(at, name, DIR, stat.S_IRWXU)
    try:
        empty(top)
    finally:
        os.close(top)
    os.rmdir(name, dir_fd=at)


def empty(directory: int) -> None:
    """As `remove`, of everything in the directory of this descriptor."""
    _clear(directory, lambda name: _take(directory, name))


def discard(path: Path) -> None:
    """Remove what is at `path` as far as that is possible."""
    with suppress(OSError):
        remove(path)


def permit(at: int, name: str, found: os.stat_result, wanted: int) -> None:
    """Add permissions to a file or directory; nothing else has any that matter, and setuid never survives."""
    mode = stat.S_IMODE(found.st_mode)
    if not (stat.S_ISDIR(found.st_mode) or stat.S_ISREG(found.st_mode)) or mode == (mode | wanted) & 0o777:
        return
    # chmod follows links, and an ordinary open needs permissions that are not there yet.
    pinned = os.open(name, _PIN, dir_fd=at)
    try:
        if stat.S_IFMT(os.fstat(pinned).st_mode) == stat.S_IFMT(found.st_mode):
            Path(f"/proc/self/fd/{pinned}").chmod((mode | wanted) & 0o777)
    finally:
        os.close(pinned)


def reopen(directory: Path, wanted: int = stat.S_IRWXU) -> None:
    """Add permissions to a directory, whatever permissions it was left with: without `wanted`, its owner's to read and
    write it. Raises OSError."""
    with opened(directory.parent) as parent:
        permit(parent, directory.name, os.stat(directory.name, dir_fd=parent, follow_symlinks=False), wanted)


def open_ours(at: int, name: str, flags: int, wanted: int) -> int:
    """Open a file or directory. Where we are not root, and it is ours, it first gets the permissions `wanted` that it
    lacks. Raises OSError, PermissionError where its mode keeps us out all the same."""
    found = os.stat(name, dir_fd=at, follow_symlinks=False)
    if os.geteuid() != 0 and stat.S_IMODE(found.st_mode) & wanted != wanted:
        with suppress(PermissionError):
            permit(at, name, found, wanted)
    return os.open(name, flags, dir_fd=at)


def _open_root(root: Path, manner: Manner) -> int:
    if not manner.reopen:
        return os.open(root, DIR)
    with opened(root.parent) as parent:
        return open_ours(parent, root.name, DIR, ENTER)


@contextmanager
def opened(directory: Path) -> Iterator[int]:
    """A descriptor of a directory that agentics or its user names; links on the way are followed. Raises OSError."""
    descriptor = os.open(directory, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        yield descriptor
    finally:
        os.close(descriptor)


def _take(top: int, name: str) -> None:
    """Remove an entry of the tree's top, whose own directories move to the top."""
    if not stat.S_ISDIR(os.stat(name, dir_fd=top, follow_symlinks=False).st_mode):
        os.unlink(name, dir_fd=top)
        return
    inner = open_ours(top, name, DIR, stat.S_IRWXU)
    try:
        _clear(inner, lambda child: _lift(inner, child, top))
    finally:
        os.close(inner)
    os.rmdir(name, dir_fd=top)


def _lift(at: int, name: str, top: int) -> None:
    found = os.stat(name, dir_fd=at, follow_symlinks=False)
    if not stat.S_ISDIR(found.st_mode):
        os.unlink(name, dir_fd=at)
        return
    with suppress(OSError):
        permit(at, name, found, stat.S_IRWXU)  # a directory that moves is written to
    os.rename(name, secrets.token_hex(16), src_dir_fd=at, dst_dir_fd=top)


def _clear(directory: int, take: Callable[[str], None]) -> None:
    """Take every name that is in the directory, also those that come meanwhile. Raises the first OSError at the end.

    File systems do not say what a listing holds of a directory that changes: so it is listed again and again.
    """
    first: OSError | None = None
    stuck: set[str] = set()
    while len(stuck) <= _BATCH:
        with os.scandir(directory) as entries:
            names = [*islice((entry.name for entry in entries if entry.name not in stuck), _BATCH)]
        if not names:
            break
        for name in names:
            try:
                take(name)
            except OSError as error:
                stuck.add(name)
                if not isinstance(error, FileNotFoundError):
                    first = first or error
    if first is not None:
        raise first


def _key(found: os.stat_result) -> tuple[int, int]:
    return found.st_dev, found.st_ino
