"""A publication is whole when its last file is there, everywhere alike, and one that stopped half-way is completed."""

from __future__ import annotations

import os

import pytest

from agentics.errors import AgenticsError, Refused, StorageError
from agentics.storage import publish
from tests.storage.conftest import FILES, LAST, opened, tree


def test_d6_folders_and_memory_are_left_with_the_same_tree(tmp_path, memory, frail):
    for store in (opened(tmp_path / "here"), opened(f"file://{tmp_path}/there"), opened(memory), opened(frail[0])):
        store.probe()
        assert publish(store, FILES, LAST)[-1] == LAST
        assert tree(store) == FILES
        assert publish(store, FILES, LAST) == ()


@pytest.mark.parametrize("broken", range(1, len(FILES) + 1))
def test_d6_what_stops_half_way_has_no_results_and_the_next_time_completes_it(frail, broken):
    where, kind = frail
    kind.failing = {broken: OSError(28, "No space left on device")}
    store = opened(where)
    with pytest.raises(StorageError, match="No space left"):
        publish(store, FILES, LAST)
    assert LAST not in store.paths()
    assert len(store.paths()) == broken - 1
    assert len(publish(store, FILES, LAST)) == len(FILES) - broken + 1
    assert tree(store) == FILES


class Killed(BaseException):
    """As a process ends that is killed: nobody cleans up."""


@pytest.mark.parametrize("broken", range(1, len(FILES) + 1))
def test_d6_what_is_killed_half_way_has_no_results_and_the_next_time_leaves_no_trace_of_it(
    tmp_path, monkeypatch, broken
):
    store = opened(tmp_path)
    renamed = []
    replace = os.replace

    def dying(source, target):
        renamed.append(target)
        if len(renamed) == broken:
            # What a kill leaves: its half is still there, whatever this process does afterwards.
            os.link(source, f"{source}-left")
            raise Killed
        replace(source, target)

    monkeypatch.setattr("pathlib.Path.replace", dying)
    with pytest.raises(Killed):
        publish(store, FILES, LAST)
    assert LAST not in store.paths()
    assert len(list(tmp_path.rglob(".agentics-*"))) == 1
    publish(store, FILES, LAST)
    assert tree(store) == FILES
    assert {path.relative_to(tmp_path).as_posix() for path in tmp_path.rglob("*") if path.is_file()} == FILES.keys()


def test_a_file_that_was_damaged_is_written_again(tmp_path, memory):
    for store in (opened(tmp_path), opened(memory)):
        publish(store, FILES, LAST)
        store.put("jobspec.json", b"[]\n")
        assert publish(store, FILES, LAST) == ("jobspec.json",)
        assert tree(store) == FILES


@pytest.mark.parametrize("other", [b"other", b"x" * len(FILES[LAST])])
def test_another_result_under_the_same_name_is_refused_and_stays(tmp_path, other):
    store = opened(tmp_path)
    publish(store, FILES, LAST)
    with pytest.raises(Refused) as refused:
        publish(store, {**FILES, LAST: other, "new": b""}, LAST)
    assert refused.value.code == "storage_conflict"
    assert tree(store) == FILES


def test_nothing_is_written_where_it_cannot_be_known_what_is_there(frail, monkeypatch):
    where, kind = frail

    def gone(*_, **__):
        raise ConnectionResetError("gone")

    monkeypatch.setattr(kind, "info", gone)
    with pytest.raises(StorageError, match="gone"):
        publish(opened(where), FILES, LAST)
    assert kind.writes == 0


def test_one_name_that_cannot_be_stops_all_of_them(tmp_path):
    with pytest.raises(AgenticsError) as refused:
        publish(opened(tmp_path), {"a": b"", "b*c": b"", "last": b""}, "last")
    assert refused.value.code == "storage_path_invalid"
    assert list(tmp_path.iterdir()) == []


def test_files_are_published_by_their_paths_too(tmp_path):
    (tmp_path / "rows").write_bytes(b"rows")
    store = opened(tmp_path / "out")
    files = {"details": tmp_path / "rows", "last": b"done"}
    assert publish(store, files, "last") == ("details", "last")
    assert publish(store, files, "last") == ()
    assert tree(store) == {"details": b"rows", "last": b"done"}
