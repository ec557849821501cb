"""AC6: nobody goes on with a run that is not what it was, unless told to; then the run says so for good."""

from __future__ import annotations

import json
import os
import re
import shutil

import pytest

from agentics.errors import EngineError
from agentics.rundir.integrity.verify import verify

pytestmark = pytest.mark.slow

ATTEMPT = "trials/trial_1/attempts/1"
AGAIN = ("one", "--solution", "mine", "--run-id", "r")
INVOCATIONS = "runtime/invocations.jsonl"


def cut(path):
    def tamper(root):
        lines = (root / path).read_bytes().splitlines(keepends=True)
        (root / path).write_bytes(b"".join(lines[:-1]))

    return tamper


def edited(path, old, new):
    def tamper(root):
        data = (root / path).read_bytes()
        assert old in data
        (root / path).write_bytes(data.replace(old, new, 1))

    return tamper


def altered(path, number):
    lines = path.read_bytes().splitlines(keepends=True)
    lines[number] = lines[number].replace(b'"run_id":"', b'"run_id":"x', 1)
    path.write_bytes(b"".join(lines))


def without_attestation(root):
    (root / "attestation.json").unlink()
    edited("mine/run_outcome.json", b'"passed"', b'"failed"')(root)


TAMPERED = {
    "evidence/evidence_records.jsonl": cut("evidence/evidence_records.jsonl"),
    "runtime/slot_commit_journal.jsonl": cut("runtime/slot_commit_journal.jsonl"),
    f"{ATTEMPT}/cases.jsonl": cut(f"{ATTEMPT}/cases.jsonl"),
    f"{ATTEMPT}/containers.jsonl": cut(f"{ATTEMPT}/containers.jsonl"),
    "trials/trial_1/trial_state.json": edited("trials/trial_1/trial_state.json", b'"completed"', b'"failed"'),
    "trials/trial_1/trial_metadata.json": edited("trials/trial_1/trial_metadata.json", b'"one.', b'"two.'),
    "manifest.json": edited("manifest.json", b'"runner_version": "', b'"runner_version": "9'),
    "attestation.json": without_attestation,
}
OPERATIONS = {
    "eval": ("eval", *AGAIN, "--no-resume"),
    "continue": ("run", "continue", "outputs/r"),
    "fork": ("run", "fork", "outputs/r", "--from-trial", "trial_1", "--set", "x=1"),
    "replay": ("run", "replay", "outputs/r", "--trial-id", "trial_1"),
    "regrade": ("run", "regrade", "outputs/r"),
    "rebuild": ("run", "rebuild", "outputs/r"),
    "recover": ("run", "recover", "outputs/r"),
}


@pytest.fixture
def done(lab):
    """A run of one task that has ended, and passed."""
    lab.bundle("one")
    assert lab.eval("one").status == 0
    return lab.home / "outputs" / "r"


def files_of(root):
    live = re.compile(r"runtime/(operation|control)\.lock|runtime/.*_lease\.json|runtime/eval\.log")
    found = {path.relative_to(root).as_posix(): path for path in root.rglob("*") if path.is_file()}
    return {name: path.read_bytes() for name, path in found.items() if not live.fullmatch(name)}


@pytest.mark.parametrize("path", TAMPERED)
def test_ac6_evaluating_again_does_not_cover_up_what_was_altered(done, lab, path):
    TAMPERED[path](done)
    before = files_of(done)
    said = lab("eval", *AGAIN, "--json")
    assert (said.status, said.json["error"]["code"]) == (7, "run_altered")
    assert said.json["error"]["details"]["findings"][0]["file"] == path
    assert path in said.json["error"]["message"]
    assert files_of(done) == before
    assert verify(done).altered[0].path == path


@pytest.mark.parametrize("operation", [name for name in OPERATIONS if name not in ("eval", "continue")])
def test_ac6_no_operation_covers_up_what_was_altered(done, lab, operation):
    TAMPERED["evidence/evidence_records.jsonl"](done)
    before = files_of(done)
    said = lab(*OPERATIONS[operation], "--json")
    assert (said.status, said.json["error"]["code"]) == (7, "run_altered")
    assert "--accept-alterations" in said.json["error"]["hint"]
    assert files_of(done) == before


@pytest.mark.parametrize("operation", ["continue", "kill"])
def test_ac6_a_run_that_was_interrupted_is_held_against_its_attestation_too(lab, operation):
    lab.bundle("one")
    lab.engine.failures["reap"] = [EngineError("gone", code="engine_lost")]
    assert lab.eval("one").status == 5
    root = lab.home / "outputs" / "r"
    edited("manifest.json", b'"runner_version": "', b'"runner_version": "9')(root)
    said = lab("run", operation, "outputs/r", "--json")
    assert (said.status, said.json["error"]["code"]) == (7, "run_altered")
    assert lab("run", operation, "outputs/r", "--accept-alterations").status == 0
    assert [each.path for each in verify(root).accepted] == ["manifest.json"]


@pytest.mark.parametrize("operation", [name for name in OPERATIONS if name != "continue"])
def test_ac6_what_somebody_went_on_with_is_in_the_ledger_and_in_every_later_attestation(done, lab, operation):
    path = "evidence/evidence_records.jsonl"
    TAMPERED[path](done)
    assert lab(*OPERATIONS[operation], "--accept-alterations").status == 0
    lines = [json.loads(line) for line in (done / INVOCATIONS).read_text().splitlines()]
    (accepted,) = [line for line in lines if line["kind"] == "alterations_accepted"]
    assert [each["path"] for each in accepted["alterations"]] == [path]
    for _ in range(2):
        found = verify(done)
        assert found.altered == ()
        assert [each.path for each in found.accepted] == [path]
        attested = json.loads((done / "attestation.json").read_bytes())
        assert [each["path"] for each in attested["alterations_accepted"]] == [path]
        assert attested["grades_summary"]["provenance_grade"] == "partial"
        assert lab(*OPERATIONS["eval"]).status == 0
    shown = lab("run", "verify", "outputs/r", "--json")
    assert (shown.status, shown.json["ok"], shown.json["accepted"][0]["path"]) == (0, True, path)


@pytest.mark.parametrize("operation", ["eval", "rebuild", "fork"])
def test_c13_a_log_that_is_gone_keeps_nobody_from_going_on_and_is_recorded(done, lab, operation):
    (done / "runtime/events.jsonl").unlink()
    assert lab(*OPERATIONS[operation]).status == 0
    found = verify(done)
    assert (found.altered, [each.path for each in found.accepted]) == ((), ["runtime/events.jsonl"])


def test_ac6_what_is_altered_after_an_acceptance_is_refused_again(done, lab):
    state = "trials/trial_1/trial_state.json"
    TAMPERED[state](done)
    assert lab(*OPERATIONS["rebuild"], "--accept-alterations").status == 0
    edited(state, b'"failed"', b'"killed"')(done)
    assert lab(*OPERATIONS["rebuild"]).status == 7


def test_ac6_a_file_that_is_put_back_to_what_was_accepted_once_is_refused(done, lab):
    state = done / "trials/trial_1/trial_state.json"
    good = state.read_bytes()
    bad = good.replace(b'"completed"', b'"failed"')
    for data in (bad, good):
        state.write_bytes(data)
        assert lab(*OPERATIONS["rebuild"], "--accept-alterations").status == 0
    state.write_bytes(bad)
    assert [each.path for each in verify(done).altered] == ["trials/trial_1/trial_state.json"]
    assert lab(*OPERATIONS["rebuild"]).status == 7


def test_ac6_an_attestation_that_was_missed_once_is_missed_again(done, lab):
    for _ in range(2):
        (done / "attestation.json").unlink()
        assert [each.path for each in verify(done).altered] == ["attestation.json"]
        assert lab(*OPERATIONS["eval"]).status == 7
        assert lab(*OPERATIONS["eval"], "--accept-alterations").status == 0
        assert verify(done).altered == ()


@pytest.mark.parametrize("line", [0, 2])
def test_ac6_of_a_ledger_with_a_line_that_was_accepted_no_line_is_altered_unseen(done, lab, line):
    path = done / "evidence/evidence_records.jsonl"
    for _ in range(3):
        assert lab(*OPERATIONS["regrade"]).status == 0
    altered(path, 0)
    assert lab(*OPERATIONS["rebuild"], "--accept-alterations").status == 0
    assert lab(*OPERATIONS["eval"]).status == 0
    assert verify(done).altered == ()
    altered(path, line)
    assert [(each.path, each.line) for each in verify(done).altered] == [("evidence/evidence_records.jsonl", line + 1)]
    assert lab(*OPERATIONS["eval"]).status == 7


@pytest.mark.parametrize("journal", [True, False])
def test_ac6_a_run_without_attestation_and_invocations_is_not_taken_for_a_new_one(done, lab, journal):
    for path in ("attestation.json", INVOCATIONS, *(() if journal else ("runtime/slot_commit_journal.jsonl",))):
        (done / path).unlink()
    before = files_of(done)
    for operation in ("eval", "rebuild", "recover"):
        said = lab(*OPERATIONS[operation], "--json")
        assert (said.status, said.json["error"]["code"]) == (7, "run_altered")
    assert files_of(done) == before


def test_ac6_what_no_operation_changes_is_held_against_an_attestation_that_is_out_of_date(done, lab):
    assert lab(*OPERATIONS["regrade"]).status == 0
    (regraded,) = (done / "regrades").iterdir()
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(
            "agentics.runner.invocation_recorder.write_attestation", lambda _: None
        )  # as if it died right before
        assert lab(*OPERATIONS["eval"]).status == 0
    assert verify(done).altered == ()
    regraded.write_bytes(regraded.read_bytes().replace(b"passed", b"failed"))
    said = lab(*OPERATIONS["eval"], "--json")
    assert (said.status, said.json["error"]["details"]["findings"][0]["file"]) == (7, f"regrades/{regraded.name}")


def test_c20_a_replay_in_a_run_whose_process_died_attests_to_nothing_of_it(done, lab):
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("agentics.runner.invocation_recorder.write_attestation", lambda _: None)
        assert lab(*OPERATIONS["eval"]).status == 0
    (done / "mine/run_outcome.json").unlink()
    assert lab(*OPERATIONS["replay"]).status == 0
    found = verify(done)
    assert (found.altered, found.notes[0].partition(":")[0]) == ((), "unattested")
    assert lab(*OPERATIONS["eval"]).status == 0
    assert (verify(done).altered, verify(done).notes) == ((), ())


def test_c6_a_pipe_in_the_place_of_a_lock_is_not_waited_for(done, lab):
    (done / "runtime/control.lock").unlink()
    os.mkfifo(done / "runtime/control.lock")
    assert lab(*OPERATIONS["eval"], "--json").json["ok"] in (True, False)


def test_ac6_an_operation_that_is_refused_for_another_reason_leaves_the_run_attested(done, lab):
    before = files_of(done)
    (lab.home / "mine/run.sh").write_text("cat; true\n")
    assert lab("eval", *AGAIN, "--json").json["error"]["code"] == "run_scope_mismatch"
    assert files_of(done) == before
    assert verify(done).notes == ()


def test_c20_what_a_fork_wrote_whose_process_died_is_no_alteration(done, lab):
    said = lab(*OPERATIONS["fork"], "--json")
    assert said.status == 0
    left = lab.home / "outputs/r/forks" / said.json["fork"]["fork_id"]
    died = left.with_name(f"{left.name[:-1]}{'0' if left.name[-1] != '0' else '1'}")
    shutil.copytree(left, died)
    (died / "trial_1/result.json").unlink()
    found = verify(done)
    assert found.altered == ()
    assert {note.partition(":")[0] for note in found.notes} == {"unfinished"}
    assert lab(*OPERATIONS["eval"]).status == 0
    assert verify(done).altered == ()


@pytest.mark.parametrize("name", ["result.json", "attempts/1/result.json", "trial_state.json", "trial_metadata.json"])
def test_a_damaged_record_of_a_trial_is_named_and_set_aside_by_a_recovery_and_its_slot_is_filled_again(done, lab, name):
    path = done / "trials/trial_1" / name
    damaged = path.read_bytes()[:100]
    path.write_bytes(damaged)
    refused = lab(*OPERATIONS["eval"], "--json")
    assert refused.status == 7
    assert refused.json["error"]["details"]["findings"][0]["file"] == f"trials/trial_1/{name}"
    assert "agentics run recover" in refused.json["error"]["hint"]
    assert lab("run", "recover", "outputs/r").status == 0
    assert (done / "damaged/trials/trial_1" / name).read_bytes() == damaged
    assert lab("run", "continue", "outputs/r").status == (7 if name == "result.json" else 0)
    assert lab("eval", *AGAIN).status == 0
    assert [status for status, *_ in lab.tasks()] == ["passed"]
    found = verify(done)
    assert (found.altered, found.notes) == ((), ())
    assert f"trials/trial_1/{name}" in [each.path for each in found.accepted]
