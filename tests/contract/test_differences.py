"""Every deliberate difference from the public platform that docs/bundle-format.md names, shown once."""

import io
import re
import struct
import zipfile
import zlib
from pathlib import Path

import pytest

from agentics.archive.envelope import OVERLAY, inspect
from agentics.archive.pack import pack
from agentics.bundle import assemble, check, load_challenge
from agentics.errors import InvalidDocument
from agentics.model.document.json_text import scan
from agentics.model.document.size_caps import MANIFEST, SMALL
from agentics.model.document.strict_types import compact_json
from agentics.policy.bundle.checks import read_challenge

PAGE = (Path(__file__).parents[2] / "docs" / "bundle-format.md").read_text(encoding="utf-8")
TABLE = PAGE.partition("## Deliberate differences\n")[2]
NAMED = [row.strip() for row in re.findall(r"^\| ([^|]+) \|", TABLE, re.MULTILINE)][2:]
CENTRAL, LOCAL, END = b"PK\x01\x02", b"PK\x03\x04", b"PK\x05\x06"
SHOWN = {}


def shows(row):
    def keep(test):
        SHOWN[row] = test
        return test

    return keep


def test_every_difference_that_is_named_is_shown():
    assert sorted(NAMED) == sorted(SHOWN)


@pytest.fixture(autouse=True)
def _no_personal_ignores(monkeypatch, tmp_path):
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path / "config"))


def codes(path):
    (result,) = check(path).results
    return [finding.code for finding in result.findings]


def zipped(*names, content=b"1", comment=b""):
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive:
        archive.comment = comment
        for name in names:
            info = zipfile.ZipInfo("x")
            info.filename = name
            archive.writestr(info, content)
    return buffer.getvalue()


def patched(data, signature, offset, value, which=0):
    at = [found.start() for found in re.finditer(re.escape(signature), data)][which] + offset
    return data[:at] + value + data[at + len(value) :]


def refused(data):
    """The code for which a ZIP is refused; None if it is accepted."""
    try:
        inspect(io.BytesIO(data), "s.zip", OVERLAY)
    except InvalidDocument as error:
        return error.findings[0].code
    return None


@shows("targets of amd64")
def test_targets_of_amd64_are_accepted(spec, encoded):
    text = encoded(spec).replace(b"linux-arm64", b"linux-amd64").replace(b"linux/arm64", b"linux/amd64")
    assert read_challenge(text).findings == ()


@shows("numbers with more than 15 digits")
@pytest.mark.parametrize("number", ["9.204938554384977", "0.0009522444552911937", "1e-320"])
def test_numbers_are_read_as_the_nearest(number):
    assert float(compact_json(scan(number.encode(), SMALL).value)) == float(number)


@shows("manifests of more than 32 MiB")
def test_a_huge_manifest_is_refused(bundle):
    with (bundle / "public" / "runs.json").open("r+b") as file:
        file.truncate(MANIFEST.bytes + 1)
    assert codes(bundle) == ["too_large"]
    assert MANIFEST.bytes == 32 << 20


@shows("an official manifest that is in the bundle")
def test_an_official_manifest_is_checked_although_private_data_is_not_enabled(bundle, spec, changed, encoded):
    spec = changed(changed(spec, "/datasets/private_benchmark_enabled", False), "/execution/official_runs", "o.json")
    (bundle / "spec.json").write_bytes(encoded(spec))
    assert codes(bundle) == []
    (bundle / "o.json").write_text('{"runs": []}')
    assert codes(bundle) == ["empty_list"]
    (bundle / "o.json").unlink()
    (bundle / "spec.json").write_bytes(encoded(changed(spec, "/execution/official_runs", "public/o.json")))
    assert codes(bundle) == ["missing_file"]


@shows("scripts of a proposal")
def test_a_script_that_no_asset_may_bring_is_looked_for(proposed, proposal, changed, encoded):
    (proposed / "v1" / "separated-evaluator" / "e.py").unlink()
    assert codes(proposed) == ["missing_file"]
    brought = changed(proposal, "/private_assets/0/required_paths", ["separated-evaluator/e.py"])
    (proposed / "agentics.challenge.json").write_bytes(encoded(brought))
    assert codes(proposed) == []


@shows("a bundle without a proposal")
def test_a_bundle_alone_is_checked(bundle):
    assert codes(bundle) == []


@shows("overlays")
def test_an_overlay_may_be_a_directory_of_any_name(proposed, run_manifest, write_tree, tmp_path):
    overlay = write_tree(tmp_path / "whatever", {"private-benchmark/runs.json": run_manifest})
    made = assemble(load_challenge(proposed), [overlay], tmp_path / "dest", "official")
    assert (made.root / "private-benchmark" / "runs.json").is_file()


@shows("a bundle with its private data in place")
def test_private_data_in_place_is_run(proposed, bundle, run_manifest, write_tree, tmp_path):
    write_tree(proposed / "v1", {"private-benchmark/runs.json": run_manifest})
    assert assemble(load_challenge(proposed), [], tmp_path / "dest", "official").root == tmp_path / "dest"
    assert "private_data" in codes(proposed)
    write_tree(bundle, {"private-benchmark/runs.json": run_manifest})
    (result,) = check(bundle).results
    assert (result.status, [f.severity for f in result.findings]) == ("passed", ["warning"])


@pytest.fixture
def packed(tmp_path, write_tree, solution):
    """Names in the archive of a solution directory two levels below `tmp_path`, with these files in `tmp_path`."""

    def names(files):
        own = {"agentics.solution.json": solution, "scripts/run.sh": "", "a.log": ""}
        write_tree(tmp_path / "up" / "mine", own)
        write_tree(tmp_path, files)
        return zipfile.ZipFile(io.BytesIO(pack(tmp_path / "up" / "mine"))).namelist()

    return names


@shows("ignore files that are links")
def test_an_ignore_file_that_is_a_link_is_not_read(packed, tmp_path):
    (tmp_path / "up" / "mine").mkdir(parents=True)
    (tmp_path / "up" / "mine" / ".gitignore").symlink_to(tmp_path / "patterns")
    assert "a.log" in packed({"patterns": "*.log\n"})


@shows("`.gitignore` above the repository of the solution")
def test_a_gitignore_above_the_repository_is_not_read(packed):
    assert "a.log" not in packed({".gitignore": "*.log\n"})
    assert "a.log" in packed({"up/.git/HEAD": ""})


@shows("ZIP: two entries of one name")
@pytest.mark.filterwarnings("ignore:Duplicate name")
def test_two_entries_of_one_name_are_refused():
    assert refused(zipped("a", "a")) == "duplicate_entry"


@shows("ZIP: local headers")
def test_a_local_header_with_another_name_is_refused():
    assert refused(patched(zipped("a"), LOCAL, 30, b"b")) == "damaged_zip"


@shows("ZIP: overlapping entries")
def test_entries_that_share_bytes_are_refused():
    inner = zipped("b")[:32]  # a local header, its name and one byte
    data = zipped("a", "b", content=inner)
    inside = struct.pack("<L", data.index(LOCAL, 1))
    data = patched(data, CENTRAL, 42, inside, which=1)
    assert refused(patched(data, CENTRAL, 20, struct.pack("<2L", 1, 1), which=1)) == "overlapping_entries"


@shows("ZIP: names that are declared as UTF-8 and are not")
def test_a_name_that_is_no_utf8_is_refused():
    assert refused(zipped("é").replace("é".encode(), b"\xff\xfe")) == "bad_path"


def with_unicode_path(*fields):
    extra = b"".join(struct.pack("<2H", 0x7075, len(field)) + field for field in fields)
    data = zipped("a")
    at, end = data.index(CENTRAL), data.index(END)
    data = patched(data, END, 12, struct.pack("<L", end - at + len(extra)))
    data = patched(data, CENTRAL, 30, struct.pack("<H", len(extra)))
    return data[:end] + extra + data[end:]


@shows("ZIP: a Unicode path of another version, or a second one")
def test_a_unicode_path_of_another_version_or_a_second_one_is_refused():
    first, other = (struct.pack("<BL", version, zlib.crc32(b"a")) + b"b" for version in (1, 2))
    assert refused(with_unicode_path(first)) is None
    assert refused(with_unicode_path(other)) == "damaged_zip"
    assert refused(with_unicode_path(first, first)) == "damaged_zip"


@shows("ZIP: components of more than 255 bytes, paths of more than 3072")
def test_names_that_are_too_long_are_refused():
    assert refused(zipped("x" * 255)) is refused(zipped("/".join(["x" * 127] * 24))) is None
    assert refused(zipped("é" * 128)) == "bad_path"
    assert refused(zipped("/".join(["x" * 127] * 24) + "/x")) == "bad_path"


@shows("ZIP: links")
def test_a_link_of_any_system_is_refused():
    for system in (0, 3, 10):
        linked = patched(zipped("a"), CENTRAL, 38, struct.pack("<L", 0o120777 << 16))
        assert refused(patched(linked, CENTRAL, 5, bytes([system]))) == "symlink"


@shows("ZIP: deflate64, Zstandard, XZ and PPMd")
def test_rare_compression_is_refused():
    for method in (9, 93, 95, 98):
        assert refused(patched(zipped("a"), CENTRAL, 10, struct.pack("<H", method))) == "unsupported_compression"


@shows("ZIP: an end record in the comment of another")
def test_an_end_record_in_the_comment_of_another_is_refused():
    assert refused(zipped("a", comment=zipped("b"))) == "two_end_records"


@shows("ZIP: bytes between the central directory and its end record")
def test_bytes_before_the_end_record_are_refused():
    assert refused(zipped("a").replace(END, b"bytes" + END)) == "damaged_zip"
