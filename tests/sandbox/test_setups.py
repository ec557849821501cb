"""The store of challenge setups: what is in it is whole, the same to the byte, bounded, and nobody else's."""

from __future__ import annotations

import os
import shutil
import stat
import threading
from contextlib import contextmanager, suppress
from pathlib import Path

import pytest

from agentics.model.setups import KeptSetup
from agentics.sandbox import kept_setups, mounting
from agentics.sandbox.fingerprint import content, listing
from agentics.sandbox.kept_setups import products
from agentics.sandbox.places import Scratch
from agentics.sandbox.setups import SetupStore, Waiting
from tests.sandbox.setup_store import AT_ONCE, INPUTS, KEY, MADE_AT, MIB, OTHER, in_thread, leave, made

KINDS = ["loop", "tmpfs", "directory"] if os.geteuid() == 0 else ["directory"]


@pytest.fixture(params=KINDS)
def kind(request):
    return request.param


@pytest.fixture
def open_store(tmp_path):
    """A store as one evaluation has it; several at a time are several evaluations of one process."""

    @contextmanager
    def opened(kind="directory", **more):
        with Scratch(tmp_path, kind) as scratch:
            yield SetupStore(scratch_root=tmp_path, scratch=scratch, **more)

    return opened


def keep(store, key=KEY, fill=leave):
    """Make and keep a product, and end."""
    with store.claim(key, AT_ONCE) as claim:
        assert claim.product is None
        product, left = made(store, claim, fill)
    assert product is not None, claim.note
    product.close(store.scratch)
    return left


def is_there(store, key=KEY):
    with store.claim(key, AT_ONCE) as claim:
        if claim.product is not None:
            claim.product.close(store.scratch)
        return claim.product is not None


def kept_tree(store) -> Path:
    """The content of the only product, where it is a plain tree."""
    (product,) = products(store.root)
    return product.folder / "content"


def fill_up(path):
    """Leave no room on the file system of this new file."""
    with suppress(OSError), path.open("wb", buffering=0) as file:
        while True:
            file.write(bytes(4096))


def of_size(count):
    return lambda root: (root / "data").write_bytes(os.urandom(count))


# --- The same to the byte ---------------------------------------------------------------------------------------------


def test_a_later_evaluation_has_what_the_setup_left_to_the_byte(open_store, kind):
    with open_store(kind) as store:
        left = keep(store)
    with open_store(kind) as store, store.claim(KEY, AT_ONCE) as claim:
        assert content(claim.product.path) == left
        tool = claim.product.path / "env/bin/tool"
        assert tool.stat().st_mtime_ns == 1_234_567_890_123_456_789
        assert tool.samefile(claim.product.path / "cached")
        assert (claim.product.path / "sparse").stat().st_blocks * 512 < MIB
        assert (claim.product.record.made_at, claim.product.record.inputs) == (MADE_AT, INPUTS)
        claim.product.close(store.scratch)


def test_the_evaluation_that_made_it_goes_on_with_the_same(open_store, kind):
    with open_store(kind) as store, store.claim(KEY, AT_ONCE) as claim:
        product, left = made(store, claim)
        assert content(product.path) == left
        product.close(store.scratch)


@pytest.mark.skipif(os.geteuid() != 0, reason="images are for root")
def test_nobody_can_write_to_an_image_that_is_kept_not_even_root(open_store):
    with open_store("loop") as store:
        with store.claim(KEY, AT_ONCE) as claim:
            product, _ = made(store, claim)
        for _ in range(2):
            with pytest.raises(OSError, match="Read-only"):
                (product.path / "cached").write_bytes(b"x")
            product.close(store.scratch)
            with store.claim(KEY, AT_ONCE) as claim:
                product = claim.product
        product.close(store.scratch)


def test_a_product_is_kept_under_its_own_key_only(open_store, kind):
    with open_store(kind) as store:
        keep(store)
        assert (is_there(store), is_there(store, OTHER)) == (True, False)


def test_nothing_but_the_store_is_left_behind(open_store, kind, tmp_path):
    with open_store(kind) as store:
        keep(store)
    with open_store(kind) as store:
        assert is_there(store)
        root = store.root
    assert list(tmp_path.iterdir()) == [root]
    assert str(tmp_path) not in Path("/proc/self/mountinfo").read_text()
    assert sorted(path.name for path in root.iterdir()) == [f"{'a' * 64}.1", "lock"]


def test_the_store_is_behind_a_closed_door(open_store, kind):
    with open_store(kind) as store:
        keep(store)
        assert stat.S_IMODE(store.root.stat().st_mode) == 0o700


# --- One makes it, the others wait ------------------------------------------------------------------------------------


def test_of_two_at_once_one_makes_it_and_the_other_waits_for_it_and_takes_it(open_store, kind):
    with open_store(kind) as store, open_store(kind) as other:
        waits, taken = threading.Event(), []

        @contextmanager
        def around():
            waits.set()
            yield

        def second():
            with other.claim(KEY, Waiting(patience_s=60, around=around)) as claim:
                taken.append(content(claim.product.path))
                claim.product.close(other.scratch)

        with store.claim(KEY, AT_ONCE) as claim:
            thread = in_thread(second)
            assert waits.wait(30)
            product, left = made(store, claim)
        thread.join(30)
        product.close(store.scratch)
        assert taken == [left]


def test_who_waits_for_one_that_fails_makes_it(open_store):
    with open_store() as store, open_store() as other:
        waits, claims = threading.Event(), []

        @contextmanager
        def around():
            waits.set()
            yield

        def second():
            with other.claim(KEY, Waiting(patience_s=60, around=around)) as claim:
                claims.append((claim.product, claim.making is not None, claim.waited))

        with store.claim(KEY, AT_ONCE):
            thread = in_thread(second)
            assert waits.wait(30)
        thread.join(30)
        assert claims == [(None, True, True)]


def test_who_is_asked_to_stop_waits_no_longer(open_store):
    with open_store() as store, open_store() as other, store.claim(KEY, AT_ONCE):
        asked = iter([False, True])
        with other.claim(KEY, Waiting(patience_s=60, stop=lambda: next(asked))) as claim:
            assert (claim.product, claim.making, claim.waited) == (None, None, True)


def test_who_has_waited_in_vain_makes_it_alone_and_does_not_keep_it(open_store):
    with open_store() as store, open_store() as other, store.claim(KEY, AT_ONCE):
        with other.claim(KEY, AT_ONCE) as claim:
            product, _ = made(other, claim)
        assert product is None
        assert claim.note == "not kept: another evaluation is making the same"


def test_who_has_waited_in_vain_keeps_it_where_the_other_one_has_failed_meanwhile(open_store):
    with open_store() as store, open_store() as other:
        with store.claim(KEY, AT_ONCE):
            waited = other.claim(KEY, AT_ONCE)
            claim = waited.__enter__()
        product, _ = made(other, claim)
        waited.__exit__(None, None, None)
        assert product is not None
        product.close(other.scratch)


# --- Bounded ----------------------------------------------------------------------------------------------------------


def test_what_was_used_the_longest_time_ago_makes_room(open_store):
    with open_store(keep_bytes=3 * MIB) as store:
        for name in "abc":
            keep(store, f"sha256:{name * 64}", of_size(900 << 10))
        for age, name in ((1000, "a"), (3000, "b"), (2000, "c")):
            os.utime(store.root / f"{name * 64}.1/lock", (age, age))
        keep(store, f"sha256:{'d' * 64}", of_size(900 << 10))
        assert {one.key[0] for one in products(store.root)} == {"b", "c", "d"}


def test_using_a_product_makes_it_the_newest(open_store):
    with open_store() as store:
        keep(store)
        lock = store.root / f"{'a' * 64}.1/lock"
        os.utime(lock, (1000, 1000))
        assert is_there(store)
        assert lock.stat().st_mtime > 1_000_000


def test_what_is_in_use_is_not_removed_and_what_then_finds_no_room_is_not_kept(open_store):
    with open_store(keep_bytes=2 * MIB) as store, open_store(keep_bytes=2 * MIB) as other:
        keep(store, KEY, of_size(1500 << 10))
        with other.claim(KEY, AT_ONCE) as used, store.claim(OTHER, AT_ONCE) as claim:
            assert made(store, claim, of_size(1 * MIB))[0] is None
            assert claim.note == "not kept: what is in use leaves no room"
            assert (used.product.path / "data").stat().st_size == 1500 << 10
            used.product.close(other.scratch)
        assert is_there(store)
        assert not is_there(store, OTHER)


def test_what_is_larger_than_all_that_may_be_kept_is_not_kept_and_drives_nothing_out(open_store, kind):
    with open_store(kind, keep_bytes=2 * MIB) as store:
        keep(store, KEY, lambda root: (root / "small").touch())
        with store.claim(OTHER, AT_ONCE) as claim:
            place = store.scratch.bounded(16 * MIB)
            of_size(3 * MIB)(place.path)
            before = content(place.path)
            assert store.keep(claim, place, INPUTS, MADE_AT) is None
            assert "not kept: 3" in claim.note
            assert "2.0 MiB may be kept" in claim.note
            # The evaluation goes on with what it has.
            assert content(place.path) == before
        assert is_there(store)


def test_removing_all_leaves_what_is_in_use_and_says_so(open_store, kind):
    with open_store(kind) as store, open_store(kind) as other:
        keep(store)
        keep(store, OTHER)
        with other.claim(OTHER, AT_ONCE) as claim:
            gone = store.remove_all()
            assert (gone.count, gone.in_use) == (1, 1)
            assert gone.bytes > 0
            assert content(claim.product.path)
            claim.product.close(other.scratch)
        assert (store.remove_all().count, store.remove_all().count) == (1, 0)
        assert [path.name for path in store.root.iterdir()] == ["lock"]


def test_removing_all_takes_locks_of_the_dead_and_not_those_of_the_living(open_store):
    with open_store() as store, open_store() as other, other.claim(KEY, AT_ONCE):
        (store.root / f"{'b' * 64}.lock").touch()
        store.remove_all()
        assert sorted(path.name for path in store.root.iterdir()) == [f"{'a' * 64}.lock", "lock"]


# --- Anew -------------------------------------------------------------------------------------------------------------


def test_what_is_made_anew_replaces_what_is_kept_and_is_used_from_then_on(open_store, kind):
    with open_store(kind) as store:
        keep(store)
    with open_store(kind, fresh=True) as store:
        left = keep(store, fill=lambda root: (root / "new").touch())
        with store.claim(KEY, AT_ONCE) as claim:
            assert content(claim.product.path) == left
            claim.product.close(store.scratch)
        assert len(products(store.root)) == 1


def test_what_is_replaced_while_it_is_in_use_goes_when_it_no_longer_is(open_store):
    with open_store() as store, open_store(fresh=True) as anew:
        keep(store)
        with store.claim(KEY, AT_ONCE) as claim:
            before = content(claim.product.path)
            left = keep(anew, fill=lambda root: (root / "new").touch())
            assert content(claim.product.path) == before
            assert len(products(store.root)) == 2
            claim.product.close(store.scratch)
        with store.claim(KEY, AT_ONCE) as claim:
            assert content(claim.product.path) == left
            claim.product.close(store.scratch)
        keep(store, OTHER)
        assert sorted((one.key[0], one.generation) for one in products(store.root)) == [("a", 2), ("b", 1)]


def test_what_cannot_be_made_anew_leaves_what_is_kept(open_store):
    with open_store() as store, open_store(fresh=True) as anew:
        keep(store)
        assert not is_there(anew)
        assert is_there(store)


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
