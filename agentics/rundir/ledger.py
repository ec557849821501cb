"""Append-only JSON lines: append + fsync, and a torn last line is cut off before the next one is written."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any, BinaryIO

from pydantic import BaseModel, TypeAdapter

from agentics.errors import StorageError
from agentics.rundir.atomic import fsync_directory, storing

_CHUNK = 64 * 1024


def append(path: Path, record: BaseModel) -> None:
    """Durable on return. One writer at a time: the caller holds the run's lock."""
    line = record.model_dump_json().encode() + b"\n"
    with storing(path):
        new = not path.exists()
        with path.open("ab+") as f:
            _cut_torn_tail(f)
            f.write(line)
            f.flush()
            os.fsync(f.fileno())
        if new:
            fsync_directory(path.parent)


def read(path: Path, adapter: TypeAdapter[Any]) -> tuple[Any, ...]:
    """Every whole line; a torn last line was never acknowledged and is left out. No file: nothing yet."""
    try:
        data = path.read_bytes()
    except FileNotFoundError:
        return ()
    lines = data.split(b"\n")[:-1]
    try:
        return tuple(adapter.validate_json(line) for line in lines)
    except ValueError as e:
        msg = f"{path}: damaged: {e}"
        raise StorageError(msg, code="damaged_file") from e


def repair(path: Path) -> int:
    """Cut off a torn last line; bytes removed."""
    if not path.exists():
        return 0
    with storing(path), path.open("rb+") as f:
        cut = _cut_torn_tail(f)
        if cut:
            os.fsync(f.fileno())
        return cut


def _cut_torn_tail(f: BinaryIO) -> int:
    size = f.seek(0, os.SEEK_END)
    whole = _end_of_last_line(f, size)
    if whole < size:
        f.truncate(whole)
        f.seek(whole)
    return size - whole


def _end_of_last_line(f: BinaryIO, size: int) -> int:
    end = size
    while end > 0:
        start = max(0, end - _CHUNK)
        f.seek(start)
        newline = f.read(end - start).rfind(b"\n")
        if newline >= 0:
            return start + newline + 1
        end = start
    return 0
