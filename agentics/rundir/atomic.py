"""Files that appear whole or not at all: temp + fsync + rename + fsync of the directory. The only file writer here."""

from __future__ import annotations

import ctypes
import json
import os
import secrets
import stat
from collections.abc import Collection, Iterator, Mapping, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import TypeVar

from pydantic import BaseModel, JsonValue

from agentics.archive.tree import below, opened, permit
from agentics.errors import StorageError

M = TypeVar("M", bound=BaseModel)

STAGING_PREFIX = ".staging-"
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


def write_bytes(path: Path, data: bytes) -> None:
    """Replace `path` by `data`. Whoever reads sees the old file or the new one, also after a crash."""
    staging = path.with_name(f"{STAGING_PREFIX}{secrets.token_hex(8)}")
    with storing(path):
        try:
            with staging.open("xb") as f:
                f.write(data)
                f.flush()
                os.fsync(f.fileno())
            staging.replace(path)
        except BaseException:
            staging.unlink(missing_ok=True)
            raise
        fsync_directory(path.parent)


def replace_bytes(path: Path, data: bytes, *, staging: Path) -> None:
    """As `write_bytes`, but not durable when it returns: for what can be made again. `staging`: a directory of the same
    file system in which a killed writer's rest is looked for."""
    fresh = staging / f"{STAGING_PREFIX}{secrets.token_hex(8)}"
    with storing(path):
        try:
            fresh.write_bytes(data)
            fresh.replace(path)
        except BaseException:
            fresh.unlink(missing_ok=True)
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
    missing = [place for place in (path, *path.parents) if not place.exists()]
    with storing(path):
        for place in reversed(missing):
            place.mkdir(exist_ok=True)
            fsync_directory(place.parent)


def read_document(path: Path, model: type[M]) -> M | None:
    """None where there is no such file; StorageError where there is one that cannot be believed."""
    try:
        data = path.read_bytes()
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
    pending = [root]
    while pending:
        here = pending.pop()
        with opened(here) as at:
            for entry in list(os.scandir(at)):
                if entry.name.startswith(STAGING_PREFIX):
                    remove_tree(at, at, entry.name)
                elif entry.is_dir(follow_symlinks=False) and here / entry.name not in leave:
                    pending.append(here / entry.name)


def remove_tree(top: int, at: int, name: str) -> None:
    """Remove whatever `name` is in the directory `at`, links unfollowed. Raises OSError.

    A tree may be deeper than a path is long or Python recurses. So every directory is moved up into `top` first.
    """
    pending = [name]
    while pending:
        name = pending.pop()
        if not stat.S_ISDIR(os.stat(name, dir_fd=at, follow_symlinks=False).st_mode):
            os.unlink(name, dir_fd=at)
            continue
        doomed = _moved(top, at, name)
        with below(top, doomed) as inner:
            for child in os.listdir(inner):  # noqa: PTH208  a descriptor, not a path
                if stat.S_ISDIR(os.stat(child, dir_fd=inner, follow_symlinks=False).st_mode):
                    pending.append(_moved(top, inner, child))
                else:
                    os.unlink(child, dir_fd=inner)
        os.rmdir(doomed, dir_fd=top)
        at = top


def _moved(top: int, at: int, name: str) -> str:
    fresh = f"{STAGING_PREFIX}{secrets.token_hex(8)}"
    permit(at, name, os.stat(name, dir_fd=at, follow_symlinks=False), stat.S_IRWXU)
    os.rename(name, fresh, src_dir_fd=at, dst_dir_fd=top)
    return fresh
