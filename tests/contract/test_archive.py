"""ZIPs from outside: whatever they claim, the answer is findings, and nothing is written where it must not be."""

import hashlib
import io
import stat
import struct
import zipfile
import zlib

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from agentics.archive import extract, read_solution
from agentics.archive.envelope import ArchiveLimits, inspect, unpack, verify
from agentics.errors import InvalidDocument

MANIFEST = b'{"protocol":"zip_project","protocol_version":1,"commands":{"run":"run.sh"}}'
SMALL = ArchiveLimits(compressed=1 << 20, expanded=1 << 16, entries=8)


def make(entries, **options):
    """A ZIP of (name or ZipInfo, content)."""
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", options.get("method", zipfile.ZIP_DEFLATED)) as archive:
        for name, content in entries:
            archive.writestr(name, content)
    return buffer.getvalue()


def named(name):
    """An entry whose name the writer does not clean."""
    info = zipfile.ZipInfo("x")
    info.filename = name
    info.compress_type = zipfile.ZIP_DEFLATED
    return info


def codes(data, limits=SMALL):
    try:
        file = io.BytesIO(data)
        verify(file, "s.zip", inspect(file, "s.zip", limits))
    except InvalidDocument as error:
        return [finding.code if finding.file == "s.zip" else "wrong file" for finding in error.findings]
    return []


@pytest.fixture
def zipped(tmp_path):
    def write(entries, name="mine.zip"):
        path = tmp_path / name
        path.write_bytes(entries if isinstance(entries, bytes) else make(entries))
        return path

    return write


def test_a_zip_in_order_is_read_and_unpacked(zipped, tmp_path):
    entries = [
        ("agentics.solution.json", MANIFEST),
        ("run.sh", b"echo"),
        ("dir/", b""),
        ("ünï code/a b.txt", b"x" * 999),
    ]
    path = zipped(entries)
    package = read_solution(path)
    assert package.name == "mine"
    assert package.manifest.commands.run == "run.sh"
    assert package.sha256 == hashlib.sha256(path.read_bytes()).hexdigest()
    assert package.zip_bytes == path.stat().st_size
    assert package.uncompressed_bytes == len(MANIFEST) + 4 + 999
    assert package.file_count == 4
    dest = tmp_path / "out"
    dest.mkdir()
    extract(package, dest)
    assert (dest / "ünï code" / "a b.txt").read_bytes() == b"x" * 999
    assert stat.S_IMODE((dest / "run.sh").stat().st_mode) == 0o644
    assert stat.S_IMODE((dest / "dir").stat().st_mode) == 0o755
    assert read_solution(path, name="other").name == "other"


def test_permission_bits_are_not_restored(zipped, tmp_path):
    info = zipfile.ZipInfo("run.sh")
    info.external_attr = (stat.S_IFREG | 0o4777) << 16
    extract(read_solution(zipped([("agentics.solution.json", MANIFEST), (info, b"")])), tmp_path)
    assert stat.S_IMODE((tmp_path / "run.sh").stat().st_mode) == 0o644


def test_a_declared_script_need_not_be_in_a_zip(zipped):
    assert read_solution(zipped([("agentics.solution.json", MANIFEST)])).file_count == 1


@pytest.mark.parametrize(
    "name",
    [
        "",
        "/etc/passwd",
        "\\a",
        "a\0b",
        "../a",
        "a/../b",
        "a/./b",
        "a//b",
        "..",
        ".",
        "a\\..\\b",
        "..\\a",
        "./a",
        "/",
        "x" * 256,
        "a/" * 2000 + "b",
    ],
)
def test_a_path_that_leads_elsewhere_is_refused(name):
    assert codes(make([(named(name), b"")])) == ["bad_path"]


@pytest.mark.parametrize("name", ["a", "a/b", "a\\b", "a/", "a//", "..a", "...", "a b", "日本", "a\nb", "C:"])
def test_other_paths_are_accepted(name):
    assert codes(make([(named(name), b"")])) == []


def test_a_backslash_separates(tmp_path):
    file = io.BytesIO(make([(named("dir\\run.sh"), b"1")]))
    unpack(file, "z", inspect(file, "z", SMALL), tmp_path)
    assert (tmp_path / "dir" / "run.sh").read_bytes() == b"1"


@pytest.mark.parametrize(
    ("names", "code"),
    [
        (["dir/run.sh", "dir\\run.sh"], "duplicate_entry"),
        (["a/", "a"], "duplicate_entry"),
        (["a/", "a//"], "duplicate_entry"),
        (["a", "a/b"], "path_conflict"),
        (["a/b/c", "a/b"], "path_conflict"),
    ],
)
def test_entries_in_each_others_way_are_refused(names, code):
    assert codes(make([(named(name), b"") for name in names])) == [code]


def test_symbolic_links_are_refused():
    info = zipfile.ZipInfo("link")
    info.external_attr = (stat.S_IFLNK | 0o777) << 16
    assert codes(make([(info, b"/etc/passwd")])) == ["symlink"]
    info.create_system = 0
    assert codes(make([(info, b"/etc/passwd")])) == ["symlink"]


def test_stored_entries_are_accepted():
    assert codes(make([("a", b"x" * 100)], method=zipfile.ZIP_STORED)) == []


def test_limits_are_inclusive(tmp_path):
    assert codes(make([(f"f{i}", b"") for i in range(8)])) == []
    assert codes(make([(f"f{i}", b"") for i in range(9)])) == ["too_many_entries"]
    assert codes(make([(f"d{i}/", b"") for i in range(9)])) == ["too_many_entries"]
    assert codes(make([("a", bytes(1 << 15)), ("b", bytes(1 << 15))])) == []
    assert codes(make([("a", bytes(1 << 15)), ("b", bytes((1 << 15) + 1))])) == ["archive_too_large"]
    data = make([("a", b"")])
    assert codes(data, ArchiveLimits(compressed=len(data), expanded=1, entries=1)) == []
    assert codes(data, ArchiveLimits(compressed=len(data) - 1, expanded=1, entries=1)) == ["archive_too_large"]


def test_solutions_have_the_limits_of_the_contract(zipped):
    manifest = [("agentics.solution.json", MANIFEST)]
    read_solution(zipped(manifest + [(f"f{i}", b"") for i in range(255)]))
    with pytest.raises(InvalidDocument, match="256"):
        read_solution(zipped(manifest + [(f"f{i}", b"") for i in range(256)]))
    rest = 50 * 1024 * 1024 - len(MANIFEST)
    read_solution(zipped([*manifest, ("big", bytes(rest))]))
    with pytest.raises(InvalidDocument, match="52428800"):
        read_solution(zipped([*manifest, ("big", bytes(rest + 1))]))
    with pytest.raises(InvalidDocument, match="20971520"):
        read_solution(zipped(b"x" * (20 * 1024 * 1024 + 1)))


def patch(data, signature, offset, fmt, value, which=0):
    """Overwrite a field of the `which`-th structure that starts with the signature."""
    at = -1
    for _ in range(which + 1):
        at = data.index(signature, at + 1)
    changed = bytearray(data)
    struct.pack_into(fmt, changed, at + offset, value)
    return bytes(changed)


CENTRAL, LOCAL, END = b"PK\x01\x02", b"PK\x03\x04", b"PK\x05\x06"


def test_encrypted_entries_are_refused():
    data = make([("a", b"secret")])
    for flag in (1, 0x40, 0x2000):
        assert codes(patch(data, CENTRAL, 8, "<H", flag)) == ["encrypted_entry"]


@pytest.mark.parametrize("declared", [0, 1, 99, 101, 5000])
def test_sizes_that_lie_are_refused(declared):
    for method in (zipfile.ZIP_DEFLATED, zipfile.ZIP_STORED, zipfile.ZIP_BZIP2, zipfile.ZIP_LZMA):
        data = make([("a", b"x" * 100)], method=method)
        assert codes(patch(data, CENTRAL, 24, "<L", declared)) == ["size_mismatch"]


def test_checksums_that_lie_are_refused():
    assert codes(patch(make([("a", b"x")]), CENTRAL, 16, "<L", 1)) == ["damaged_zip"]


def test_a_bomb_that_declares_little_is_stopped_where_it_lies(tmp_path):
    data = patch(make([("a", bytes(30 << 20))]), CENTRAL, 24, "<L", 10)
    assert codes(data) == ["size_mismatch"]
    file = io.BytesIO(data)
    with pytest.raises(InvalidDocument):
        unpack(file, "z", inspect(file, "z", SMALL), tmp_path)
    assert (tmp_path / "a").stat().st_size <= 1 << 16


def test_entries_that_share_bytes_are_refused():
    data = make([("aa", b"x" * 50), ("bb", b"x" * 50)])
    first = struct.unpack_from("<L", data, data.index(CENTRAL) + 42)[0]
    found = codes(patch(data, CENTRAL, 42, "<L", first, which=1))
    assert found in (["overlapping_entries"], ["damaged_zip"])
    grown = patch(data, CENTRAL, 20, "<L", 1000)
    assert codes(grown) == ["overlapping_entries"]


@pytest.mark.parametrize(
    "damage",
    [
        lambda d: b"",
        lambda d: b"PK",
        lambda d: d[:-1],
        lambda d: d[: len(d) // 2],
        lambda d: b"not a zip" * 100,
        lambda d: patch(d, END, 8, "<H", 3),
        lambda d: patch(patch(d, END, 8, "<H", 0), END, 10, "<H", 0),
        lambda d: patch(d, END, 4, "<H", 1),
        lambda d: patch(d, END, 12, "<L", 1 << 30),
        lambda d: patch(d, END, 16, "<L", 1 << 30),
        lambda d: patch(d, CENTRAL, 0, "<L", 0),
        lambda d: patch(d, CENTRAL, 28, "<H", 60000),
        lambda d: patch(d, CENTRAL, 42, "<L", 1 << 20),
        lambda d: patch(d, CENTRAL, 42, "<L", 3),
        lambda d: patch(d, LOCAL, 0, "<L", 0),
        lambda d: patch(d, LOCAL, 30, "<B", ord("Z")),
        lambda d: patch(d, LOCAL, 26, "<H", 60000),
    ],
)
def test_archives_that_contradict_themselves_are_refused(damage):
    data = make([("file.txt", b"content " * 10), ("other.txt", b"more")])
    assert codes(damage(data)) != []


def test_a_comment_and_a_prefix_do_no_harm():
    data = make([("a", b"1")])
    with_comment = patch(data, END, 20, "<H", 5) + b"hello"
    assert codes(with_comment) == []
    assert codes(b"#!/bin/sh\n" + data) == []


def test_zip64_is_understood():
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive, archive.open(zipfile.ZipInfo("a"), "w", force_zip64=True) as entry:
        entry.write(b"x" * 10)
    assert codes(buffer.getvalue()) == []


def test_names_without_the_utf8_flag_are_code_page_437():
    data = make([("é", b"")])
    data = patch(data, CENTRAL, 8, "<H", 0)
    assert codes(data) == []
    broken = make([("éé", b"")]).replace("éé".encode(), b"\xff\xfe\xff\xfe")
    assert codes(broken) == ["bad_path"]


def test_the_manifest_is_at_the_top_under_its_exact_name(zipped):
    for name in ("sub/agentics.solution.json", "Agentics.solution.json", "agentics.solution.json/"):
        with pytest.raises(InvalidDocument, match=r"no agentics\.solution\.json"):
            read_solution(zipped([(name, MANIFEST if name[-1] != "/" else b"")]))


def test_the_manifest_is_small(zipped):
    read_solution(zipped([("agentics.solution.json", MANIFEST + b" " * (131_072 - len(MANIFEST)))]))
    with pytest.raises(InvalidDocument, match="131072"):
        read_solution(zipped([("agentics.solution.json", MANIFEST + b" " * (131_073 - len(MANIFEST)))]))


def test_a_bad_manifest_is_told_with_its_findings(zipped):
    with pytest.raises(InvalidDocument) as caught:
        read_solution(zipped([("agentics.solution.json", b'{"protocol":1,"x":2}')]))
    assert {f.code for f in caught.value.findings} == {"unknown_value", "missing_key", "unknown_key"}
    assert {f.file for f in caught.value.findings} == {"agentics.solution.json"}


def test_what_is_not_there_is_told(tmp_path):
    with pytest.raises(InvalidDocument, match="cannot be read"):
        read_solution(tmp_path / "nothing.zip")


def test_unpacking_overwrites_nothing(zipped, tmp_path):
    package = read_solution(zipped([("agentics.solution.json", MANIFEST), ("run.sh", b"new")]))
    dest = tmp_path / "dest"
    dest.mkdir()
    (dest / "run.sh").write_bytes(b"old")
    with pytest.raises(InvalidDocument, match="already there"):
        extract(package, dest)
    assert (dest / "run.sh").read_bytes() == b"old"


def test_unpacking_goes_through_no_link(zipped, tmp_path):
    outside, dest = tmp_path / "outside", tmp_path / "dest"
    outside.mkdir()
    dest.mkdir()
    (dest / "dir").symlink_to(outside)
    package = read_solution(zipped([("agentics.solution.json", MANIFEST), ("dir/run.sh", b"new")]))
    with pytest.raises(InvalidDocument):
        extract(package, dest)
    assert list(outside.iterdir()) == []


SAMPLE = make([("agentics.solution.json", MANIFEST), ("a/b", b"data " * 20), ("c/", b"")])


@settings(max_examples=300, deadline=None)
@given(
    st.lists(st.tuples(st.integers(0, len(SAMPLE) - 1), st.integers(0, 255)), max_size=6), st.integers(0, len(SAMPLE))
)
def test_no_damage_makes_the_reader_fail(changes, cut):
    data = bytearray(SAMPLE)
    for at, value in changes:
        data[at] = value
    codes(bytes(data[:cut] if cut % 3 == 0 else data))


@settings(deadline=None)
@given(st.binary(max_size=300))
def test_no_bytes_make_the_reader_fail(data):
    codes(data + zlib.compress(data))
    codes(END + data)
