"""What became of a workspace between two snapshots."""

from __future__ import annotations

import hashlib

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from agentics.model.evidence.workspace import WorkspaceFile, WorkspaceSnapshot
from agentics.policy.workspace import diff, patch

BEFORE, AFTER, LATER = (f"2026-01-01T00:00:0{second}Z" for second in range(3))


def file(path, content=b"text", **facts):
    digest = "sha256:" + hashlib.sha256(content).hexdigest()
    return WorkspaceFile(**{"path": path, "digest": digest, "size_bytes": len(content), "mode": "0644", **facts})


def link(path, target):
    return file(path, target.encode(), kind="symlink", target=target, mode="0777")


def taken(*files, truncated=False, at=BEFORE):
    ordered = tuple(sorted(files, key=lambda one: one.path))
    size = sum(one.size_bytes for one in ordered)
    return WorkspaceSnapshot(
        captured_at=at, file_count=len(ordered), total_bytes=size, files=ordered, truncated=truncated
    )


def delta(before, after):
    return diff(taken(*before), taken(*after, at=AFTER), captured_at=LATER)


def lists(found):
    return list(found.added), list(found.removed), list(found.modified)


def test_c3_the_documents_have_the_keys_of_the_contract():
    found, made = (
        delta([file("a")], [file("b")]),
        patch(taken(file("a")), taken(file("b", b"x")), generated_at=LATER),
    )
    whole = found.model_dump(mode="json")
    assert whole["schema_version"] == "workspace_diff_v1"
    assert whole["captured_at"] == LATER
    assert (whole["added"], whole["removed"], whole["modified"]) == (["b"], ["a"], [])
    assert whole["summary"] == {"added_files": 1, "removed_files": 1, "modified_files": 0}
    whole = made.model_dump(mode="json")
    assert (whole["schema_version"], whole["format"]) == ("workspace_patch_v1", "file_digest_delta")
    assert whole["generated_at"] == LATER
    assert (whole["added"], whole["removed"], whole["modified"]) == (["b"], ["a"], [])
    snapshot = taken(file("a")).model_dump(mode="json")
    assert snapshot["schema_version"] == "workspace_snapshot_v1"
    assert {"captured_at", "file_count", "total_bytes", "files"} <= snapshot.keys()
    assert {"path", "digest", "size_bytes"} <= snapshot["files"][0].keys()


@pytest.mark.parametrize(
    ("before", "after", "expected"),
    [
        pytest.param([], [], ([], [], []), id="nothing"),
        pytest.param([file("a")], [file("a")], ([], [], []), id="the same"),
        pytest.param([], [file("a")], (["a"], [], []), id="add"),
        pytest.param([file("a")], [], ([], ["a"], []), id="remove"),
        pytest.param([file("a")], [file("a", b"new")], ([], [], ["a"]), id="modify"),
        pytest.param([file("a")], [file("a", mode="0755")], ([], [], ["a"]), id="chmod"),
        pytest.param([link("a", "x")], [link("a", "y")], ([], [], ["a"]), id="symlink"),
        pytest.param([file("a", b"x")], [link("a", "x")], ([], [], ["a"]), id="file to symlink"),
        pytest.param([file("a", b"")], [file("a", b"", kind="fifo")], ([], [], ["a"]), id="file to fifo"),
        pytest.param([], [file(".git/.hidden")], ([".git/.hidden"], [], []), id="hidden file"),
        pytest.param([file("a")], [file("b")], (["b"], ["a"], []), id="rename"),
        pytest.param([file("ü")], [file("u\u0308")], (["u\u0308"], ["ü"], []), id="unicode name"),
        pytest.param([file("a")], [file("a", b"", unread="unreadable")], ([], [], ["a"]), id="unreadable"),
        pytest.param([file("a")], [file("a/b")], (["a/b"], ["a"], []), id="file to directory"),
    ],
)
def test_c28_each_kind_of_change_is_in_its_list(before, after, expected):
    assert lists(delta(before, after)) == expected
    assert lists(patch(taken(*before), taken(*after), generated_at=LATER)) == expected


def test_an_entry_says_what_was_and_what_is():
    old, new = file("a", b"old"), file("a", b"new", mode="0755")
    (entry,) = delta([old], [new]).entries
    assert (entry.change, entry.digest_before, entry.digest_after) == ("modified", old.digest, new.digest)
    assert (entry.mode_before, entry.mode, entry.kind_before, entry.kind) == ("0644", "0755", "file", "file")
    (entry,) = delta([], [link("a", "x")]).entries
    assert (entry.change, entry.digest_before, entry.mode_before, entry.kind_before) == ("added", None, None, None)
    assert (entry.kind, entry.target) == ("symlink", "x")
    (entry,) = delta([old], []).entries
    assert (entry.change, entry.digest_before, entry.digest_after, entry.mode) == ("removed", old.digest, None, "0644")


def renames(before, after):
    return {one.path: one.renamed_from for one in delta(before, after).entries if one.renamed_from}


def test_a_rename_is_recognised_by_its_content_each_source_once():
    same = [file("a"), file("b")]
    assert renames(same, [file("x"), file("y"), file("z")]) == {"x": "a", "y": "b"}
    assert renames([file("a")], [file("a"), file("copy")]) == {}
    assert renames([file("a", mode="0644")], [file("x", mode="0755")]) == {"x": "a"}


def test_what_is_empty_or_was_not_read_is_nobodys_rename():
    assert renames([file("a", b"")], [file("x", b"")]) == {}
    unread = {"content": b"", "unread": "unreadable"}
    assert renames([file("a", **unread)], [file("x", **unread)]) == {}
    assert renames([file("a", b"x")], [link("l", "x")]) == {}


@pytest.mark.parametrize(("before", "after"), [(True, False), (False, True)])
def test_a_truncated_snapshot_makes_its_delta_say_so(before, after):
    sides = taken(truncated=before), taken(truncated=after)
    assert diff(*sides, captured_at=LATER).truncated
    assert patch(*sides, generated_at=LATER).truncated
    assert not diff(taken(), taken(), captured_at=LATER).truncated


@pytest.mark.parametrize(
    "broken",
    [
        {"file_count": 3},
        {"total_bytes": 1},
        {"files": (file("b"), file("a"))},
        {"files": (file("a"), file("a"))},
        {"captured_at": "yesterday"},
        {"schema_version": "workspace_snapshot_v2"},
        {"more": 1},
    ],
)
def test_a_snapshot_that_contradicts_itself_is_refused(broken):
    good = {"captured_at": BEFORE, "file_count": 2, "total_bytes": 8, "files": (file("a"), file("b"))}
    assert WorkspaceSnapshot(**good).file_count == 2
    with pytest.raises(ValidationError):
        WorkspaceSnapshot(**{**good, **broken})


@pytest.mark.parametrize("broken", [{"digest": "sha256:x"}, {"mode": "644"}, {"mode": "0999"}, {"kind": "door"}])
def test_a_file_that_cannot_be_is_refused(broken):
    with pytest.raises(ValidationError):
        file("a", **broken)


PATHS = st.sampled_from(["a", "b", "c/d", ".e", "ü", "./\\xff"])
FILES = st.builds(
    file, PATHS, st.sampled_from([b"", b"one", b"two"]), mode=st.sampled_from(["0644", "0755"]),
    kind=st.sampled_from(["file", "symlink", "fifo"]),
)  # fmt: skip
TREES = st.lists(FILES, unique_by=lambda one: one.path)


@given(before=TREES, after=TREES)
def test_the_lists_and_entries_lead_from_the_one_snapshot_to_the_other(before, after):
    found = delta(before, after)
    old, new = {one.path: one for one in before}, {one.path: one for one in after}
    added, removed, modified = (set(one) for one in lists(found))
    assert (old.keys() - removed) | added == new.keys()
    assert removed <= old.keys()
    assert not added & old.keys()
    assert {path for path in old.keys() & new.keys() if old[path] != new[path]} == modified
    contents = {path: (one.digest, one.mode, one.kind) for path, one in old.items()}
    for entry in found.entries:
        if entry.change == "removed":
            assert contents.pop(entry.path)[0] == entry.digest_before
        else:
            assert contents.get(entry.path, (None,))[0] == entry.digest_before
            contents[entry.path] = (entry.digest_after, entry.mode, entry.kind)
    assert contents == {path: (one.digest, one.mode, one.kind) for path, one in new.items()}


@given(before=TREES, after=TREES)
def test_there_and_back_is_the_same_with_added_and_removed_exchanged(before, after):
    added, removed, modified = lists(delta(before, after))
    assert lists(delta(after, before)) == (removed, added, modified)
    assert lists(delta(after, after)) == ([], [], [])
