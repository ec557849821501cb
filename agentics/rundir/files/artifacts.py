"""Content by digest: artifacts/sha256/<hex>/blob, named by artifact://sha256/<hex>.

`put` only stages; `commit` makes everything staged durable and visible at once. So twenty cases cost one sync, and a
ref may be written into a record only after the commit that follows its put.
"""

from __future__ import annotations

import fcntl
import hashlib
import os
import secrets
import threading
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

from agentics.archive.hostile import discard
from agentics.archive.tree import open_regular
from agentics.errors import StorageError
from agentics.rundir.files import safe_files
from agentics.rundir.files.atomic import STAGING_PREFIX, fsync_directory, make_directory, storing, sync_files

_SCHEME = "artifact://sha256/"
_CHUNK = 1 << 20
_HEX_LENGTH = 64
CONTENT_BYTES = 1 << 30
"""The most that is read of one artifact at once."""


def hex_of(ref: str) -> str:
    """The digest in a ref. Raises StorageError for anything that is not exactly one of our refs."""
    digest = ref.removeprefix(_SCHEME)
    if not ref.startswith(_SCHEME) or len(digest) != _HEX_LENGTH or set(digest) - set("0123456789abcdef"):
        msg = f"not an artifact reference: {ref!r}"
        raise StorageError(msg, code="bad_artifact_ref")
    return digest


class ArtifactStore:
    """The store below `root` (…/artifacts/sha256). Safe to use from several threads of the run's process."""

    def __init__(self, root: Path) -> None:
        self._root = root
        self._staging = root / f"{STAGING_PREFIX}{os.getpid()}-{secrets.token_hex(4)}"
        self._staged: set[str] = set()
        self._guard = threading.RLock()
        self._claim: int | None = None

    def put(self, content: bytes | Path) -> str:
        """The ref of `content`. A path must be a regular file: a link is refused, never followed."""
        with storing(self._root), self._guard:
            self._open_staging()
            incoming = self._staging / secrets.token_hex(8)
            digest = _copy(content, incoming)
            if digest in self._staged or (self._root / digest / "blob").exists():
                incoming.unlink()
            else:
                place = self._staging / digest
                place.mkdir()
                incoming.rename(place / "blob")
                self._staged.add(digest)
            return f"{_SCHEME}{digest}"

    def commit(self) -> None:
        """After this, every ref given out so far names a whole file, also after a power cut."""
        with storing(self._root), self._guard:
            if not self._staged:
                return
            sync_files(self._root, [self._staging / digest / "blob" for digest in self._staged])
            for digest in sorted(self._staged):
                (self._staging / digest).rename(self._root / digest)
            fsync_directory(self._root)
            self._staged.clear()

    def path(self, ref: str) -> Path:
        """Where the content lies, staged or committed."""
        digest = hex_of(ref)
        place = self._staging if digest in self._staged else self._root
        return place / digest / "blob"

    def read(self, ref: str) -> bytes:
        """Raises StorageError when the content is missing, or is no longer what its name says."""
        try:
            data = safe_files.read_file(self.path(ref), CONTENT_BYTES)
        except OSError as e:
            msg = f"{ref}: cannot be read: {e.strerror or e}"
            raise StorageError(msg, code="artifact_missing") from e
        if hashlib.sha256(data).hexdigest() != hex_of(ref):
            msg = f"{ref}: the content is not what its name says"
            raise StorageError(msg, code="artifact_damaged")
        return data

    def part(self, ref: str, limit: int, *, end: bool) -> bytes:
        """At most so many bytes of the start of the content, or of its end, for people to read: the digest is not
        checked. Nothing where the content is missing."""
        try:
            with os.fdopen(safe_files.open_file(self.path(ref)), "rb") as file:
                size = file.seek(0, os.SEEK_END)
                file.seek(max(0, size - limit) if end else 0)
                return file.read(limit)
        except OSError:
            return b""

    def sweep(self) -> None:
        """Remove what killed processes staged and never committed. Only for the holder of the run's lock."""
        for left in self._root.glob(f"{STAGING_PREFIX}*"):
            # A living process may be making a fork meanwhile.
            if left != self._staging and not _is_living(left):
                discard(left)

    def close(self) -> None:
        """Give up what was staged and not committed."""
        with self._guard:
            self._staged.clear()
            discard(self._staging)
            if self._claim is not None:
                os.close(self._claim)
                self._claim = None

    def _open_staging(self) -> None:
        if self._claim is None:
            make_directory(self._staging)
            self._claim = os.open(self._staging, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
            fcntl.flock(self._claim, fcntl.LOCK_EX)


def _is_living(staging: Path) -> bool:
    """Whether the process that stages there lives: it holds the lock of its directory as long."""
    with suppress(OSError):
        descriptor = os.open(staging, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
        try:
            fcntl.flock(descriptor, fcntl.LOCK_SH | fcntl.LOCK_NB)
        except BlockingIOError:
            return True
        finally:
            os.close(descriptor)
    return False


def _copy(content: bytes | Path, target: Path) -> str:
    digest = hashlib.sha256()
    with target.open("xb") as out:
        for chunk in _chunks(content):
            digest.update(chunk)
            out.write(chunk)
    return digest.hexdigest()


def _chunks(content: bytes | Path) -> Iterator[bytes]:
    if isinstance(content, bytes):
        yield content
        return
    with os.fdopen(open_regular(None, str(content)), "rb") as source:
        while chunk := source.read(_CHUNK):
            yield chunk
