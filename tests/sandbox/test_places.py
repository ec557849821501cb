"""Places: bounded while they are written to, opaque, and gone afterwards."""

from __future__ import annotations

import errno
import os
import stat
import threading
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from agentics.errors import StorageError
from agentics.sandbox.places import Scratch, dead, inodes_for, reap

MIB = 1 << 20
BOUNDED = ["loop", "tmpfs"] if os.geteuid() == 0 else []


def fill(path: Path) -> int:
    """How much fits."""
    written = 0
    with path.open("wb", buffering=0) as file:
        while (more := write(file.fileno(), b"x" * MIB)) is not None:
            written += more
    return written


def write(descriptor, data):
    """None when the place is full."""
    try:
        return os.write(descriptor, data)
    except OSError as error:
        if error.errno == errno.ENOSPC:
            return None
        raise


@pytest.mark.parametrize("kind", BOUNDED)
def test_a_place_holds_its_limit_and_hardly_more(tmp_path, kind):
    with Scratch(tmp_path, kind) as scratch:
        place = scratch.bounded(16 * MIB, uid=65_532)
        assert place.kind == kind
        assert 16 * MIB <= fill(place.path / "all") <= 24 * MIB
        scratch.release(place)


@pytest.mark.parametrize("kind", BOUNDED)
def test_a_place_holds_so_many_files_and_no_more(tmp_path, kind):
    with Scratch(tmp_path, kind) as scratch:
        place = scratch.bounded(64 * MIB)
        made, full = 0, None
        try:
            for number in range(place.inodes + 100):
                (place.path / f"{number}").touch()
                made += 1
        except OSError as error:
            full = error.errno
        assert full == errno.ENOSPC
        assert place.inodes - 64 <= made <= place.inodes + 64
        scratch.release(place)


@pytest.mark.parametrize("kind", [*BOUNDED, "directory"])
def test_a_place_is_empty_and_anybodys_to_write_behind_a_closed_door(tmp_path, kind):
    with Scratch(tmp_path, kind) as scratch:
        place = scratch.bounded(MIB)
        assert list(place.path.iterdir()) == []
        assert stat.S_IMODE(place.path.stat().st_mode) == 0o777
        assert stat.S_IMODE(scratch.path.stat().st_mode) == 0o700
        scratch.release(place)
        assert not place.path.exists()
        scratch.release(place)


@pytest.mark.skipif(os.geteuid() != 0, reason="owners need root")
def test_a_place_belongs_to_the_user_it_is_for(tmp_path):
    with Scratch(tmp_path) as scratch:
        assert scratch.bounded(MIB, uid=65_532).path.stat().st_uid == 65_532


@pytest.mark.parametrize("kind", [*BOUNDED, "directory"])
def test_sixteen_gibibytes_cost_no_more_disk_than_sixteen_mebibytes(tmp_path, kind):
    with Scratch(tmp_path, kind) as scratch:
        before = os.statvfs(tmp_path).f_bavail * os.statvfs(tmp_path).f_frsize
        place = scratch.bounded(16 << 30)
        after = os.statvfs(tmp_path).f_bavail * os.statvfs(tmp_path).f_frsize
        assert before - after < 64 * MIB
        scratch.release(place)


def test_the_names_tell_nothing(tmp_path):
    with Scratch(tmp_path) as scratch:
        shown = [scratch.plain(), scratch.bounded(MIB).path]
        for path in shown:
            parts = path.relative_to(tmp_path).parts
            assert all(part == "d" or (len(part) == 16 and int(part, 16) >= 0) for part in parts)


def test_nothing_stays_of_a_scratch_whatever_was_in_it(tmp_path):
    with Scratch(tmp_path) as scratch:
        scratch.bounded(MIB)
        plain = scratch.plain()
        (plain / "closed").mkdir()
        (plain / "closed/file").touch()
        (plain / "closed").chmod(0)
        (plain / "link").symlink_to("/etc/passwd")
    assert list(tmp_path.iterdir()) == []
    assert str(tmp_path) not in Path("/proc/self/mountinfo").read_text()
    assert Path("/etc/passwd").exists()


def test_the_living_are_not_reaped(tmp_path):
    with Scratch(tmp_path) as scratch:
        assert dead(tmp_path) == []
        assert reap(tmp_path) == 0
        assert scratch.path.exists()


def test_what_only_looks_like_ours_is_not_reaped(tmp_path):
    for name in ("editor", "0123456789abcdeg"):
        (tmp_path / name).mkdir()
        (tmp_path / f"{name}.lock").touch()
    assert (reap(tmp_path), dead(tmp_path)) == (0, [])
    assert len(list(tmp_path.iterdir())) == 4


def test_a_process_that_died_before_it_had_a_directory_leaves_a_lock_that_the_next_one_removes(tmp_path):
    tmp_path.chmod(0o755)
    (tmp_path / "0123456789abcdef.lock").touch()
    assert dead(tmp_path) == []
    reap(tmp_path)
    assert list(tmp_path.iterdir()) == []
    assert stat.S_IMODE(tmp_path.stat().st_mode) == 0o755


def test_places_can_be_made_side_by_side(tmp_path):
    with Scratch(tmp_path) as scratch:
        made, failed = [], []

        def one():
            try:
                for _ in range(5):
                    place = scratch.bounded(4 * MIB)
                    (place.path / "mine").write_text("x")
                    made.append(place.path)
                    scratch.release(place)
            except (OSError, StorageError) as error:
                failed.append(error)

        threads = [threading.Thread(target=one) for _ in range(8)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert failed == []
        assert len(set(made)) == 40


def test_scratch_space_where_there_can_be_none_is_an_error_that_says_so(tmp_path):
    (tmp_path / "file").touch()
    with pytest.raises(StorageError) as caught, Scratch(tmp_path / "file"):
        pass
    assert caught.value.hint


def test_inodes_grow_with_the_place_and_stay_bounded():
    assert inodes_for(1) == inodes_for(64 * MIB) == 16_384
    assert inodes_for(1 << 30) == 65_536
    assert inodes_for(1 << 50) == 262_144


def test_what_an_operator_keeps_beside_scratch_directories_is_not_touched(tmp_path):
    kept = {"notes": "text", "0123456789abcdef": "no directory of ours", "fedcba9876543210": None, "empty": None}
    for name, text in kept.items():
        (tmp_path / name).mkdir() if text is None else (tmp_path / name).write_text(text)
    (tmp_path / "fedcba9876543210" / "results.csv").write_text("1,2\n")
    (tmp_path / "aaaaaaaaaaaaaaaa").symlink_to(tmp_path / "empty")
    assert dead(tmp_path) == []
    assert reap(tmp_path) == 0
    assert len(list(tmp_path.iterdir())) == 5


def test_two_reapers_and_makers_at_once_clear_each_directory_once_and_none_that_lives(tmp_path):
    for number in range(40):
        left = tmp_path / f"{number:016x}"
        left.mkdir()
        left.with_suffix(".lock").touch()
        (left / "place").mkdir()
        (left / "place" / "file").touch()

    def make():
        living = []
        for _ in range(20):
            with Scratch(tmp_path) as scratch:
                reap(tmp_path)
                living.append(scratch.plain().is_dir())
        return all(living)

    with ThreadPoolExecutor(max_workers=4) as pool:
        cleared = [pool.submit(reap, tmp_path) for _ in range(2)]
        made = [pool.submit(make) for _ in range(2)]
        assert sum(each.result() for each in cleared) <= 40
        assert all(each.result() for each in made)
    assert list(tmp_path.iterdir()) == []
