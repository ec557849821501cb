"""Corners of the ZIP format that the reference platform takes, and what must not come in by them."""

import io
import lzma
import random
import struct
import tracemalloc
import zipfile
import zlib

import pytest

from agentics.archive.envelope import ArchiveLimits, inspect, read, unpack, verify
from agentics.errors import InvalidDocument

LIMITS = ArchiveLimits(compressed=1 << 24, expanded=1 << 24, entries=8)
CENTRAL, LOCAL, END = b"PK\x01\x02", b"PK\x03\x04", b"PK\x05\x06"
METHODS = {"deflate": zipfile.ZIP_DEFLATED, "bzip2": zipfile.ZIP_BZIP2, "lzma": zipfile.ZIP_LZMA}
NOISE = random.Random(1).randbytes(200_000)


def make(entries, method=zipfile.ZIP_STORED, comment=b""):
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", method) as archive:
        archive.comment = comment
        for name, content in entries:
            archive.writestr(name, content)
    return buffer.getvalue()


def contents(data):
    """Every file of the archive by its path; the codes of what is wrong with it otherwise."""
    file = io.BytesIO(data)
    try:
        inventory = inspect(file, "s.zip", LIMITS)
        verify(file, "s.zip", inventory)
        return {m.path: None if m.directory else read(file, "s.zip", m) for m in inventory.members}
    except InvalidDocument as error:
        return [finding.code if finding.hint else "no hint" for finding in error.findings]


def patch(data, signature, offset, value):
    at = data.index(signature) + offset
    return data[:at] + value + data[at + len(value) :]


@pytest.mark.parametrize("method", METHODS)
@pytest.mark.parametrize("content", [b"", b"x", b"text " * 20_000, NOISE], ids=["none", "one", "text", "noise"])
def test_members_of_each_method_are_read(method, content, tmp_path):
    data = make([("a", content), ("dir/b", b"more")], METHODS[method])
    assert contents(data) == {"a": content, "dir/b": b"more"}
    file = io.BytesIO(data)
    unpack(file, "s.zip", inspect(file, "s.zip", LIMITS), tmp_path)
    assert (tmp_path / "a").read_bytes() == content


@pytest.mark.parametrize("method", METHODS)
def test_a_member_that_is_damaged_or_cut_off_is_refused(method):
    data = make([("a", NOISE)], METHODS[method])
    start = len(LOCAL) + 26 + 1
    for at in (start, start + 5, start + 1000, start + 150_000):
        broken = data[:at] + bytes(byte ^ 0xFF for byte in data[at : at + 8]) + data[at + 8 :]
        assert contents(broken) in (["damaged_zip"], ["size_mismatch"])
    size = struct.unpack_from("<L", data, data.index(CENTRAL) + 20)[0]
    for left in (0, 3, 8, 20, size - 100):
        assert contents(patch(data, CENTRAL, 20, struct.pack("<L", left))) in (["damaged_zip"], ["size_mismatch"])


@pytest.mark.parametrize("method", METHODS)
def test_a_bomb_of_each_method_is_stopped_where_it_lies(method, tmp_path):
    data = patch(make([("a", bytes(30 << 20))], METHODS[method]), CENTRAL, 24, struct.pack("<L", 10))
    assert contents(data) in (["size_mismatch"], ["damaged_zip"])
    file = io.BytesIO(data)
    with pytest.raises(InvalidDocument):
        unpack(file, "s.zip", inspect(file, "s.zip", LIMITS), tmp_path)
    assert (tmp_path / "a").stat().st_size <= 1 << 16


def lzma_member(content, dictionary):
    """An archive of one LZMA member whose stream has no mark of its end."""
    shape = {"id": lzma.FILTER_LZMA1, "lc": 3, "lp": 0, "pb": 2, "dict_size": 1 << 16}
    alone = lzma.compress(content, lzma.FORMAT_ALONE, filters=[shape])
    # FORMAT_ALONE is 5 bytes of properties, 8 of size, and a stream that ends with a mark of 6 bytes or so.
    stream = alone[13:]
    head = struct.pack("<2BHBL", 9, 20, 5, alone[0], dictionary)
    body = head + stream
    local = LOCAL + struct.pack("<5H3L2H", 63, 0, 14, 0, 0, zlib.crc32(content), len(body), len(content), 1, 0) + b"a"
    entry = CENTRAL + struct.pack(
        "<6H3L5H2L", 63, 63, 0, 14, 0, 0, zlib.crc32(content), len(body), len(content), 1, 0, 0, 0, 0, 0, 0
    )
    end = END + struct.pack("<4H2LH", 0, 0, 1, 1, len(entry) + 1, len(local) + len(body), 0)
    return local + body + entry + b"a" + end


def test_a_dictionary_as_large_as_an_lzma_member_claims_is_not_made():
    content = b"text " * 20_000
    assert contents(lzma_member(content, 1 << 16)) == {"a": content}
    tracemalloc.start()
    assert contents(lzma_member(content, 0xFFFFFFFF)) == {"a": content}
    assert tracemalloc.get_traced_memory()[1] < 64 << 20
    tracemalloc.stop()


@pytest.mark.parametrize(("offset", "value"), [(4, b"\1\0"), (8, b"\7\0")], ids=["several parts", "other counts"])
def test_a_damaged_end_record_that_has_a_directory_is_not_passed_over_for_an_earlier_one(offset, value):
    """Other readers take the last one, and would find other files in the archive."""
    last = patch(make([("b", b"2")]), END, offset, value)
    assert contents(make([("a", b"1")]) + last) == ["damaged_zip"]


@pytest.mark.parametrize("properties", range(256))
def test_an_lzma_member_with_any_properties_is_read_or_refused(properties):
    data = bytearray(lzma_member(b"text " * 20, 1 << 16))
    data[len(LOCAL) + 26 + 1 + 4] = properties
    assert contents(bytes(data)) in ({"a": b"text " * 20}, ["damaged_zip"], ["size_mismatch"])


@pytest.mark.parametrize("method", [1, 6, 9, 93, 95, 98, 99])
def test_other_methods_are_refused(method):
    data = make([("a", b"x" * 100)])
    value = struct.pack("<H", method)
    assert contents(patch(patch(data, CENTRAL, 10, value), LOCAL, 8, value)) == ["unsupported_compression"]


def unicode_path(name, header=b"a", version=1, crc=None):
    data = struct.pack("<BL", version, zlib.crc32(header) if crc is None else crc) + name
    return struct.pack("<2H", 0x7075, len(data)) + data


def with_extra(*extras, names=("a",)):
    """An archive of files with these names in their headers and these extra fields in the central directory."""
    data = make([(name, b"1") for name in names])
    start = data.index(CENTRAL)
    entries, at = b"", start
    for extra, name in zip(extras, names, strict=True):
        head, tail = data[at : at + 46], data[at + 46 : at + 46 + len(name)]
        entries += head[:30] + struct.pack("<H", len(extra)) + head[32:] + tail + extra
        at += 46 + len(name)
    end = data[at:]
    return data[:start] + entries + end[:12] + struct.pack("<L", len(entries)) + end[16:]


def test_the_unicode_path_of_an_entry_is_its_name():
    assert contents(with_extra(unicode_path("dir/é😀".encode()))) == {"dir/é😀": b"1"}
    assert contents(with_extra(unicode_path(b"sub/"))) == {"sub": None}
    other = struct.pack("<2H", 0x5455, 1) + b"x"
    assert contents(with_extra(other + unicode_path(b"b") + other)) == {"b": b"1"}
    assert contents(with_extra(b"", unicode_path(b"x", b"b"), names=("a", "b"))) == {"a": b"1", "x": b"1"}


@pytest.mark.parametrize("name", [b"", b"../x", b"/etc/passwd", b"a\\..\\b", b"x\0y", b"a//b", b"x" * 256, b"\xff"])
def test_the_rules_of_paths_hold_for_a_unicode_path(name):
    assert contents(with_extra(unicode_path(name))) == ["bad_path"]


@pytest.mark.parametrize(
    ("name", "code"), [(b"a", "duplicate_entry"), (b"a/", "duplicate_entry"), (b"a/c", "path_conflict")]
)
def test_a_unicode_path_stands_in_nobodys_way(name, code):
    assert contents(with_extra(b"", unicode_path(name, b"b"), names=("a", "b"))) == [code]


@pytest.mark.parametrize(
    "extra",
    [
        unicode_path(b"b", crc=1),
        unicode_path(b"b", b"A"),
        unicode_path(b"b", version=2),
        unicode_path(b"b", version=0),
        unicode_path(b"b") + unicode_path(b"c"),
        unicode_path(b"b") * 2,
        struct.pack("<2H", 0x7075, 4) + b"\1abc",
        struct.pack("<2H", 0x7075, 0),
    ],
    ids=["checksum", "other-name", "version-2", "version-0", "two", "twice", "short", "empty"],
)
def test_a_unicode_path_that_readers_would_not_agree_on_is_refused(extra):
    assert contents(with_extra(extra)) == ["damaged_zip"]


@pytest.mark.parametrize(
    "more",
    [
        b"x",
        b"\0" * 70_000,
        END,
        END + b"\xff" * 18,
        b"PK\x05",
        END * 50,
        (END + b"\1" * 65_530) * 2,
    ],
    ids=["byte", "zeros", "mark", "full-end", "half-mark", "marks", "marks-across-borders"],
)
def test_bytes_may_follow_the_end_record(more):
    for comment in (b"", b"hello"):
        found = contents(make([("a", b"1")], comment=comment) + more)
        assert found == {"a": b"1"}


def test_an_archive_inside_another_disputes_nothing():
    inner = make([("inner", b"2")], comment=b"of the inner one")
    assert contents(make([("a.zip", inner), ("b", b"1")])) == {"a.zip": inner, "b": b"1"}
    assert contents(make([("a.zip", inner)]) + b"more") == {"a.zip": inner}


def test_two_end_records_that_could_each_be_the_one_are_refused():
    hidden = make([("evil", b"2")])
    assert contents(make([("a", b"1")], comment=hidden)) == ["two_end_records"]
    assert contents(make([("a", b"1")], comment=hidden + b"x")) == ["two_end_records"]


def test_a_million_end_records_are_not_all_tried():
    assert contents(END * 1_000_000) == ["damaged_zip"]


@pytest.mark.parametrize("offset", [0, 0x35, 1 << 20])
def test_an_end_record_of_entries_without_bytes_is_refused_since_python_takes_it_for_an_empty_archive(offset):
    data = make([("a", b"1")]) + END + b"\0\0\0\0\1\0\1\0" + struct.pack("<LLH", 0, offset, 0)
    for more in (b"", b"tail"):
        assert zipfile.ZipFile(io.BytesIO(data + more)).namelist() == []
        assert contents(data + more) == ["damaged_zip"]


def test_a_zip64_end_record_that_says_otherwise_is_refused_since_readers_would_not_agree():
    data = make([("a", b"1"), ("b", b"2")])
    at, start = data.index(END), data.index(CENTRAL)
    one = at - data.rindex(CENTRAL)

    def with_wide(count, size, offset):
        wide = struct.pack("<4sQ2H2L4Q", b"PK\x06\x06", 44, 45, 45, 0, 0, count, count, size, offset)
        locator = struct.pack("<4sLQL", b"PK\x06\x07", 0, at, 1)
        return data[:at] + wide + locator + data[at:]

    assert contents(with_wide(2, at - start, start)) == {"a": b"1", "b": b"2"}
    disputed = with_wide(1, one, start + one)
    assert zipfile.ZipFile(io.BytesIO(disputed)).namelist() == ["b"]
    assert contents(disputed) == ["damaged_zip"]
