"""Which of several solutions or overlays an error is about."""

from __future__ import annotations

import pytest

from tests.runner.lab import solution

FLAWS = {
    "no manifest": lambda root: (root / "agentics.solution.json").unlink(),
    "a manifest that is no JSON": lambda root: (root / "agentics.solution.json").write_text("{"),
}


@pytest.mark.parametrize("flaw", FLAWS)
def test_an_error_names_the_solution_that_it_is_about(lab, flaw):
    lab.bundle("one")
    FLAWS[flaw](solution(lab.home / "entries", "second"))
    said = lab("eval", "one", "--solution", "mine", "--solution", "entries/second", "--json")
    assert said.status == 2
    assert all(finding["file"].startswith("entries/second") for finding in said.json["error"]["details"]["findings"])
    seen = lab("eval", "one", "--solution", "mine", "--solution", "entries/second")
    assert "entries/second" in seen.err


def test_an_archive_that_is_none_is_named_as_it_was_given(lab):
    lab.bundle("one")
    (lab.home / "entries").mkdir()
    (lab.home / "entries" / "second.zip").write_bytes(b"no archive")
    said = lab("eval", "one", "--solution", "mine", "--solution", "other=entries/second.zip", "--json")
    assert [finding["file"] for finding in said.json["error"]["details"]["findings"]] == ["entries/second.zip"]


def test_an_error_names_the_overlay_that_it_is_about(lab):
    for name in ("one", "two"):
        lab.bundle(name)
    for name in ("first", "second"):
        (lab.home / "overlays" / name).mkdir(parents=True)
    (lab.home / "overlays" / "second" / "link").symlink_to("/etc")
    overlays = ("--overlay", "one=overlays/first", "--overlay", "two=overlays/second")
    said = lab("eval", "one", "two", "--solution", "mine", "--mode", "official", *overlays, "--run-id", "r", "--json")
    assert said.status == 2
    assert all(f["file"].startswith("overlays/second") for f in said.json["error"]["details"]["findings"])
