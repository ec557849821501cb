"""Every projection is a pure function of what the run holds: deleted, changed or invented ones are made anew."""

from __future__ import annotations

import json
import re

import pytest

from agentics.errors import Refused
from agentics.rundir.files import lock
from agentics.rundir.files.contents import files
from agentics.rundir.files.layout import Layout
from agentics.rundir.integrity.verify import verify
from agentics.rundir.projections.rebuild import compare
from agentics.usecases.control_run import rebuild
from tests.runner.lab import evaluator

pytestmark = pytest.mark.slow

STAMP = re.compile(rb'"timestamp": "[^"]*"')


def projections(root):
    return {file.path: file.at.read_bytes() for file in files(root) if file.kind == "projection"}


def unstamped(found):
    return {path: STAMP.sub(b"", data) for path, data in found.items()}


def test_c6_projections_that_were_deleted_come_back_to_the_byte_but_for_the_time_of_writing(finished):
    before = projections(finished)
    assert {file.place.name for file in files(finished) if file.kind == "projection"} == {
        "<variant>/<task>/task_status.json",
        "<variant>/run_outcome.json",
        "<variant>/run_summary.json",
        "public/challenges/<challenge>.json",
        "public/run.json",
        "trials/<trial>/cases/<case>/<rest>",
        "trials/<trial>/explanation.json",
    }
    for file in files(finished):
        if file.kind == "projection":
            file.at.unlink()
    assert sorted(rebuild(finished)) == sorted(before)
    after = projections(finished)
    assert unstamped(after) == unstamped(before)
    assert after != before
    assert verify(finished).altered == ()


def test_a_rebuild_of_what_is_current_writes_nothing(finished):
    before = {path: path.stat().st_mtime_ns for path in finished.rglob("*") if path.name != "operation.lock"}
    assert rebuild(finished) == ()
    assert {path: path.stat().st_mtime_ns for path in finished.rglob("*") if path.name != "operation.lock"} == before


def test_a_projection_of_a_task_that_only_an_earlier_invocation_asked_for_is_rebuilt_too(finished, lab):
    assert lab.eval("two").status == 1  # its solution failed
    status = finished / "mine/one.linux-arm64-cpu/task_status.json"
    before = status.read_bytes()
    status.unlink()
    assert rebuild(finished) == ("mine/one.linux-arm64-cpu/task_status.json",)
    assert status.read_bytes() == before


def test_what_the_run_does_not_make_is_removed(finished):
    invented = finished / "mine" / "no-such-task" / "task_status.json"
    invented.parent.mkdir()
    invented.write_text("{}")
    assert [each.path for each in compare(finished)] == ["mine/no-such-task/task_status.json"]
    assert rebuild(finished) == ("mine/no-such-task/task_status.json",)
    assert not invented.exists()


def test_the_public_view_shows_every_variant_and_challenge_of_the_run(finished, lab):
    """Also those that only an earlier invocation asked for, and without the bundles."""
    assert lab.eval("two").status == 1  # its solution failed
    shown = json.loads((finished / "public/run.json").read_bytes())
    assert sorted(shown["variants"]) == ["mine", "other"]
    assert sorted(path.name for path in (finished / "public/challenges").iterdir()) == ["one.json", "two.json"]


def test_the_newest_version_of_a_challenge_is_what_the_public_sees(lab):
    lab.bundle("one")
    lab.eval("one")
    spec = lab.home / "one/spec.json"
    spec.write_text(json.dumps({**json.loads(spec.read_text()), "challenge_title": "Another"}))
    assert lab.eval("one", "--no-resume").status == 0
    root = lab.home / "outputs/r"
    assert json.loads((root / "public/challenges/one.json").read_bytes())["challenge_title"] == "Another"
    (root / "public/challenges/one.json").unlink()
    rebuild(root)
    assert json.loads((root / "public/challenges/one.json").read_bytes())["challenge_title"] == "Another"


def test_the_check_names_what_differs_and_changes_nothing(finished, lab):
    outcome = finished / "mine/run_outcome.json"
    forged = outcome.read_bytes().replace(b'"failed"', b'"passed"')
    outcome.write_bytes(forged)
    said = lab("run", "rebuild", finished, "--check", "--json")
    assert (said.status, said.json["ok"]) == (1, False)
    assert said.json["differ"] == [
        {"path": "mine/run_outcome.json", "what": "projection differs from what the run holds"}
    ]
    assert said.json["error"]["code"] == "projection_differs"
    assert outcome.read_bytes() == forged
    assert "mine/run_outcome.json" in lab("run", "rebuild", finished, "--check").err
    written = lab("run", "rebuild", finished, "--json")
    assert (written.status, written.json["written"]) == (0, ["mine/run_outcome.json"])
    assert lab("run", "rebuild", finished, "--check").status == 0


def test_a_run_that_somebody_works_on_is_left_alone(finished, lab):
    held = lock.acquire(Layout(finished).lock, "test")
    try:
        for act in (rebuild, compare):
            with pytest.raises(Refused) as e:
                act(finished)
            assert e.value.code == "run_locked"
        assert lab("run", "rebuild", finished, "--check").status == 7
    finally:
        held.release()


def test_rebuilding_refuses_to_make_projections_of_damaged_records(finished, lab):
    (finished / "trials/trial_1/attempts/1/result.json").write_text("{")
    said = lab("run", "rebuild", finished, "--json")
    assert (said.status, said.json["error"]["code"]) == (7, "run_altered")


def test_an_official_run_rebuilds_too(lab):
    lab.bundle("one")
    lab.engine.behaviours["separated-evaluator"] = evaluator(1)
    lab.eval("one", "--mode", "official")
    root = lab.home / "outputs/r"
    before = projections(root)
    for path in before:
        (root / path).unlink()
    rebuild(root)
    assert unstamped(projections(root)) == unstamped(before)
