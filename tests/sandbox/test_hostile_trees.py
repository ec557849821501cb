"""Trees that somebody hostile made are walked and removed, whatever their depth, modes and size."""

from __future__ import annotations

import io
import os
import zipfile
from pathlib import Path

import pytest

from agentics.archive import hostile
from agentics.archive.envelope import OVERLAY, inspect
from agentics.archive.tree import walk as archive_walk
from agentics.errors import InvalidDocument
from agentics.sandbox.fingerprint import content
from agentics.sandbox.places import Scratch, dead, reap, retry, set_aside
from tests.deep_trees import deepen
from tests.sandbox.plain_user import as_plain_user

LEVELS = 5000
MODES = (0o000, 0o100, 0o200, 0o300, 0o400, 0o500, 0o600, 0o1000, 0o2000, 0o1777, 0o2070, 0o4000)


def descriptors() -> int:
    return sum(1 for _ in Path("/proc/self/fd").iterdir())


@pytest.fixture
def deep(tmp_path):
    """pytest's own way to clear up recurses."""
    root = tmp_path / "deep"
    deepen(root, LEVELS)
    yield root
    hostile.remove(root)


@pytest.mark.parametrize("levels", [LEVELS, pytest.param(100_000, marks=pytest.mark.slow)])
def test_a_tree_of_any_depth_is_removed_by_a_plain_user_with_64_descriptors(tmp_path, levels):
    assert (
        as_plain_user(
            tmp_path,
            f"""
        deepen("t", {levels})
        os.chmod("t", 0)
        remove(Path("t"))
        print(json.dumps(os.listdir()))
        """,
        )
        == []
    )


def test_a_walk_ends_at_its_depth_and_holds_two_descriptors(deep):
    before = descriptors()
    held, seen = 0, []
    for node in hostile.walk(deep):
        seen.append(node.depth)
        held = max(held, descriptors() - before)
    assert seen == [*range(hostile.MAX_DEPTH + 1)]
    assert held == 2
    assert descriptors() == before


def test_a_walk_tells_every_entry_once_in_the_order_of_names(tmp_path):
    for name in ("b/y", "b/x/1", "a", "b/x/2", "c/z"):
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).touch()
    found = [node.path for node in hostile.walk(tmp_path)]
    assert found == ["a", "b", "b/x", "b/x/1", "b/x/2", "b/y", "c", "c/z"]


def test_a_directory_that_is_moved_while_it_is_walked_leads_nowhere_else(tmp_path):
    for name in ("top/a/b/1", "top/a/2", "top/c", "other/a/secret"):
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).touch()
    found = []
    for node in hostile.walk(tmp_path / "top", hostile.Manner(lenient=True)):
        found.append(node.path)
        if node.path == "a/b/1":
            (tmp_path / "top" / "a").rename(tmp_path / "gone")
            (tmp_path / "other" / "a").rename(tmp_path / "top" / "a")
    assert found == ["a", "a/2", "a/b", "a/b/1", "c"]


def test_links_are_removed_and_what_they_lead_to_is_not(tmp_path):
    (tmp_path / "kept").mkdir()
    (tmp_path / "kept" / "file").touch()
    (tmp_path / "t" / "inner").mkdir(parents=True)
    (tmp_path / "t" / "inner" / "link").symlink_to(tmp_path / "kept")
    (tmp_path / "t" / "link").symlink_to(tmp_path / "kept")
    hostile.remove(tmp_path / "t")
    hostile.remove(tmp_path / "not there")
    assert sorted(path.name for path in tmp_path.rglob("*")) == ["file", "kept"]


def test_a_directory_of_twenty_thousand_long_names_is_removed(tmp_path):
    root = tmp_path / "t"
    root.mkdir()
    for number in range(20_000):
        os.mknod(root / f"{number:05}{'n' * 250}")
    hostile.remove(root)
    assert not root.exists()


def test_whatever_modes_a_plain_user_left_its_tree_is_removed(tmp_path):
    assert (
        as_plain_user(
            tmp_path,
            f"""
        for number, mode in enumerate({MODES!r}):
            os.makedirs(f"t/{{number}}/inner/deeper")
            for path in (f"t/{{number}}/file", f"t/{{number}}/inner/file"):
                open(path, "w").close()
                os.chmod(path, mode)
            os.chmod(f"t/{{number}}/inner/deeper", mode)
            os.chmod(f"t/{{number}}/inner", mode)
            os.chmod(f"t/{{number}}", mode)
        remove(Path("t"))
        print(json.dumps(os.listdir()))
        """,
        )
        == []
    )


@pytest.mark.parametrize("mode", MODES)
def test_modes_keep_nothing_of_what_a_plain_user_left_from_us(tmp_path, mode):
    """Root reads it whatever its modes are, and so the case ends alike for both."""
    assert as_plain_user(
        tmp_path,
        f"""
        os.makedirs("t/a/b")
        Path("t/a/b/file").write_text("text")
        for path in ("t/a/b/file", "t/a/b", "t/a", "t"):
            os.chmod(path, {mode})
        counted = usage(Path("t"))[1]
        os.chmod("t", {mode})
        found = collect(Path("t"), Path("taken"), Caps())
        print(json.dumps([counted, [file.path for file in found.files], found.violation and found.violation.kind]))
        """,
    ) == [4, ["a/b/file"], None]


def test_a_look_at_how_full_a_place_is_changes_no_mode_that_lets_us_in(tmp_path):
    """It is taken while the program runs, which may look at its modes."""
    assert as_plain_user(
        tmp_path,
        """
        os.makedirs("t/read-only/inner")
        os.makedirs("t/closed/inner")
        for path, mode in (("t/closed", 0), ("t/read-only", 0o2555), ("t", 0o1555)):
            os.chmod(path, mode)
        counted = usage(Path("t"))[1]
        print(json.dumps([counted, [oct(os.stat(path).st_mode & 0o7777) for path in ("t", "t/read-only", "t/closed")]]))
        """,
    ) == [5, ["0o1555", "0o2555", "0o500"]]


def test_a_plain_users_place_is_gone_whatever_was_left_in_it_and_so_is_a_dead_ones(tmp_path):
    assert as_plain_user(
        tmp_path,
        """
        def spoil(place):
            os.makedirs(place / "output" / "closed")
            deepen(place / "deep", 1500)
            os.chmod(place / "output" / "closed", 0)
            os.chmod(place / "output", 0)
            os.chmod(place, 0)

        with Scratch(Path("scratch"), "directory") as scratch:
            place = scratch.bounded(1 << 20)
            spoil(place.path)
            scratch.release(place)
            released = not place.path.exists()
        if (child := os.fork()) == 0:
            spoil(Scratch(Path("scratch"), "directory").__enter__().bounded(1 << 20).path)
            os._exit(0)
        os.waitpid(child, 0)
        print(json.dumps([released, len(dead(Path("scratch"))), reap(Path("scratch")), os.listdir("scratch")]))
        """,
    ) == [True, 1, 1, []]


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can leave what a plain user cannot remove")
def test_what_cannot_be_removed_is_named_once_and_set_aside_and_everything_else_goes(tmp_path):
    scratch = tmp_path / "scratch"
    told = as_plain_user(
        tmp_path,
        """
        for name in ("0" * 16, "f" * 16):
            os.makedirs(f"scratch/{name}/own/other")
            open(f"scratch/{name}.lock", "w").close()
        print("[]")
        """,
    )
    assert told == []
    stuck = scratch / ("0" * 16) / "own" / "other"
    (stuck / "file").touch()
    os.chown(stuck, 0, 0)
    for expected in ([2, 1], [0, 0]):
        told = as_plain_user(
            tmp_path,
            """
            import io, logging
            said = io.StringIO()
            logging.getLogger().addHandler(logging.StreamHandler(said))
            root = Path("scratch")
            count = reap(root)
            with Scratch(root, "directory") as scratch:
                scratch.plain()
            print(json.dumps([count, said.getvalue().count("set aside"), [path.name for path in set_aside(root)]]))
            """,
        )
        assert told == [*expected, [f"set-aside-{'0' * 16}"]]
    assert [path.name for path in set_aside(scratch)] == [path.name for path in scratch.iterdir()]
    assert retry(scratch) == 1
    assert not list(scratch.iterdir())


def test_a_scratch_directory_with_a_deep_tree_goes_with_its_process(tmp_path, deep):
    with Scratch(tmp_path / "scratch", "directory") as scratch:
        deep.rename(scratch.plain() / "deep")
    assert not list((tmp_path / "scratch").iterdir())
    assert (reap(tmp_path / "scratch"), dead(tmp_path / "scratch")) == (0, [])


def test_a_deep_product_of_a_setup_is_not_kept_and_breaks_nothing(deep):
    with pytest.raises(OSError, match="deeper"):
        content(deep)


def test_a_deep_overlay_is_refused_as_a_directory_and_as_a_zip(deep):
    with pytest.raises(InvalidDocument, match="deeper"):
        list(archive_walk(deep))
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w") as archive:
        archive.writestr("d/" * 1000 + "file", "")
    with pytest.raises(InvalidDocument) as raised:
        inspect(file, "overlay.zip", OVERLAY)
    assert [finding.code for finding in raised.value.findings] == ["bad_path"]


def test_memory_does_not_grow_with_the_size_of_a_tree_that_is_removed(tmp_path):
    told = as_plain_user(
        tmp_path,
        """
        import tracemalloc
        os.mkdir("t")
        for number in range(20_000):
            os.close(os.open(f"t/{number:05}" + "n" * 250, os.O_CREAT | os.O_WRONLY))
        tracemalloc.start()
        remove(Path("t"))
        print(json.dumps(tracemalloc.get_traced_memory()[1]))
        """,
    )
    assert isinstance(told, int)
    assert told < 3 << 20  # the names alone are 6 MiB
