"""What is put is whole, is read back, and a store that does not answer is not an empty one."""

from __future__ import annotations

import os
from pathlib import Path

import fsspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from agentics.errors import AgenticsError, StorageError, UsageError
from agentics.model.job.portable_names import portable_name
from agentics.storage import read_folder
from tests.storage.conftest import QUICK, SETTINGS, opened, tree

BELOW_A_FILE = "file/below"


@pytest.fixture(params=["folder", "memory", "frail"])
def url(request, tmp_path, memory, frail):
    return {"folder": str(tmp_path / "folder"), "memory": memory, "frail": frail[0]}[request.param]


def test_a_probe_leaves_nothing_not_even_folders(url, tmp_path):
    opened(f"{url}/a/b").probe()
    assert list(tmp_path.iterdir()) == []
    assert (fsspec.filesystem("memory").store, fsspec.filesystem("memory").pseudo_dirs) == ({}, [""])


def test_a_probe_leaves_what_was_there(url):
    store = opened(url)
    store.put("a/b", b"c")
    store.below("a").probe()
    assert tree(store) == {"a/b": b"c"}


@pytest.mark.parametrize("place", [BELOW_A_FILE, "file", "/proc/agentics", "x" * 300])
def test_a_place_that_cannot_be_written_is_told_before_anything_starts(place, tmp_path):
    (tmp_path / "file").write_text("x")
    with pytest.raises(UsageError) as refused:
        opened(place, tmp_path).probe()
    assert refused.value.code == "storage_not_writable"
    assert place in refused.value.message
    assert [path.name for path in tmp_path.rglob("*")] == ["file"]


def test_a_store_that_loses_what_it_took_is_not_writable(frail, monkeypatch):
    where, kind = frail
    monkeypatch.setattr(kind, "cat_file", lambda self, path: b"")
    with pytest.raises(UsageError) as refused:
        opened(where).probe()
    assert refused.value.code == "storage_not_writable"


@pytest.mark.parametrize(
    "path",
    ["", "/a", "a/", "a/../b", "..", "a//b", "a\\b", "a*b", "a?b", "a\nb", "a\udc80", ".", "./a", "x/.agentics-a"],
)
@pytest.mark.parametrize("act", ["put", "get", "exists", "delete", "below"])
def test_a_name_that_is_not_safe_is_refused(act, path, tmp_path):
    arguments = (path, b"") if act == "put" else (path,)
    with pytest.raises(UsageError) as refused:
        getattr(opened(tmp_path), act)(*arguments)
    assert refused.value.code == "storage_path_invalid"
    assert list(tmp_path.iterdir()) == []


@given(st.text(max_size=80), st.binary(max_size=50))
def test_any_task_has_a_portable_name_under_which_its_content_is_read_back(text, content):
    store = opened("memory://names")
    path = f"details/{portable_name(text)}"
    store.put(path, content)
    assert store.get(path) == content
    assert store.size(path) == len(content)
    assert path in store.paths()
    store.delete(path)
    assert not store.exists(path)


@given(st.text())
def test_any_name_is_kept_as_it_is_or_refused(text):
    store = opened("memory://any")
    try:
        store.put(text, b"x")
    except UsageError:
        assert store.paths() == ()
    else:
        assert store.paths() == (text,)
        store.delete(text)


def test_what_is_put_again_replaces_and_a_folder_is_no_file(url):
    store = opened(url)
    store.put("a/b", b"long content")
    store.put("a/b", b"c")
    assert tree(store) == {"a/b": b"c"}
    assert (store.exists("a"), store.exists("a/c"), store.exists("a/b/c")) == (False, False, False)
    assert tree(store.below("a")) == {"b": b"c"}
    assert store.below("z").paths() == ()


@pytest.mark.parametrize(
    ("url", "below"),
    [("memory://", "memory://a/b"), ("memory://x/", "memory://x/a/b"), ("/", "/a/b"), ("file:///x/", "/x/a/b")],
)
def test_a_place_below_another_is_named_as_one_would(url, below):
    store = opened(url).below("a").below("b")
    assert store.url == below
    assert store.root == f"/{below.removeprefix('memory://').removeprefix('/')}"


def test_a_file_is_put_as_its_bytes_are_and_one_that_is_not_there_is_a_failure(url, tmp_path):
    (tmp_path / "source").write_bytes(b"\x00rows")
    store = opened(url)
    store.put("a", tmp_path / "source")
    assert store.get("a") == b"\x00rows"
    with pytest.raises(StorageError) as failed:
        store.put("b", tmp_path / "nothing")
    assert failed.value.code == "storage_failed"
    assert store.paths() == ("a",)


def test_what_is_not_there_cannot_be_read_or_removed(url):
    for act in ("get", "delete"):
        with pytest.raises(StorageError) as failed:
            getattr(opened(url), act)("a")
        assert failed.value.exit_status == 5
        assert url in failed.value.message


def test_a_write_that_fails_leaves_the_old_file_and_no_half_of_the_new(tmp_path, monkeypatch):
    store = opened(tmp_path)
    store.put("a", b"old")

    def full(_):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(StorageError, match="No space left"):
        store.put("a", b"new")
    assert [(path.name, path.read_bytes()) for path in tmp_path.iterdir()] == [("a", b"old")]


def test_new_names_are_made_durable_as_their_content_is(tmp_path, monkeypatch):
    synced = set()
    monkeypatch.setattr(os, "fsync", lambda descriptor: synced.add(os.fstat(descriptor).st_ino))
    opened(tmp_path).put("a/b/c", b"d")
    places = (tmp_path, tmp_path / "a", tmp_path / "a" / "b", tmp_path / "a" / "b" / "c")
    assert {place.stat().st_ino for place in places} <= synced


def test_a_link_that_somebody_left_is_replaced_not_followed(tmp_path):
    (tmp_path / "kept").write_bytes(b"kept")
    (tmp_path / "out").mkdir()
    (tmp_path / "out" / "a").symlink_to(tmp_path / "kept")
    opened(tmp_path / "out").put("a", b"new")
    assert (tmp_path / "kept").read_bytes() == b"kept"
    assert (tmp_path / "out" / "a").read_bytes() == b"new"


@pytest.mark.parametrize("error", [ConnectionResetError(), TimeoutError()])
def test_what_passes_by_itself_is_tried_again(frail, error):
    where, kind = frail
    kind.failing = {1: error, 2: error}
    opened(where).put("a", b"b")
    assert opened(where).get("a") == b"b"
    assert kind.writes == 3


def test_tries_are_bounded(frail):
    where, kind = frail
    kind.failing = {number: ConnectionResetError("gone") for number in range(1, 10)}
    with pytest.raises(StorageError, match="ConnectionResetError: gone"):
        opened(where).put("a", b"b")
    assert kind.writes == QUICK.attempts


@pytest.mark.parametrize("error", [PermissionError(13, "denied"), OSError(28, "full"), ValueError("odd")])
def test_what_does_not_pass_by_itself_is_tried_once(frail, error):
    where, kind = frail
    kind.failing = {1: error}
    with pytest.raises(StorageError):
        opened(where).put("a", b"b")
    assert kind.writes == 1


def test_a_store_that_cannot_say_what_it_has_is_not_taken_for_an_empty_one(frail, monkeypatch):
    where, kind = frail
    store = opened(where)
    store.put("a", b"b")

    def broken(*_, **__):
        raise PermissionError(13, "denied")

    monkeypatch.setattr(kind, "info", broken)
    monkeypatch.setattr(kind, "ls", broken)
    for act in (lambda: store.exists("a"), store.paths, store.probe):
        with pytest.raises(AgenticsError, match="denied"):
            act()


def test_a_message_holds_no_secret_of_the_environment(frail, monkeypatch):
    monkeypatch.setenv("SOME_SERVICE_TOKEN", "hunter2secret")
    where, kind = frail
    kind.failing = {1: ValueError("you sent hunter2secret and password=another1")}
    with pytest.raises(StorageError) as failed:
        opened(where).put("a", b"b")
    assert "you sent" in failed.value.message
    assert "hunter2secret" not in failed.value.message
    assert "another1" not in failed.value.message


def test_a_driver_that_does_not_come_up_is_infrastructure(frail, monkeypatch):
    where, kind = frail

    def refuse(self, *_, **__):
        raise OSError("no route to password=hunter2secret")

    monkeypatch.setattr(kind, "__init__", refuse)
    kind.clear_instance_cache()
    with pytest.raises(StorageError, match="no route") as failed:
        opened(where)
    assert "hunter2" not in failed.value.message


def test_a_folder_is_read_without_what_is_no_document(tmp_path, memory):
    for url in (tmp_path, memory):
        store = opened(url)
        for path in ("a.json", "b.toml", "c.txt", "below/d.json"):
            store.put(path, b"{}")
        assert read_folder(str(url), SETTINGS, base=Path("/")) == {"a.json": b"{}", "b.toml": b"{}"}


def test_a_document_that_is_too_large_is_refused_unread(tmp_path, monkeypatch):
    opened(tmp_path).put("a.json", b" " * ((1 << 20) + 1))
    with pytest.raises(UsageError) as refused:
        read_folder(str(tmp_path), SETTINGS, base=Path("/"))
    assert refused.value.code == "document_too_large"
