"""A tree that was changed is noticed, whatever was changed, and one that was not is the same wherever it lies."""

from __future__ import annotations

import os
import shutil
import subprocess

import pytest

from agentics.sandbox.fingerprint import allocated, content, listing

UGLY = os.fsdecode(b"\xff\xfe")


@pytest.fixture
def tree(tmp_path):
    """One of everything that a setup can leave."""
    root = tmp_path / "tree"
    (root / "bin").mkdir(parents=True)
    (root / "empty").mkdir()
    (root / "bin/tool").write_bytes(b"#!/bin/sh\n")
    (root / "bin/tool").chmod(0o755)
    (root / "data").write_bytes(b"data")
    (root / "twin").hardlink_to(root / "data")
    (root / "link").symlink_to("bin/tool")
    (root / "folder").symlink_to("bin")
    (root / "dangling").symlink_to("/nowhere")
    (root / UGLY).write_bytes(b"no UTF-8")
    with (root / "sparse").open("wb") as file:
        file.seek(8 << 20)
        file.write(b"end")
    return root


def replace_by_itself(root):
    (root / "data.new").write_bytes(b"data")
    os.utime(root / "data.new", ns=(0, (root / "data").stat().st_mtime_ns))
    (root / "data.new").replace(root / "data")


CHANGES = {
    "content": lambda root: (root / "data").write_bytes(b"atad"),
    "the end of a file": lambda root: os.truncate(root / "sparse", (8 << 20) + 2),
    "a name": lambda root: (root / "data").rename(root / "Data"),
    "a name that is not UTF-8": lambda root: (root / UGLY).rename(root / UGLY[:1]),
    "one file more": lambda root: (root / "more").touch(),
    "one file less": lambda root: (root / "bin/tool").unlink(),
    "an empty directory less": lambda root: (root / "empty").rmdir(),
    "a mode": lambda root: (root / "bin/tool").chmod(0o644),
    "the mode of a directory": lambda root: (root / "bin").chmod(0o700),
    "where a link leads": lambda root: ((root / "link").unlink(), (root / "link").symlink_to("bin/toll")),
    "a link to a directory": lambda root: ((root / "folder").unlink(), (root / "folder").symlink_to("empty")),
    "a hard link that is a copy now": replace_by_itself,
    "a time": lambda root: os.utime(root / "data", ns=(0, 1)),
    "the time of a link": lambda root: os.utime(root / "link", ns=(0, 1), follow_symlinks=False),
    "the time of a directory": lambda root: os.utime(root / "bin", ns=(0, 1)),
}


@pytest.mark.parametrize("change", CHANGES)
def test_every_change_is_noticed_by_the_inodes_and_by_the_bytes(tree, change):
    before = (listing(tree), content(tree))
    assert (listing(tree), content(tree)) == before
    CHANGES[change](tree)
    assert listing(tree) != before[0]
    assert content(tree) != before[1]


@pytest.mark.skipif(os.geteuid() != 0, reason="owners need root")
def test_another_owner_is_noticed(tree):
    before = (listing(tree), content(tree))
    os.chown(tree / "data", 65_532, -1)
    assert (listing(tree) == before[0], content(tree) == before[1]) == (False, False)


def test_a_change_whose_times_were_set_back_is_noticed_by_the_inodes(tree):
    before, times = listing(tree), (tree / "data").stat()
    (tree / "data").write_bytes(b"atad")
    os.utime(tree / "data", ns=(times.st_atime_ns, times.st_mtime_ns))
    assert listing(tree) != before


def test_reading_and_renaming_the_tree_change_nothing(tree):
    before = (listing(tree), content(tree))
    assert (tree / "link").read_bytes()
    moved = tree.rename(tree.with_name("moved"))
    assert (listing(moved), content(moved)) == before


def test_a_copy_has_other_inodes_and_the_same_content_wherever_its_holes_are(tree):
    subprocess.run(["cp", "-a", "--sparse=never", tree, tree.with_name("copy")], check=True)
    copy = tree.with_name("copy")
    assert listing(copy) != listing(tree)
    assert content(copy) == content(tree)
    assert allocated(copy) > allocated(tree) + (7 << 20)


def test_without_times_a_tree_that_was_written_again_is_the_same(tree):
    before = content(tree, times=False)
    os.utime(tree / "data", ns=(0, 1))
    assert content(tree, times=False) == before
    (tree / "bin/tool").chmod(0o644)
    assert content(tree, times=False) != before


def test_a_hole_of_a_terabyte_costs_nothing(tree):
    os.truncate(tree / "sparse", 1 << 40)
    assert content(tree)


def test_a_tree_that_is_not_there_is_an_error(tree):
    shutil.rmtree(tree)
    for ask in (listing, content, allocated):
        with pytest.raises(FileNotFoundError):
            ask(tree)
