"""The store of challenge setups: what is in it is whole, the same to the byte, bounded, and made once."""

from __future__ import annotations

import os
import stat
import threading
from contextlib import contextmanager
from pathlib import Path

import pytest

from agentics.sandbox.filelock import try_lock
from agentics.sandbox.fingerprint import content
from agentics.sandbox.kept_setups import products
from agentics.sandbox.setups import Waiting
from tests.sandbox.setup_store import (
    AT_ONCE,
    INPUTS,
    KEY,
    KINDS,
    MADE_AT,
    MIB,
    OTHER,
    in_thread,
    is_there,
    keep,
    made,
    of_size,
)


@pytest.fixture(params=KINDS)
def kind(request):
    return request.param


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


def test_what_is_kept_between_the_look_and_the_lock_is_taken(open_store, monkeypatch):
    with open_store() as store, open_store() as other:

        def lock_late(path, *, exclusive, create=False):
            monkeypatch.undo()
            keep(other)
            return try_lock(path, exclusive=exclusive, create=create)

        monkeypatch.setattr("agentics.sandbox.setups.try_lock", lock_late)
        assert is_there(store)
        assert not (store.root / f"{'a' * 64}.lock").exists()


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


def test_who_keeps_a_product_removes_the_locks_of_the_dead(open_store):
    with open_store() as store:
        keep(store)
        (store.root / f"{'c' * 64}.lock").touch()
        keep(store, OTHER)
        assert sorted(path.name for path in store.root.iterdir()) == [f"{'a' * 64}.1", f"{'b' * 64}.1", "lock"]


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
