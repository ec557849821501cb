"""Directories on the host that containers see: opaque names, bounded in bytes and inodes while they are written to.

A `Scratch` belongs to one process, which holds a lock on the file `owner` in it. A later process recognises the
directory of a dead one by the missing lock, and clears it. Both happen under a lock of the root directory: a directory
without an owner file was left by a process that died between making the directory and the file.
"""

from __future__ import annotations

import fcntl
import os
import re
import secrets
import shutil
import subprocess
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Literal, Self

from agentics.errors import StorageError
from agentics.sandbox import mounting

Kind = Literal["loop", "tmpfs", "directory"]
_OWNER = "owner"
_NAME = re.compile(r"[0-9a-f]{16}")
_INODE_BYTES = 256
_SPACING = 16_384  # one inode for so many bytes, as file systems usually have it
_FEWEST, _MOST = 16_384, 262_144
_ROOM = 4 << 20
_PROBE_BYTES = 1 << 20


@dataclass(frozen=True, kw_only=True)
class Place:
    """A writable directory. `directory` places are bounded by nobody but whoever watches them."""

    path: Path
    kind: Kind
    limit_bytes: int
    inodes: int


class Scratch:
    """A context manager; thread-safe inside. `path` is its own directory, which nobody else on the host can enter."""

    def __init__(self, root: Path, kind: Literal["auto"] | Kind = "auto") -> None:
        self._root = root
        self._wanted = kind
        self._kind: Kind | None = None
        self._lock = threading.RLock()
        self._templates: dict[tuple[int, int], Path] = {}
        self._held = -1
        self.path = root / secrets.token_hex(8)

    def __enter__(self) -> Self:
        try:
            self._root.mkdir(parents=True, exist_ok=True)
            with _root_locked(self._root):
                self.path.mkdir(mode=0o700)
                self._held = _try_to_own(self.path)
        except OSError as error:
            msg = f"scratch space cannot be made in {self._root}: {error.strerror}"
            raise StorageError(msg, hint="name another scratch directory") from error
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        _clear(self.path)
        os.close(self._held)

    @property
    def kind(self) -> Kind:
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
            _remove_tree(top)

    def _fresh(self) -> Path:
        return self.path / secrets.token_hex(8)

    def _first_that_works(self) -> Kind:
        if os.geteuid() != 0:
            return "directory"
        candidates: tuple[Kind, ...] = ("loop", "tmpfs")
        for kind in candidates:
            with suppress(OSError, subprocess.SubprocessError):
                path = self._make(kind, _PROBE_BYTES, inodes_for(_PROBE_BYTES))
                (path / "probe").write_bytes(b"works")
                self.release(Place(path=path, kind=kind, limit_bytes=_PROBE_BYTES, inodes=0))
                return kind
        return "directory"

    def _make(self, kind: Kind, limit_bytes: int, inodes: int) -> Path:
        path = self._fresh()
        path.mkdir()
        makers: dict[Kind, Callable[[Path, int, int], Path]] = {"loop": self._loop, "tmpfs": _tmpfs}
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
        inner = path / "d"  # beside lost+found, so that the container never sees that
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
    """Clear the scratch directories of dead processes below `root`; how many there were."""
    count = 0
    for path, held in _abandoned(root):
        # The lock is held while the directory is cleared, so that two reapers do not clear the same one.
        try:
            _clear(path)
            count += 1
        finally:
            os.close(held)
    return count


def dead(root: Path) -> list[Path]:
    """The scratch directories below `root` whose process is dead."""
    found = []
    for path, held in _abandoned(root):
        found.append(path)
        os.close(held)
    return found


def _abandoned(root: Path) -> list[tuple[Path, int]]:
    """Scratch directories below `root` that no process owns, each with a descriptor that holds its lock now."""
    if not root.is_dir():
        return []
    with _root_locked(root):
        owned = ((path, _try_to_own(path)) for path in sorted(root.iterdir()) if _is_scratch(path))
        return [(path, held) for path, held in owned if held >= 0]


def _is_scratch(path: Path) -> bool:
    """Whether a process of ours made it. An operator's own directories may lie beside it."""
    if not _NAME.fullmatch(path.name) or path.is_symlink() or not path.is_dir():
        return False
    with suppress(OSError):
        return (path / _OWNER).is_file() or not any(path.iterdir())
    return False


@contextmanager
def _root_locked(root: Path) -> Iterator[None]:
    """While inside, no scratch directory is made below `root`, and none is looked at by another reaper."""
    held = os.open(root, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        fcntl.flock(held, fcntl.LOCK_EX)
        yield
    finally:
        os.close(held)


def _try_to_own(path: Path) -> int:
    """A descriptor that holds the lock of the directory; -1 where another process holds it, or it is gone."""
    try:
        held = os.open(path / _OWNER, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC | os.O_NOFOLLOW, 0o600)
    except (FileNotFoundError, PermissionError):
        return -1
    try:
        fcntl.flock(held, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        os.close(held)
        return -1
    return held


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


def _clear(path: Path) -> None:
    """Remove the directory; its owner file goes last, so that a reaper who dies here leaves what the next one knows."""
    for mounted in mounting.mounts_below(path):
        with suppress(OSError):
            mounting.unmount(mounted)
    for inside in list(path.iterdir()):
        if inside.name == _OWNER:
            continue
        if inside.is_dir() and not inside.is_symlink():
            _remove_tree(inside)
        else:
            inside.unlink(missing_ok=True)
    with _root_locked(path.parent):
        (path / _OWNER).unlink(missing_ok=True)
        path.rmdir()


def _remove_tree(path: Path) -> None:
    """Whatever modes its directories have; we own them, or are root. Links are removed, not followed."""

    def unlock(function: Callable[..., object], name: str, _error: object) -> None:
        with suppress(OSError):
            Path(name).parent.chmod(0o700)
            if not Path(name).is_symlink():
                Path(name).chmod(0o700)
            function(name)

    shutil.rmtree(path, onerror=unlock)
