"""Directories on the host that containers see: opaque names, bounded in bytes and inodes while they are written to.

A `Scratch` belongs to one process, which holds a lock on it; a later process recognises a dead one's and clears it.
"""

from __future__ import annotations

import errno
import logging
import os
import re
import secrets
import subprocess
import threading
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Literal, Self

from agentics.archive.hostile import discard, remove
from agentics.errors import StorageError
from agentics.sandbox import mounting
from agentics.sandbox.filelock import try_lock

PlaceKind = Literal["loop", "tmpfs", "directory"]
PlaceForm = Literal["image", "tree"]
"""How the content of a place outlives it: as the image of its file system, or as a plain tree."""
IMAGE = "image"
_LOCK = ".lock"
_ASIDE = "set-aside-"
_NAME = re.compile(r"[0-9a-f]{16}")
_INNER = "d"  # beside lost+found, so that the container never sees that
_INODE_BYTES = 256
_SPACING = 16_384  # one inode for so many bytes, as file systems usually have it
_FEWEST, _MOST = 16_384, 262_144
_ROOM = 4 << 20
_PROBE_BYTES = 1 << 20


_log = logging.getLogger(__name__)


@dataclass(frozen=True, kw_only=True)
class Place:
    """A writable directory. `directory` places are bounded by nobody but whoever watches them."""

    path: Path
    kind: PlaceKind
    limit_bytes: int
    inodes: int


class Scratch:
    """A context manager; thread-safe inside. `path` is its own directory, which nobody else on the host can enter."""

    def __init__(self, root: Path, kind: Literal["auto"] | PlaceKind = "auto") -> None:
        self._root = root
        self._wanted = kind
        self._kind: PlaceKind | None = None
        self._lock = threading.RLock()
        self._templates: dict[tuple[int, int], Path] = {}
        self._held = -1
        self.path = root / secrets.token_hex(8)

    def __enter__(self) -> Self:
        try:
            self._root.mkdir(parents=True, exist_ok=True)
            while (held := try_lock(self._lock_file, exclusive=True, create=True)) is None:
                # A reaper took the lock between our making and our locking of the file, and removes it.
                self.path = self._root / secrets.token_hex(8)
            try:
                self.path.mkdir(mode=0o700)
            except OSError:
                _give_up(self._lock_file, held)
                raise
        except OSError as error:
            msg = f"scratch space cannot be made in {self._root}: {error.strerror}"
            raise StorageError(msg, hint="name another scratch directory") from error
        self._held = held
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        _give_up(self._lock_file, self._held)

    @property
    def _lock_file(self) -> Path:
        return self.path.with_suffix(_LOCK)

    @property
    def kind(self) -> PlaceKind:
        """How places are bounded here: tried once, the first time it is asked."""
        with self._lock:
            if self._kind is None:
                self._kind = self._first_that_works() if self._wanted == "auto" else self._wanted
            return self._kind

    def plain(self) -> Path:
        """A directory that only we write to."""
        path = self._fresh()
        path.mkdir()
        return path

    def bounded(self, limit_bytes: int, *, uid: int | None = None) -> Place:
        """A directory that holds at least `limit_bytes` and hardly more. Raises StorageError when there is none."""
        kind = self.kind
        inodes = inodes_for(limit_bytes)
        try:
            path = self._make(kind, limit_bytes, inodes)
            if uid is not None and os.geteuid() == 0:
                os.chown(path, uid, uid)
            path.chmod(0o777)
        except (OSError, subprocess.SubprocessError) as error:
            msg = f"a place of {limit_bytes} bytes ({kind}) cannot be made: {error}"
            raise StorageError(msg, hint="choose another kind of place: loop, tmpfs, directory") from error
        return Place(path=path, kind=kind, limit_bytes=limit_bytes, inodes=inodes)

    def release(self, place: Place) -> None:
        """Give the place back, with what is in it. Idempotent."""
        top = place.path.parent if place.kind == "loop" else place.path
        if place.kind != "directory":
            with suppress(OSError):
                mounting.unmount(top)
            with suppress(OSError):
                top.rmdir()
            top.with_suffix(".img").unlink(missing_ok=True)
        else:
            discard(top)  # what is left is set aside together with the scratch directory

    def hand_over(self, place: Place, dest: Path) -> PlaceForm:
        """Move what the place holds to `dest`, which must not exist yet, on the file system of this scratch directory.
        Raises OSError; then the place is as it was, but may be read-only.

        The image of a loop place becomes the only file of `dest`. The place itself stays, and nobody can write to it
        from then on. Of any other place `dest` becomes the tree; owners, modes, times, links and holes are kept.
        """
        if place.kind == "loop":
            top = place.path.parent
            # What the container removed again should cost nothing, where the host's file system can punch holes.
            with suppress(OSError):
                mounting.trim(top)
            mounting.make_read_only(top)
            dest.mkdir()
            top.with_suffix(".img").rename(dest / IMAGE)
            return "image"
        if place.kind == "directory":
            place.path.rename(dest)
        else:
            _copy_tree(place.path, dest)
        return "tree"

    def mounted(self, image: Path) -> Place:
        """What a loop place held, from its image, read-only. Raises OSError."""
        path = self._fresh()
        path.mkdir()
        try:
            mounting.mount_loop(image, path, "ext4", "", read_only=True)
        except BaseException:
            path.rmdir()
            raise
        return Place(path=path / _INNER, kind="loop", limit_bytes=0, inodes=0)

    def _fresh(self) -> Path:
        return self.path / secrets.token_hex(8)

    def _first_that_works(self) -> PlaceKind:
        if os.geteuid() != 0:
            return "directory"
        candidates: tuple[PlaceKind, ...] = ("loop", "tmpfs")
        for kind in candidates:
            with suppress(OSError, subprocess.SubprocessError):
                path = self._make(kind, _PROBE_BYTES, inodes_for(_PROBE_BYTES))
                (path / "probe").write_bytes(b"works")
                self.release(Place(path=path, kind=kind, limit_bytes=_PROBE_BYTES, inodes=0))
                return kind
        return "directory"

    def _make(self, kind: PlaceKind, limit_bytes: int, inodes: int) -> Path:
        path = self._fresh()
        path.mkdir()
        makers: dict[PlaceKind, Callable[[Path, int, int], Path]] = {"loop": self._loop, "tmpfs": _tmpfs}
        try:
            return makers[kind](path, limit_bytes, inodes) if kind in makers else path
        except BaseException:
            path.with_suffix(".img").unlink(missing_ok=True)
            with suppress(OSError):
                path.rmdir()
            raise

    def _loop(self, path: Path, limit_bytes: int, inodes: int) -> Path:
        image = path.with_suffix(".img")
        _copy_sparse(self._template(limit_bytes, inodes), image)
        mounting.mount_loop(image, path, "ext4", "noinit_itable,errors=remount-ro,nodiscard")
        inner = path / _INNER
        inner.mkdir()
        return inner

    def _template(self, limit_bytes: int, inodes: int) -> Path:
        """An empty file system of that size, made once; each place is a copy of the little that is written in it."""
        with self._lock:
            known = self._templates.get((limit_bytes, inodes))
            if known is None:
                known = self._fresh().with_suffix(".new")
                _format(known, limit_bytes, inodes)
                self._templates[limit_bytes, inodes] = known
            return known


def reap(root: Path) -> int:
    """Clear what dead processes left below `root`; how many there were. What cannot be removed is set aside."""
    count = 0
    for lock in _locks(root):
        held = _if_dead(lock)
        if held is not None:
            # Held while we clear it, so that two reapers do not meet.
            count += lock.with_suffix("").exists()
            _give_up(lock, held)
    return count


def dead(root: Path) -> list[Path]:
    """The directories below `root` of processes that are gone."""
    found = []
    for lock in _locks(root):
        held = _if_dead(lock)
        if held is not None:
            os.close(held)
            found.append(lock.with_suffix(""))
    return [path for path in found if path.exists()]


def _locks(root: Path) -> list[Path]:
    """Only those of names that we give: other programs have locks of the same kind, and `root` may be shared."""
    return sorted(path for path in root.glob(f"*{_LOCK}") if _NAME.fullmatch(path.stem))


def _if_dead(lock: Path) -> int | None:
    """The lock of a process that is gone, held; None for the lock of a living one, or of another user."""
    try:
        return try_lock(lock, exclusive=True)
    except OSError:
        return None


def set_aside(root: Path) -> list[Path]:
    """The scratch directories below `root` that could not be removed, and that nothing but `retry` looks at."""
    return sorted(path for path in root.glob(f"{_ASIDE}*") if _NAME.fullmatch(path.name.removeprefix(_ASIDE)))


def retry(root: Path) -> int:
    """Try again to remove what was set aside; how many directories could be removed."""
    found = set_aside(root)
    for path in found:
        with suppress(OSError):
            _clear(path)
    return len(found) - len(set_aside(root))


def _give_up(lock: Path, held: int) -> None:
    """The directory goes before its lock: whoever is killed in between leaves something that is found.

    A directory that cannot be removed gets another name, so that nobody fails on it again.
    """
    path = lock.with_suffix("")
    try:
        try:
            _clear(path)
        except OSError as error:
            aside = path.with_name(f"{_ASIDE}{path.name}")
            path.rename(aside)
            _log.warning("%s cannot be removed, and was set aside: %s", aside, error.strerror)
        lock.unlink(missing_ok=True)
    except OSError as error:
        _log.warning("%s can be neither removed nor renamed: %s", path, error.strerror)
    finally:
        os.close(held)


def inodes_for(limit_bytes: int) -> int:
    """How many files and directories a place of that size may hold."""
    return max(_FEWEST, min(_MOST, limit_bytes // _SPACING))


def _tmpfs(path: Path, limit_bytes: int, inodes: int) -> Path:
    mounting.mount("tmpfs", path, "tmpfs", f"size={limit_bytes},nr_inodes={inodes},mode=755")
    return path


def _format(image: Path, limit_bytes: int, inodes: int) -> None:
    size = limit_bytes + limit_bytes // 1000 + inodes * _INODE_BYTES + _ROOM
    with image.open("xb") as file:
        file.truncate(size)
    features = "^has_journal,^resize_inode,sparse_super2"
    extended = "lazy_itable_init=1,nodiscard,num_backup_sb=0,packed_meta_blocks=1"
    command = ["mkfs.ext4", "-q", "-F", "-m", "0", "-I", str(_INODE_BYTES), "-N", str(inodes)]
    environment = {"PATH": f"{os.environ.get('PATH', '')}:/usr/sbin:/sbin", "LC_ALL": "C"}
    subprocess.run(
        [*command, "-O", features, "-E", extended, str(image)],
        check=True,
        capture_output=True,
        timeout=60,
        env=environment,
        stdin=subprocess.DEVNULL,
    )


def _copy_sparse(source: Path, target: Path) -> None:
    with source.open("rb") as given, target.open("xb") as made:
        size = os.fstat(given.fileno()).st_size
        made.truncate(size)
        at = 0
        while at < size:
            try:
                begin = os.lseek(given.fileno(), at, os.SEEK_DATA)
            except OSError:  # ENXIO: only a hole is left
                return
            at = os.lseek(given.fileno(), begin, os.SEEK_HOLE)
            os.lseek(made.fileno(), begin, os.SEEK_SET)
            os.sendfile(made.fileno(), given.fileno(), begin, at - begin)


def _copy_tree(source: Path, dest: Path) -> None:
    """With everything that `cp -a` keeps: owners, modes, times, links of both kinds, holes. Raises OSError."""
    environment = {"PATH": os.environ.get("PATH", ""), "LC_ALL": "C"}
    done = subprocess.run(
        ["cp", "-a", "--", str(source), str(dest)],
        check=False,
        capture_output=True,
        env=environment,
        stdin=subprocess.DEVNULL,
    )
    if done.returncode != 0:
        # What cp says names files of the tree, which may be private.
        number = errno.ENOSPC if os.strerror(errno.ENOSPC).encode() in done.stderr else errno.EIO
        raise OSError(number, os.strerror(number))


def _clear(path: Path) -> None:
    for mounted in mounting.mounts_below(path):
        with suppress(OSError):
            mounting.unmount(mounted)
    remove(path)
