"""Append-only JSON lines, each chained to the one before: append + fsync, and a torn last line is cut off first.

The last key of a line, `prev`, is the digest of the bytes of the line before. It belongs to the ledger, not to the
record: `append` adds it and `read` takes it off.
"""

from __future__ import annotations

import fcntl
import os
import re
from collections.abc import Iterator, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any, BinaryIO, TypeVar

from pydantic import BaseModel, TypeAdapter

from agentics.content import sha256_of
from agentics.errors import StorageError
from agentics.rundir.files import safe_files
from agentics.rundir.files.atomic import fsync_directory, json_line, storing

ORIGIN = "sha256:" + "0" * 64
"""What the first line is chained to, and the head of an empty ledger."""

M = TypeVar("M", bound=BaseModel)

_CHUNK = 64 * 1024
_LINK = re.compile(rb'[,{]"prev":"(sha256:[0-9a-f]{64})"\}$')


def append(path: Path, record: BaseModel) -> None:
    """Durable on return, and chained to whatever line is the last one then, whichever thread or process wrote it."""
    append_all(path, (record,))


def append_all(path: Path, records: Sequence[BaseModel]) -> None:
    """As `append`, a line for each, with one wait for the disk."""
    with storing(path):
        new = not safe_files.is_file(path)
        with os.fdopen(safe_files.open_file(path, os.O_RDWR | os.O_APPEND | os.O_CREAT), "ab+") as f:
            # The lock belongs to this open file, so it holds threads apart as well as processes.
            fcntl.flock(f, fcntl.LOCK_EX)
            _cut_torn_tail(f)
            head = _digest(_last_line(f))
            for record in records:
                line = _chained(record, head)
                f.write(line + b"\n")
                head = _digest(line)
            f.flush()
            # Whoever comes next may write while this waits for the disk: both lines are durable then.
            fcntl.flock(f, fcntl.LOCK_UN)
            os.fsync(f.fileno())
        if new:
            fsync_directory(path.parent)


def read(path: Path, adapter: TypeAdapter[Any]) -> tuple[Any, ...]:
    """Every whole line; a torn last line was never acknowledged and is left out. No file: nothing yet.

    The chain is not looked at: that is what `check_chain` is for.
    """
    try:
        data = safe_files.read_lines(path)
    except FileNotFoundError:
        return ()
    try:
        return tuple(adapter.validate_json(bare(line)) for line in whole_lines(data))
    except ValueError as e:
        msg = f"{path}: damaged: {e}"
        raise StorageError(msg, code="damaged_file") from e


def believed(path: Path, model: type[M]) -> Iterator[M]:
    """As `read`, of a ledger that may be damaged: the lines that are such records."""
    for line in _lines_of(path) if safe_files.is_file(path) else ():
        with suppress(ValueError):
            yield model.model_validate_json(bare(line))


def bare(line: bytes) -> bytes:
    """The record in a line: without its `prev`, if it has one."""
    return _LINK.sub(lambda link: b"{}" if link[0].startswith(b"{") else b"}", line)


def whole_lines(data: bytes) -> list[bytes]:
    """The lines of a ledger's bytes; what follows the last newline is torn, and none."""
    return data.split(b"\n")[:-1]


def heads(path: Path) -> tuple[int, str]:
    """How many lines there are, and the digest of the last. No file: an empty ledger."""
    lines = _lines_of(path)
    return len(lines), head_of(lines)


def head_of(lines: Sequence[bytes]) -> str:
    return _digest(lines[-1] if lines else None)


def check_chain(path: Path) -> int | None:
    """The first line, counted from 1, that is not what its neighbours say it is; None where all are.

    The last line has no neighbour that knows it: compare its digest with a head that was kept elsewhere.
    """
    return next(broken(_lines_of(path)), None)


def broken(lines: Sequence[bytes]) -> Iterator[int]:
    """Every line, counted from 1, that is not what its neighbours say it is."""
    before: str | None = ORIGIN
    for index, line in enumerate(lines):
        link, digest = _LINK.search(line), _digest(line)
        if link is None:
            yield index + 1
            before = None
        elif before is None or link[1].decode() == before:
            before = digest
        else:
            # One of two lines was altered: this one, if the next does not know it either.
            following = _LINK.search(lines[index + 1]) if index + 1 < len(lines) else None
            itself = index == 0 or (following is not None and following[1].decode() != digest)
            yield index + 1 if itself else index
            before = None if itself else digest


def digest_of_line(line: bytes) -> str:
    """What the next line is chained to."""
    return _digest(line)


def repair(path: Path) -> int:
    """Cut off a torn last line; bytes removed."""
    if not path.exists():
        return 0
    with storing(path), os.fdopen(safe_files.open_file(path, os.O_RDWR), "rb+") as f:
        fcntl.flock(f, fcntl.LOCK_EX)
        cut = _cut_torn_tail(f)
        if cut:
            os.fsync(f.fileno())
        return cut


def _chained(record: BaseModel, head: str) -> bytes:
    line = json_line(record).encode()
    return b"%s%s%s" % (line[:-1], b"" if line == b"{}" else b",", b'"prev":"%s"}' % head.encode())


def _digest(line: bytes | None) -> str:
    return ORIGIN if line is None else sha256_of(line)


def _lines_of(path: Path) -> list[bytes]:
    try:
        return whole_lines(safe_files.read_lines(path))
    except FileNotFoundError:
        return []


def _last_line(f: BinaryIO) -> bytes | None:
    """Without its newline; None in an empty file. Read from the end: an append costs the same in a long ledger."""
    end = f.seek(0, os.SEEK_END)
    if end == 0:
        return None
    start = _end_of_last_line(f, end - 1)
    f.seek(start)
    return f.read(end - 1 - start)


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
