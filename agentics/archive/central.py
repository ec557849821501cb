"""Reads the structure of a ZIP that may lie: its central directory, and the bytes of one entry.

Nothing an archive says is believed twice: counts, ranges, names, sizes and checksums must agree with each other.
"""

from __future__ import annotations

import struct
import zlib
from collections.abc import Iterator
from dataclasses import dataclass
from typing import BinaryIO, NoReturn

CHUNK = 1 << 16
STORED, DEFLATED = 0, 8
_END = struct.Struct("<4s4H2LH")
_END64_LOCATOR = struct.Struct("<4sLQL")
_END64 = struct.Struct("<4sQ2H2L4Q")
_ENTRY = struct.Struct("<4s4B4HL2L5H2L")
_LOCAL = struct.Struct("<4s5H3L2H")
_MAX_COMMENT = 0xFFFF
_FULL16, _FULL32 = 0xFFFF, 0xFFFFFFFF
_ENCRYPTED = 0x1 | 0x40 | 0x2000
_UTF8 = 0x800


class DamagedZip(Exception):
    """Not a ZIP, or one that contradicts itself. `code` is stable."""

    def __init__(self, code: str, message: str) -> None:
        super().__init__(message)
        self.code = code
        self.message = message


@dataclass(frozen=True, kw_only=True)
class Record:
    """One entry as the central directory has it. Sizes in bytes; `offset` is where its local header starts."""

    raw_name: bytes
    name: str
    encrypted: bool
    method: int
    crc: int
    compressed: int
    size: int
    offset: int
    unix_mode: int


@dataclass(frozen=True, kw_only=True)
class _End:
    count: int
    start: int
    size: int
    shift: int


def records(file: BinaryIO, limit: int) -> tuple[Record, ...]:
    """All entries, in the archive's order. Raises DamagedZip, also when there are more than `limit`."""
    try:
        end = _end(file)
        if end.count > limit:
            _fail("too_many_entries", f"{end.count} entries, at most {limit} are allowed")
        file.seek(end.start)
        found = tuple(_record(file, end.shift) for _ in range(end.count))
    except struct.error:
        _fail("damaged_zip", "the central directory is cut off")
    if file.tell() != end.start + end.size:
        _fail("damaged_zip", "the central directory does not have the size that it says")
    return found


def ranges(file: BinaryIO, found: tuple[Record, ...]) -> None:
    """Raises DamagedZip unless every entry has bytes of its own, where its local header says the same name."""
    taken = 0
    for record in sorted(found, key=lambda r: r.offset):
        if record.offset < taken:
            _fail("overlapping_entries", f"the bytes of {record.name!r:.100} are also those of another entry")
        taken = _data_start(file, record) + record.compressed
    end = _end(file)
    if taken > end.start:
        _fail("overlapping_entries", "an entry reaches into the central directory")


def content(file: BinaryIO, record: Record) -> Iterator[bytes]:
    """The bytes of an entry, never more than it declares. Raises DamagedZip when they are not what it declares."""
    crc = done = 0
    for chunk in _raw(file, record):
        done += len(chunk)
        if done > record.size:
            break
        crc = zlib.crc32(chunk, crc)
        yield chunk
    if done != record.size:
        _fail("size_mismatch", f"{record.name!r:.100} does not have the {record.size} bytes that it declares")
    if crc != record.crc:
        _fail("damaged_zip", f"{record.name!r:.100} has another checksum than it declares")


def _fail(code: str, message: str) -> NoReturn:
    raise DamagedZip(code, message)


def _end(file: BinaryIO) -> _End:
    size = file.seek(0, 2)
    tail_start = max(0, size - _END.size - _MAX_COMMENT)
    file.seek(tail_start)
    tail = file.read(size - tail_start)
    at = tail.rfind(b"PK\x05\x06")
    while at >= 0:
        if at + _END.size <= len(tail):
            fields = _END.unpack_from(tail, at)
            if at + _END.size + fields[7] == len(tail):
                return _checked_end(file, tail_start + at, fields)
        at = tail.rfind(b"PK\x05\x06", 0, at)
    return _fail("not_a_zip", "not a ZIP archive")


def _checked_end(file: BinaryIO, at: int, fields: tuple[int, ...]) -> _End:
    _, disk, first, here, count, size, offset, _ = fields
    ends_at = at
    if _FULL16 in (disk, first, here, count) or _FULL32 in (size, offset):
        wide = _end64(file, at)
        if wide is not None:
            disk, first, here, count, size, offset, ends_at = wide
    if disk != 0 or first != 0 or here != count:
        _fail("damaged_zip", "an archive in several parts")
    start = ends_at - size
    if start < 0 or start < offset:
        _fail("damaged_zip", "the central directory is not where the archive says")
    return _End(count=count, start=start, size=size, shift=start - offset)


def _end64(file: BinaryIO, at: int) -> tuple[int, ...] | None:
    if at < _END64_LOCATOR.size + _END64.size:
        return None
    file.seek(at - _END64_LOCATOR.size)
    mark, _, _, _ = _END64_LOCATOR.unpack(file.read(_END64_LOCATOR.size))
    if mark != b"PK\x06\x07":
        return None
    # The record stands right before its locator; what the locator says of its place is wrong in archives with a prefix.
    ends_at = at - _END64_LOCATOR.size - _END64.size
    file.seek(ends_at)
    mark, _, _, _, disk, first, here, count, size, offset = _END64.unpack(file.read(_END64.size))
    if mark != b"PK\x06\x06":
        _fail("damaged_zip", "the ZIP64 end record is not where it should be")
    return disk, first, here, count, size, offset, ends_at


def _record(file: BinaryIO, shift: int) -> Record:
    fields = _ENTRY.unpack(file.read(_ENTRY.size))
    flags, method, crc, compressed, size = fields[5], fields[6], fields[9], fields[10], fields[11]
    name_size, extra_size, comment_size, external, offset = fields[12], fields[13], fields[14], fields[17], fields[18]
    if fields[0] != b"PK\x01\x02":
        _fail("damaged_zip", "the central directory has something that is no entry")
    raw = file.read(name_size)
    extra = file.read(extra_size)
    if len(raw) != name_size or len(extra) != extra_size or len(file.read(comment_size)) != comment_size:
        _fail("damaged_zip", "the central directory is cut off")
    size, compressed, offset = _wide(extra, size, compressed, offset)
    return Record(
        raw_name=raw,
        name=_name(raw, flags),
        encrypted=bool(flags & _ENCRYPTED),
        method=method,
        crc=crc,
        compressed=compressed,
        size=size,
        offset=offset + shift,
        unix_mode=external >> 16,
    )


def _wide(extra: bytes, size: int, compressed: int, offset: int) -> tuple[int, int, int]:
    """ZIP64: fields that do not fit are full of ones, and stand in the extra field in this order."""
    values = [size, compressed, offset]
    at = 0
    while at + 4 <= len(extra):
        kind, length = struct.unpack_from("<2H", extra, at)
        at += 4
        if kind == 1:
            numbers = iter(struct.unpack_from(f"<{min(length, len(extra) - at) // 8}Q", extra, at))
            values = [next(numbers, v) if v == _FULL32 else v for v in values]
        at += length
    return values[0], values[1], values[2]


def _name(raw: bytes, flags: int) -> str:
    if not flags & _UTF8:
        return raw.decode("cp437")
    try:
        return raw.decode("utf-8")
    except UnicodeDecodeError:
        return _fail("bad_path", f"the name {raw[:60]!r} is not UTF-8")


def _data_start(file: BinaryIO, record: Record) -> int:
    file.seek(record.offset)
    head = file.read(_LOCAL.size)
    if len(head) != _LOCAL.size or head[:4] != b"PK\x03\x04":
        _fail("damaged_zip", f"{record.name!r:.100} has no local header")
    *_, name_size, extra_size = _LOCAL.unpack(head)
    if file.read(name_size) != record.raw_name:
        _fail("damaged_zip", f"{record.name!r:.100} has another name in its local header")
    return record.offset + _LOCAL.size + int(name_size) + int(extra_size)


def _raw(file: BinaryIO, record: Record) -> Iterator[bytes]:
    file.seek(_data_start(file, record))
    left = record.compressed
    if record.method == STORED:
        while left > 0 and (chunk := file.read(min(CHUNK, left))):
            left -= len(chunk)
            yield chunk
        return
    inflate = zlib.decompressobj(-zlib.MAX_WBITS)
    try:
        while left > 0 and not inflate.eof and (chunk := file.read(min(CHUNK, left))):
            left -= len(chunk)
            yield inflate.decompress(chunk, CHUNK)
            while inflate.unconsumed_tail and not inflate.eof:
                yield inflate.decompress(inflate.unconsumed_tail, CHUNK)
    except zlib.error:
        _fail("damaged_zip", f"{record.name!r:.100} cannot be decompressed")
    if not inflate.eof:
        _fail("damaged_zip", f"{record.name!r:.100} is cut off")
