"""Files that appear whole or not at all: temp + fsync + rename + fsync of the directory. The only file writer here."""

from __future__ import annotations

import ctypes
import json
import os
import secrets
from collections.abc import Collection, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from datetime import UTC, datetime
from pathlib import Path
from typing import TypeVar

from pydantic import BaseModel, JsonValue

from agentics.archive.hostile import Manner, remove_at, walk
from agentics.errors import StorageError
from agentics.rundir.files import safe_files

M = TypeVar("M", bound=BaseModel)

STAGING_PREFIX = ".staging-"
_LINE_ENDS = {ord(end): f"\\u{ord(end):04x}" for end in "\x85\u2028\u2029"}
FEW = 4
"""Up to so many files are synced one by one: a sync of the whole file system also waits for what is not ours."""

_syncfs = getattr(ctypes.CDLL(None, use_errno=True), "syncfs", None)


def utc_now() -> str:
    """RFC 3339 with `Z`, always with microseconds, so that the texts sort as the times do."""
    return datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%S.%fZ")


def document_bytes(document: BaseModel | Mapping[str, JsonValue]) -> bytes:
    """JSON for people and machines: indented, keys in the model's order, no NaN, one newline at the end."""
    value = document.model_dump(mode="json", by_alias=True) if isinstance(document, BaseModel) else document
    return (json.dumps(value, indent=2, ensure_ascii=False, allow_nan=False) + "\n").encode()


def canonical_bytes(value: JsonValue) -> bytes:
    """One byte string per value: sorted keys, no space. Digests are taken over this."""
    return json.dumps(value, sort_keys=True, separators=(",", ":"), ensure_ascii=False, allow_nan=False).encode()


def json_line(record: BaseModel) -> str:
    """The record as one line for every reader: what some of them take for the end of a line is escaped."""
    return record.model_dump_json().translate(_LINE_ENDS)


def fsync_directory(path: Path) -> None:
    descriptor = os.open(path, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


@contextmanager
def storing(what: Path) -> Iterator[None]:
    """An operating system's refusal inside is a StorageError that names what was attempted."""
    try:
        yield
    except OSError as e:
        msg = f"{what}: cannot be written: {e.strerror or e}"
        raise StorageError(msg, hint="check space, inodes and permissions of the output path") from e


def write_bytes(path: Path, data: bytes, *, mode: int = 0o666) -> None:
    """Replace `path` by `data`. Readers see the old file or the new one, also after a crash.

    As everywhere here, the path is absolute, and a link on the way is refused: see `inside`.
    """
    with storing(path), safe_files.folder(path.parent) as at:
        _replace((at, at), path.name, data, mode=mode, durable=True)
        os.fsync(at)


def replace_bytes(path: Path, data: bytes, *, staging: Path) -> None:
    """As `write_bytes`, but not durable when it returns: for what can be made again. `staging`: a directory of the same
    file system in which a killed writer's rest is looked for."""
    with storing(path), safe_files.folder(staging) as fresh, safe_files.folder(path.parent) as at:
        _replace((fresh, at), path.name, data, mode=0o666, durable=False)


def _replace(folders: tuple[int, int], name: str, data: bytes, *, mode: int, durable: bool) -> None:
    staging, at = folders
    fresh = f"{STAGING_PREFIX}{secrets.token_hex(8)}"
    try:
        flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC
        with os.fdopen(os.open(fresh, flags, mode, dir_fd=staging), "wb") as f:
            f.write(data)
            f.flush()
            if durable:
                os.fsync(f.fileno())
        os.replace(fresh, name, src_dir_fd=staging, dst_dir_fd=at)
    except BaseException:
        with suppress(FileNotFoundError):
            os.unlink(fresh, dir_fd=staging)
        raise


def write_document(path: Path, document: BaseModel | Mapping[str, JsonValue]) -> None:
    write_bytes(path, document_bytes(document))


def sync_files(directory: Path, files: Sequence[Path]) -> None:
    """Make these files, and their names in `directory`, durable; many of them with one sync of their file system."""
    if _syncfs is not None and len(files) > FEW:
        descriptor = os.open(directory, os.O_RDONLY | os.O_DIRECTORY)
        try:
            if _syncfs(descriptor) == 0:
                return
        finally:
            os.close(descriptor)
    for file in files:
        with file.open("rb") as f:
            os.fsync(f.fileno())
    for folder in {directory, *(file.parent for file in files)}:
        fsync_directory(folder)


def make_directory(path: Path) -> None:
    """Make `path` and its missing parents, each durable in its own parent."""
    with storing(path), safe_files.folder(path, make=True):
        pass


def read_document(path: Path, model: type[M]) -> M | None:
    """None where there is no such file; StorageError where there is one that cannot be believed."""
    try:
        data = safe_files.read_file(path)
    except (FileNotFoundError, NotADirectoryError):
        return None
    except OSError as e:
        msg = f"{path}: cannot be read: {e.strerror or e}"
        raise StorageError(msg) from e
    try:
        return model.model_validate_json(data)
    except ValueError as e:
        msg = f"{path}: damaged: {e}"
        raise StorageError(msg, code="damaged_file") from e


def sweep_staging(root: Path, *, leave: Collection[Path] = ()) -> None:
    """Remove the half-made files and directories that killed writers left anywhere below `root`.

    `leave`: directories that are not looked into. Only for the holder of the run's lock.
    """
    manner = Manner(lenient=True, skip=lambda path: root / path in leave)
    for node in walk(root, manner):
        if node.name.startswith(STAGING_PREFIX):
            remove_at(node.at, node.name)
