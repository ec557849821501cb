"""A hostile tree, by content: everything is told, nothing followed, and nothing keeps us."""

from __future__ import annotations

import base64
import hashlib
import os
import socket
import subprocess
import sys
import textwrap

import pytest

from agentics.model.evidence.workspace import WorkspaceSnapshot
from agentics.policy.workspace import diff
from agentics.sandbox.snapshot import Reach, snapshot
from tests.deep_trees import deepen

AT = "2026-01-01T00:00:00Z"
NOTHING = "sha256:" + hashlib.sha256().hexdigest()


@pytest.fixture
def tree(tmp_path):
    made = tmp_path / "tree"
    made.mkdir()
    return made


def sha256(data: bytes) -> str:
    return "sha256:" + hashlib.sha256(data).hexdigest()


def write(root, path, data=b"text", mode=0o644):
    at = root / path
    at.parent.mkdir(parents=True, exist_ok=True)
    at.write_bytes(data)
    at.chmod(mode)
    return at


def take(root, **reach):
    return snapshot(root, captured_at=AT, reach=Reach(**reach) if reach else None)


def told(root, **reach):
    return {file.path: file for file in take(root, **reach).files}


def test_every_file_is_told_by_content_hidden_ones_included(tree):
    write(tree, "b/.hidden", b"one", 0o600)
    write(tree, "a.sh", b"three", 0o755)
    found = take(tree)
    assert (found.captured_at, found.file_count, found.total_bytes, found.truncated) == (AT, 2, 8, False)
    assert [(file.path, file.digest, file.size_bytes, file.mode, file.kind) for file in found.files] == [
        ("a.sh", sha256(b"three"), 5, "0755", "file"),
        ("b/.hidden", sha256(b"one"), 3, "0600", "file"),
    ]


def test_an_empty_workspace_has_an_empty_snapshot(tree):
    (tree / "only" / "directories").mkdir(parents=True)
    assert (take(tree).files, take(tree).file_count, take(tree).total_bytes) == ((), 0, 0)


def test_the_order_is_that_of_whole_paths(tree):
    for path in ("a/b", "a.txt", "a-b", "ab", "\u00e9", "\U0001f600", "\ufb00"):
        write(tree, path)
    paths = [file.path for file in take(tree).files]
    assert paths == sorted(paths)
    assert len(paths) == 7


def test_a_link_is_told_and_never_followed(tree, tmp_path):
    write(tmp_path, "secret", b"secret")
    (tree / "out").symlink_to("../secret")
    (tree / "folder").symlink_to(tmp_path)
    (tree / "loop").symlink_to("loop")
    (tree / "bytes").symlink_to(b"x\xff".decode(errors="surrogateescape"))
    found = told(tree)
    assert found.keys() == {"out", "folder", "loop", "bytes"}
    assert (found["out"].kind, found["out"].target, found["out"].digest) == (
        "symlink",
        "../secret",
        sha256(b"../secret"),
    )
    assert found["out"].size_bytes == len("../secret")
    assert (found["bytes"].target, found["bytes"].digest) == ("x\\xff", sha256(b"x\xff"))


def test_a_root_that_is_a_link_is_refused(tree, tmp_path):
    (tmp_path / "link").symlink_to(tree)
    with pytest.raises(OSError, match="link"):
        take(tmp_path / "link")


def test_what_is_special_is_told_and_never_opened(tree):
    os.mkfifo(tree / "fifo")
    with socket.socket(socket.AF_UNIX) as bound:
        bound.bind(str(tree / "socket"))
        found = told(tree)
    assert {path: (file.kind, file.digest, file.size_bytes) for path, file in found.items()} == {
        "fifo": ("fifo", NOTHING, 0),
        "socket": ("socket", NOTHING, 0),
    }


@pytest.mark.skipif(os.geteuid() != 0, reason="only root makes devices")
def test_a_device_is_told_and_never_opened(tree):
    os.mknod(tree / "zero", 0o666 | 0o020000, os.makedev(1, 5))
    assert told(tree)["zero"].kind == "char_device"


def test_names_that_are_not_utf8_are_told_each_as_no_other(tree):
    names = [b"\xff", b"\\xff", b"a\\\xfe", b"a\\\\\xfe", b"\xed\xa0\x80", "\u00e9".encode()]
    for name in names:
        write(tree, os.fsdecode(name), name)
    found = take(tree)
    assert found.file_count == len(names)
    assert {file.digest for file in found.files} == {sha256(name) for name in names}
    raw = {base64.b64decode(file.path_base64): file.path for file in found.files if file.path_base64}
    assert raw == {
        b"\xff": "./\\xff",
        b"a\\\xfe": "./a\\\\\\xfe",
        b"a\\\\\xfe": "./a\\\\\\\\\\xfe",
        b"\xed\xa0\x80": "./\\xed\\xa0\\x80",
    }
    assert type(found).model_validate_json(found.model_dump_json()) == found


def test_names_with_newlines_and_controls_are_names(tree):
    for name in ("a\nb", "\x1b[31m", " ", "-rf"):
        write(tree, name)
    assert told(tree).keys() == {"a\nb", "\x1b[31m", " ", "-rf"}


def test_setuid_and_sticky_bits_are_in_the_mode(tree):
    write(tree, "file", mode=0o644).chmod(0o4755)
    assert told(tree)["file"].mode == "4755"


def test_two_names_of_one_file_are_two_files_and_read_once(tree):
    os.link(write(tree, "a", b"x" * 1000), tree / "b")
    found = take(tree, bytes=1500)
    assert [file.digest for file in found.files] == [sha256(b"x" * 1000)] * 2
    assert not found.truncated


UNPRIVILEGED = """
    import os, sys
    from pathlib import Path
    from agentics.sandbox.snapshot import snapshot
    os.chdir(sys.argv[1])  # while we still may
    os.setuid(65534)
    print(snapshot(Path(), captured_at="2026-01-01T00:00:00Z").model_dump_json())
"""


@pytest.mark.skipif(os.geteuid() != 0, reason="root gives itself to somebody who may not read")
def test_what_cannot_be_read_is_told(tree):
    write(tree, "file", mode=0o000)
    write(tree, "folder/hidden").parent.chmod(0o000)
    write(tree, "list-only/name").parent.chmod(0o744)
    write(tree, "open")
    argv = [sys.executable, "-c", textwrap.dedent(UNPRIVILEGED), str(tree)]
    said = subprocess.run(argv, capture_output=True, check=False)
    assert said.returncode == 0, said.stderr
    found = {file.path: file for file in WorkspaceSnapshot.model_validate_json(said.stdout).files}
    assert {path: (file.kind, file.unread, file.digest == NOTHING) for path, file in found.items()} == {
        "file": ("file", "unreadable", True),
        "folder": ("directory", "unreadable", True),
        "list-only/name": ("unknown", "unreadable", True),
        "open": ("file", None, False),
    }


def test_more_names_than_it_looks_at_are_left_out_and_always_the_same_ones(tree):
    for number in range(50):
        write(tree, f"many/{number:02}")
    write(tree, "z")
    found = take(tree, names=12)
    assert found.truncated
    assert [file.path for file in found.files] == [*(f"many/{number:02}" for number in range(10)), "z"]
    assert not take(tree, names=52).truncated


def test_a_tree_deeper_than_it_looks_is_cut_off(tree):
    at = tree
    for _ in range(40):
        at = at / "d"
        at.mkdir()
        (at / "file").write_bytes(b"x")
    whole, cut = take(tree), take(tree, depth=32)
    assert (whole.file_count, whole.truncated) == (40, False)
    assert (cut.file_count, cut.truncated) == (32, True)


def test_a_tree_deeper_than_any_path_may_be_long_does_not_break_it(tree):
    deepen(tree, 1500, "deep-directory")
    try:
        assert (take(tree).files, take(tree).truncated) == ((), True)
    finally:
        subprocess.run(["rm", "-rf", str(tree / "deep-directory")], check=True)  # pytest's own removal recurses


def test_sparse_bytes_without_end_are_not_read(tree):
    with write(tree, "huge").open("wb") as file:
        file.truncate(1 << 40)
    write(tree, "small", b"abc")
    found = told(tree)
    assert (found["huge"].unread, found["huge"].digest, found["huge"].size_bytes) == ("too_much", NOTHING, 0)
    assert found["small"].digest == sha256(b"abc")
    assert take(tree).truncated


def test_a_file_larger_than_one_reading_is_read_whole(tree):
    data = os.urandom(3 << 20) + b"end"
    write(tree, "big", data)
    assert (told(tree)["big"].digest, told(tree)["big"].size_bytes) == (sha256(data), len(data))


def test_c28_what_happens_to_a_workspace_on_disk_is_in_its_diff(tree):
    for path in ("kept", "removed", "changed", "mode", "old-name", ".hidden", "ünï/cödé"):
        write(tree, path, path.encode())
    (tree / "link").symlink_to("kept")
    before = take(tree)
    (tree / "removed").unlink()
    write(tree, "changed", b"other")
    (tree / "mode").chmod(0o755)
    (tree / "old-name").rename(tree / "new-name")
    write(tree, ".hidden", b"more")
    write(tree, "日本/語")
    (tree / "link").unlink()
    (tree / "link").symlink_to("changed")
    delta = diff(before, take(tree), captured_at=AT)
    assert delta.added == ("new-name", "日本/語")
    assert delta.removed == ("old-name", "removed")
    assert delta.modified == (".hidden", "changed", "link", "mode")
    assert {one.path: one.renamed_from for one in delta.entries if one.renamed_from} == {"new-name": "old-name"}
    (mode,) = (one for one in delta.entries if one.path == "mode")
    assert (mode.mode_before, mode.mode, mode.digest_before) == ("0644", "0755", mode.digest_after)
