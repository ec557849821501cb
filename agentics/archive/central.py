"""Reads the structure of a ZIP that may lie: its central directory, and the bytes of one entry.

Nothing an archive says is believed twice: counts, ranges, names, sizes and checksums must agree with each other.
"""

from __future__ import annotations

import bz2
import lzma
import struct
import zlib
from collections.abc import Iterator
from dataclasses import dataclass
from typing import BinaryIO, NoReturn, Protocol

CHUNK = 1 << 16
STORED, DEFLATED, BZIP2, LZMA = 0, 8, 12, 14
METHODS = frozenset({STORED, DEFLATED, BZIP2, LZMA})
_END = struct.Struct("<4s4H2LH")
_END64_LOCATOR = struct.Struct("<4sLQL")
_END64 = struct.Struct("<4sQ2H2L4Q")
_ENTRY = struct.Struct("<4s4B4HL2L5H2L")
_LOCAL = struct.Struct("<4s5H3L2H")
_LZMA_HEAD = struct.Struct("<2xHBL")
_ENTRY_MARK = b"PK\x01\x02"
_END_MARK = b"PK\x05\x06"
_MAX_COMMENT = 0xFFFF
_MAX_ENDS = 1000
_ZIP64, _UNICODE_PATH = 0x0001, 0x7075
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
class CentralRecord:
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
class Directory:
    """The central directory: all entries in the archive's order, and the offset at which it starts."""

    records: tuple[CentralRecord, ...]
    start: int


@dataclass(frozen=True, kw_only=True)
class _End:
    count: int
    start: int
    size: int
    shift: int


def directory(file: BinaryIO, limit: int) -> Directory:
    """The central directory. Raises DamagedZip, also when it has more than `limit` entries."""
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
    return Directory(records=found, start=end.start)


def ranges(file: BinaryIO, found: Directory) -> None:
    """Raises DamagedZip unless every entry has bytes of its own, where its local header says the same name."""
    taken = 0
    for record in sorted(found.records, key=lambda r: r.offset):
        if record.offset < taken:
            _fail("overlapping_entries", f"the bytes of {record.name!r:.100} are also those of another entry")
        taken = _data_start(file, record) + record.compressed
    if taken > found.start:
        _fail("overlapping_entries", "an entry reaches into the central directory")


def content(file: BinaryIO, record: CentralRecord) -> Iterator[bytes]:
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
    """The last end record that fits. Any bytes may follow it. What only looks like one is passed over; what other
    readers take for one is damaged."""
    fault = DamagedZip("not_a_zip", "not a ZIP archive")
    for seen, at in enumerate(_marks(file)):
        if seen == _MAX_ENDS:
            break
        try:
            end = _fitting(file, at)
        except DamagedZip as damage:
            if _taken_by_others(file, at):
                raise
            fault = damage if fault.code == "not_a_zip" else fault
            continue
        _undisputed(file, at)
        return end
    raise fault


def _marks(file: BinaryIO) -> Iterator[int]:
    """Offsets at which an end record may start, the last first."""
    upper = file.seek(0, 2)
    while upper > 0:
        lower = max(0, upper - CHUNK)
        file.seek(lower)
        # The first bytes of what was read before: a mark may lie across the border.
        window = file.read(upper - lower + len(_END_MARK) - 1)
        at = window.rfind(_END_MARK)
        while at >= 0:
            yield lower + at
            at = window.rfind(_END_MARK, 0, at + len(_END_MARK) - 1)
        upper = lower


def _fitting(file: BinaryIO, at: int) -> _End:
    """Raises DamagedZip unless the bytes at `at` are an end record with its comment, and a directory lies before it."""
    size = file.seek(0, 2)
    file.seek(at)
    head = file.read(_END.size)
    if len(head) != _END.size or at + _END.size + _END.unpack(head)[7] > size:
        _fail("damaged_zip", "the end record is cut off")
    end = _checked_end(file, at, _END.unpack(head))
    file.seek(end.start)
    if end.count and file.read(4) != _ENTRY_MARK:
        _fail("damaged_zip", "the central directory is not where the archive says")
    return end


def _taken_by_others(file: BinaryIO, at: int) -> bool:
    """Whether a reader that checks less, such as Python's, takes the bytes at `at` for the end record: a central
    directory ends there, or they say that it has no bytes, and that reader finds an empty archive."""
    file.seek(at)
    head = file.read(_END.size)
    if len(head) != _END.size:
        return False
    size: int = _END.unpack(head)[5]
    if size == 0 or size > at:
        return size == 0
    file.seek(at - size)
    return file.read(4) == _ENTRY_MARK


def _undisputed(file: BinaryIO, end: int) -> None:
    """Raises DamagedZip when the end record at `end` lies in the comment of another: readers would not agree."""
    first = max(0, end - _END.size - _MAX_COMMENT)
    file.seek(first)
    before = file.read(end - first)
    at = before.rfind(_END_MARK)
    while at >= 0:
        (comment,) = struct.unpack_from("<H", before, at + _END.size - 2) if at + _END.size <= len(before) else (0,)
        if first + at + _END.size + comment > end and _fits(file, first + at):
            _fail("two_end_records", "two end records, one of them in the comment of the other")
        at = before.rfind(_END_MARK, 0, at + len(_END_MARK) - 1)


def _fits(file: BinaryIO, at: int) -> bool:
    try:
        _fitting(file, at)
    except DamagedZip:
        return False
    return True


def _checked_end(file: BinaryIO, at: int, fields: tuple[int, ...]) -> _End:
    _, disk, first, here, count, size, offset, _ = fields
    ends_at = at
    wide = _end64(file, at)
    if wide is not None:
        narrow = (disk, first, here, count, size, offset)
        full = (_FULL16,) * 4 + (_FULL32,) * 2
        # Some readers take the ZIP64 record only where a value does not fit, others always.
        if any(value not in (limit, other) for value, limit, other in zip(narrow, full, wide, strict=False)):
            _fail("damaged_zip", "the ZIP64 end record and the end record contradict each other")
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


def _record(file: BinaryIO, shift: int) -> CentralRecord:
    fields = _ENTRY.unpack(file.read(_ENTRY.size))
    flags, method, crc, compressed, size = fields[5], fields[6], fields[9], fields[10], fields[11]
    name_size, extra_size, comment_size, external, offset = fields[12], fields[13], fields[14], fields[17], fields[18]
    if fields[0] != _ENTRY_MARK:
        _fail("damaged_zip", "the central directory has something that is no entry")
    raw = file.read(name_size)
    extra = file.read(extra_size)
    if len(raw) != name_size or len(extra) != extra_size or len(file.read(comment_size)) != comment_size:
        _fail("damaged_zip", "the central directory is cut off")
    size, compressed, offset = _wide(extra, size, compressed, offset)
    return CentralRecord(
        raw_name=raw,
        name=_name(raw, flags, extra),
        encrypted=bool(flags & _ENCRYPTED),
        method=method,
        crc=crc,
        compressed=compressed,
        size=size,
        offset=offset + shift,
        unix_mode=external >> 16,
    )


def _extra_fields(extra: bytes) -> Iterator[tuple[int, bytes]]:
    at = 0
    while at + 4 <= len(extra):
        kind, length = struct.unpack_from("<2H", extra, at)
        yield kind, extra[at + 4 : at + 4 + length]
        at += 4 + length


def _wide(extra: bytes, size: int, compressed: int, offset: int) -> tuple[int, int, int]:
    """ZIP64: fields that do not fit are full of ones, and stand in the extra field in this order."""
    values = [size, compressed, offset]
    for kind, data in _extra_fields(extra):
        if kind == _ZIP64:
            numbers = iter(struct.unpack_from(f"<{len(data) // 8}Q", data))
            values = [next(numbers, v) if v == _FULL32 else v for v in values]
    return values[0], values[1], values[2]


def _name(raw: bytes, flags: int, extra: bytes) -> str:
    """The name of an entry: that of its Unicode path field, or else that of its header.

    The field carries a checksum of the header's name. One that does not match, which some readers ignore and others
    refuse, is refused.
    """
    fields = [data for kind, data in _extra_fields(extra) if kind == _UNICODE_PATH]
    if not fields and not flags & _UTF8:
        return raw.decode("cp437")
    if len(fields) > 1 or any(data[:5] != struct.pack("<BL", 1, zlib.crc32(raw)) for data in fields):
        _fail("damaged_zip", f"the Unicode path of {raw[:60]!r} does not belong to that name")
    name = fields[0][5:] if fields else raw
    try:
        return name.decode("utf-8")
    except UnicodeDecodeError:
        return _fail("bad_path", f"the name {name[:60]!r} is not UTF-8")


def _data_start(file: BinaryIO, record: CentralRecord) -> int:
    file.seek(record.offset)
    head = file.read(_LOCAL.size)
    if len(head) != _LOCAL.size or head[:4] != b"PK\x03\x04":
        _fail("damaged_zip", f"{record.name!r:.100} has no local header")
    *_, name_size, extra_size = _LOCAL.unpack(head)
    if file.read(name_size) != record.raw_name:
        _fail("damaged_zip", f"{record.name!r:.100} has another name in its local header")
    return record.offset + _LOCAL.size + int(name_size) + int(extra_size)


def _raw(file: BinaryIO, record: CentralRecord) -> Iterator[bytes]:
    """The decompressed bytes, at most CHUNK at once. Raises DamagedZip."""
    file.seek(_data_start(file, record))
    if record.method == STORED:
        yield from _packed(file, record.compressed)
        return
    head = file.read(min(record.compressed, _LZMA_HEAD.size)) if record.method == LZMA else b""
    decoder = _decoder(record, head)
    for packed in _packed(file, record.compressed - len(head)):
        yield _decompressed(decoder, packed, record)
        while not decoder.needs_input and not decoder.eof:
            yield _decompressed(decoder, b"", record)
        if decoder.eof:
            return
    # A stream of LZMA may go without a mark of its end.
    if record.method != LZMA:
        _fail("damaged_zip", f"{record.name!r:.100} is cut off")


def _packed(file: BinaryIO, left: int) -> Iterator[bytes]:
    while left > 0 and (chunk := file.read(min(CHUNK, left))):
        left -= len(chunk)
        yield chunk


class _Decoder(Protocol):
    """What bz2 and lzma offer: at most `max_length` bytes of output at once."""

    @property
    def eof(self) -> bool: ...
    @property
    def needs_input(self) -> bool: ...
    def decompress(self, data: bytes, max_length: int = -1) -> bytes: ...


class _Inflate:
    """Deflate by the interface of bz2 and lzma."""

    def __init__(self) -> None:
        self._inflate = zlib.decompressobj(-zlib.MAX_WBITS)
        self._full = False

    @property
    def eof(self) -> bool:
        return self._inflate.eof

    @property
    def needs_input(self) -> bool:
        return not self._full and not self._inflate.unconsumed_tail

    def decompress(self, data: bytes, max_length: int = -1) -> bytes:
        found = self._inflate.decompress(self._inflate.unconsumed_tail + data, max_length)
        # Output may be pending although all input is taken.
        self._full = len(found) == max_length
        return found


def _decoder(record: CentralRecord, head: bytes) -> _Decoder:
    if record.method == DEFLATED:
        return _Inflate()
    if record.method == BZIP2:
        return bz2.BZ2Decompressor()
    size, properties, dictionary = _LZMA_HEAD.unpack(head.ljust(_LZMA_HEAD.size, b"\0"))
    position_bits, literal = divmod(properties, 45)
    shape = {"pb": position_bits, "lp": literal // 9, "lc": literal % 9}
    if size != _LZMA_HEAD.size - 4 or position_bits > 4 or shape["lp"] + shape["lc"] > 4:  # noqa: PLR2004  liblzma's
        _fail("damaged_zip", f"{record.name!r:.100} has no LZMA properties")
    # No match reaches back further than the file is long, so a file that names a huge dictionary gets none.
    window = max(1 << 12, min(dictionary, record.size))
    return lzma.LZMADecompressor(lzma.FORMAT_RAW, filters=[{"id": lzma.FILTER_LZMA1, "dict_size": window, **shape}])


def _decompressed(decoder: _Decoder, packed: bytes, record: CentralRecord) -> bytes:
    try:
        return decoder.decompress(packed, CHUNK)
    except (zlib.error, lzma.LZMAError, OSError):
        return _fail("damaged_zip", f"{record.name!r:.100} cannot be decompressed")
