"""What is kept of setups is not used once it was changed, and where it cannot be kept the evaluation goes on."""

from __future__ import annotations

import os
import shutil

import pytest

from agentics.model.evidence.setup_record import KeptSetup
from agentics.sandbox import kept_setups, mounting
from agentics.sandbox.fingerprint import content, listing
from agentics.sandbox.kept_setups import products
from agentics.sandbox.places import Scratch
from agentics.sandbox.setups import SetupStore
from tests.sandbox.setup_store import (
    AT_ONCE,
    INPUTS,
    KEY,
    KINDS,
    MADE_AT,
    MIB,
    fill_up,
    is_there,
    keep,
    kept_tree,
    leave,
    made,
    of_size,
)

# --- Changed ----------------------------------------------------------------------------------------------------------

TAMPERED = {
    "a file": lambda tree: (tree / "env/bin/tool").write_bytes(b"#!/bin/bash\n"),
    "a file, and its times set back": lambda tree: (
        (tree / "env/bin/tool").write_bytes(b"#!/bin/zh\n"),
        os.utime(tree / "env/bin/tool", ns=(1, 1_234_567_890_123_456_789)),
    ),
    "a mode": lambda tree: (tree / "env/bin/tool").chmod(0o644),
    "one file more": lambda tree: (tree / "more").touch(),
    "one file less": lambda tree: (tree / "sparse").unlink(),
    "everything": shutil.rmtree,
    "the record": lambda tree: tree.with_name("record.json").write_text("{}"),
    "half of the record": lambda tree: os.truncate(tree.with_name("record.json"), 100),
    "no record": lambda tree: tree.with_name("record.json").unlink(),
    "no lock": lambda tree: tree.with_name("lock").unlink(),
}


@pytest.mark.parametrize("change", TAMPERED)
def test_what_was_changed_is_never_used_and_made_again(open_store, change):
    with open_store() as store:
        keep(store)
        TAMPERED[change](kept_tree(store))
        assert store.report().changed == 1
        with store.claim(KEY, AT_ONCE) as claim:
            assert claim.product is None
            product, _ = made(store, claim)
            product.close(store.scratch)
        assert (store.report(whole=True).changed, store.report().count) == (0, 1)
        assert is_there(store)


def test_the_evaluation_says_why_it_did_not_take_what_was_kept(open_store):
    with open_store() as store:
        keep(store)
        (kept_tree(store) / "more").touch()
        with store.claim(KEY, AT_ONCE) as claim:
            assert claim.note == "what was kept is no longer what it was, and was not used"


@pytest.mark.skipif(os.geteuid() != 0, reason="images are for root")
def test_an_image_that_was_changed_is_not_used(open_store):
    with open_store("loop") as store:
        keep(store)
        image = kept_tree(store) / "image"
        times = image.stat()
        with image.open("r+b") as file:
            file.seek(image.stat().st_size // 2)
            file.write(b"x")
        os.utime(image, ns=(times.st_atime_ns, times.st_mtime_ns))
        assert not is_there(store)


def test_what_only_has_other_inodes_as_after_a_restore_is_used(open_store):
    with open_store() as store:
        left = keep(store)
        tree = kept_tree(store)
        tree.rename(tree.with_name("away"))
        shutil.copytree(tree.with_name("away"), tree, symlinks=True, copy_function=shutil.copy2)
        (tree / "cached").unlink()
        (tree / "cached").hardlink_to(tree / "env/bin/tool")
        os.utime(tree, ns=(1, tree.with_name("away").stat().st_mtime_ns))
        shutil.rmtree(tree.with_name("away"))
        for _ in range(2):  # the second time by its inodes
            with store.claim(KEY, AT_ONCE) as claim:
                assert content(claim.product.path) == left
                claim.product.close(store.scratch)


def test_reading_every_byte_finds_what_the_inodes_do_not_tell(open_store):
    with open_store() as store:
        keep(store)
        tree = kept_tree(store)
        (tree / "env/bin/tool").write_bytes(b"#!/bin/rot\n")
        # Bits that rot on the disk change no inode: what the record says of the inodes holds.
        record = KeptSetup.model_validate_json(tree.with_name("record.json").read_bytes())
        kept_setups.write_record(tree.parent, record.model_copy(update={"listing": listing(tree)}))
        assert (store.report().changed, store.report(whole=True).changed) == (0, 1)


# --- Where it cannot be -----------------------------------------------------------------------------------------------


@pytest.mark.skipif(os.geteuid() != 0, reason="a small file system needs root")
@pytest.mark.parametrize("kind", ["directory", "tmpfs"])
def test_on_a_full_disk_the_evaluation_goes_on_with_what_it_has(tmp_path, kind):
    root = tmp_path / "small"
    root.mkdir()
    mounting.mount("tmpfs", root, "tmpfs", "size=2m")
    try:
        with Scratch(root, kind) as scratch:
            store = SetupStore(scratch_root=root, scratch=scratch, keep_bytes=1 << 30)
            with store.claim(KEY, AT_ONCE) as claim:
                place = scratch.bounded(16 * MIB)
                of_size(MIB)(place.path)
                before = content(place.path)
                filler = scratch.plain() / "filler"
                fill_up(filler)
                assert store.keep(claim, place, INPUTS, MADE_AT) is None
                assert "No space left on device" in claim.note
                assert content(place.path) == before
                filler.unlink()
            assert products(store.root) == []
            keep(store)
    finally:
        mounting.unmount(root)


@pytest.mark.skipif(os.geteuid() != 0, reason="a file system of its own needs root")
@pytest.mark.parametrize("kind", KINDS)
def test_a_store_on_another_disk_keeps_nothing_and_says_so(open_store, kind):
    with open_store(kind) as store:
        store.root.mkdir(mode=0o700)
        mounting.mount("tmpfs", store.root, "tmpfs", "size=16m,mode=700")
        try:
            with store.claim(KEY, AT_ONCE) as claim:
                place = store.scratch.bounded(16 * MIB)
                leave(place.path)
                before = content(place.path)
                assert store.keep(claim, place, INPUTS, MADE_AT) is None
                assert "cross-device" in claim.note
                assert content(place.path) == before
        finally:
            mounting.unmount(store.root)


@pytest.mark.parametrize("what", ["a file", "a link", "open to others"])
def test_a_store_that_is_not_ours_alone_is_not_used(open_store, tmp_path, what):
    with open_store() as store:
        match what:
            case "a file":
                store.root.touch()
            case "a link":
                (tmp_path / "elsewhere").mkdir()
                store.root.symlink_to(tmp_path / "elsewhere")
            case _:
                store.root.mkdir()
                store.root.chmod(0o755)
        with store.claim(KEY, AT_ONCE) as claim:
            assert claim.product is None
            assert claim.note.startswith("what is kept of setups cannot be used: ")
            product, _ = made(store, claim)
            assert product is None


@pytest.mark.skipif(os.geteuid() != 0, reason="another owner needs root")
def test_a_store_of_another_user_is_not_used(open_store):
    with open_store() as store:
        store.root.mkdir(mode=0o700)
        os.chown(store.root, 65_532, 65_532)
        with store.claim(KEY, AT_ONCE) as claim:
            assert claim.note == (
                "what is kept of setups cannot be used: not a directory that only this user can enter"
            )
