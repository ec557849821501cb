"""A run knows itself: whatever is altered in a finished one is named, and nothing else is."""

from __future__ import annotations

import hashlib
import json
import re
import shutil

import pytest

from agentics.errors import EngineError, UsageError
from agentics.rundir.files import ledger
from agentics.rundir.files.artifacts import ArtifactStore
from agentics.rundir.files.contents import PLACES, files
from agentics.rundir.integrity.verify import verify
from agentics.rundir.open_run import ENTRIES
from tests.runner.lab import raises

pytestmark = pytest.mark.slow

INVOCATIONS = "runtime/invocations.jsonl"
OUT_OF_SCOPE = {"runtime/engine_lease.json", "runtime/operation.lock", "runtime/control.lock", "runtime/eval.log"}
STAMP = re.compile(rb'"timestamp": "[^"]*"')


def named(root):
    return [each.path for each in verify(root).altered]


def forget_attestation(root):
    """As a process leaves it that dies right before it writes one."""
    (root / "attestation.json").unlink(missing_ok=True)
    entries = [entry for entry in ledger.read(root / INVOCATIONS, ENTRIES) if entry.kind != "attested"]
    (root / INVOCATIONS).unlink()
    ledger.append_all(root / INVOCATIONS, entries)


def flipped(data: bytes, at: int) -> bytes:
    return data[:at] + bytes([data[at] ^ 1]) + data[at + 1 :]


def places_to_flip(data: bytes) -> set[int]:
    """First, last and two in between; the time of writing is what no projection can be held to."""
    stamp = STAMP.search(data)
    outside = range(*stamp.span()) if stamp else ()
    return {at for at in (0, len(data) // 3, len(data) * 2 // 3, len(data) - 1) if at not in outside}


def test_c6_nothing_is_altered_in_a_finished_run(finished):
    found = verify(finished)
    assert found.altered == ()
    assert found.notes == ()
    assert found.files == sum(path.is_file() for path in finished.rglob("*"))


def test_c6_one_byte_flipped_in_any_file_names_that_file(finished):
    wrong = {}
    for file in files(finished):
        data = file.at.read_bytes()
        for at in places_to_flip(data) if data else ():
            file.at.write_bytes(flipped(data, at))
            said = named(finished)
            # Without its last byte, the line that records the attestation is one that a dying process left.
            torn = file.path == INVOCATIONS and at == len(data) - 1
            if said != ([] if file.path in OUT_OF_SCOPE or torn else [file.path]):
                wrong[file.path, at] = said
        file.at.write_bytes(data)
    assert wrong == {}


def test_c6_a_file_that_is_taken_away_is_named(finished):
    wrong = {}
    for file in files(finished):
        if file.path in OUT_OF_SCOPE or file.path == "attestation.json":
            continue
        data = file.at.read_bytes()
        file.at.unlink()
        said = named(finished) if file.path != "manifest.json" else [each.path for each in verify(finished).altered]
        if file.path not in said:
            wrong[file.path] = said
        file.at.write_bytes(data)
    assert wrong == {}


def test_c6_every_ledger_that_is_cut_or_added_to_is_named_with_the_line(finished):
    ledgers = [file for file in files(finished) if file.form == "ledger"]
    assert len(ledgers) > 8
    # The line that records the attestation is of no use to it: a process may have died right before.
    invocations = finished / INVOCATIONS
    recorded = invocations.read_bytes()
    invocations.write_bytes(b"".join(recorded.splitlines(keepends=True)[:-1]))
    assert verify(finished).altered == ()
    assert verify(finished).notes == (f"unrecorded: {INVOCATIONS} lacks the line that records attestation.json",)
    for file in ledgers:
        data = file.at.read_bytes()
        lines = ledger.whole_lines(data)
        file.at.write_bytes(b"".join(line + b"\n" for line in lines[:-1]))
        (cut,) = verify(finished).altered
        assert (cut.path, cut.line) == (file.path, len(lines) - 1 or None)
        digest = hashlib.sha256(lines[-1]).hexdigest()
        forged = re.sub(rb'"prev":"sha256:.{64}"', b'"prev":"sha256:%s"' % digest.encode(), lines[-1])
        file.at.write_bytes(data + forged + b"\n")
        (added,) = verify(finished).altered
        assert (added.path, added.line) == (file.path, len(lines) + 1)
        file.at.write_bytes(data)
    invocations.write_bytes(recorded)
    assert verify(finished).altered == ()


def test_c6_a_record_that_was_slipped_in_is_named(finished):
    attempt = finished / "trials" / "trial_1" / "attempts" / "9"
    attempt.mkdir()
    shutil.copy(finished / "trials/trial_1/attempts/1/result.json", attempt / "result.json")
    assert named(finished)[0] == "trials/trial_1/attempts/9/result.json"


def test_what_does_not_belong_there_is_a_note_and_no_finding(finished):
    (finished / "notes.txt").write_text("mine")
    found = verify(finished)
    assert found.altered == ()
    assert found.notes == ("unknown: notes.txt is no part of a run",)


def test_c6_every_ref_in_any_record_names_an_artifact_that_is_what_its_name_says(finished):
    refs = set()
    for file in files(finished):
        if file.kind != "content":
            refs |= set(re.findall(rb"artifact://sha256/[0-9a-f]{64}", file.at.read_bytes()))
    assert len(refs) > 10
    store = ArtifactStore(finished / "artifacts" / "sha256")
    for ref in refs:
        assert hashlib.sha256(store.read(ref.decode())).hexdigest() == ref.decode().rpartition("/")[2]


def test_c6_evidence_lines_are_the_committed_attempts(finished):
    rows = [json.loads(line) for line in (finished / "evidence/evidence_records.jsonl").read_text().splitlines()]
    attempts = sorted(
        (path.parents[2].name, int(path.parent.name)) for path in finished.glob("trials/*/attempts/*/result.json")
    )
    assert sorted((row["ids"]["trial_id"], row["attempt"]) for row in rows) == attempts
    assert len(attempts) > 4


def test_ac6_a_completed_run_without_its_attestation_is_altered(finished):
    (finished / "attestation.json").unlink()
    (found,) = verify(finished).altered
    assert (found.path, found.what) == ("attestation.json", f"attestation is missing, which {INVOCATIONS} records")
    forget_attestation(finished)
    (found,) = verify(finished).altered
    assert found.path == "attestation.json"
    assert found.what.startswith("a completed run has no attestation")


def test_a_run_without_an_attestation_is_still_held_against_itself(finished):
    forget_attestation(finished)
    stopped = json.loads((finished / "runtime/run_control.json").read_bytes()) | {"status": "interrupted"}
    (finished / "runtime/run_control.json").write_text(json.dumps(stopped))
    assert named(finished) == []
    assert [note.partition(":")[0] for note in verify(finished).notes] == [
        "unattested",
        "projections were not compared",
    ]
    result = finished / "trials/trial_1/attempts/1/result.json"
    result.write_bytes(result.read_bytes().replace(b'"trial_1"', b'"trial_2"'))
    (found,) = verify(finished).altered
    assert found.path == "trials/trial_1/attempts/1/result.json"
    assert found.expected != found.found
    assert found.what == "file differs from what the evidence ledger recorded"


def test_a_run_that_goes_on_is_held_against_what_was_attested_before(finished, lab):
    """A bug of ours ends the next invocation without a word, as a crash would."""
    before = (finished / "attestation.json").read_bytes()
    recorded = len((finished / INVOCATIONS).read_bytes().splitlines())
    lab.engine.behaviours["run"] = raises(EngineError("gone"))
    lab.eval("one", "--solution", "other", "--no-resume")
    (finished / "attestation.json").write_bytes(before)
    (older,) = verify(finished).altered
    assert (older.path, older.what) == (
        "attestation.json",
        f"attestation is older than the last one that {INVOCATIONS} records",
    )
    lines = (finished / INVOCATIONS).read_bytes().splitlines(keepends=True)
    assert json.loads(lines[recorded])["kind"] == "opened"
    (finished / INVOCATIONS).write_bytes(b"".join(lines[:-1]))
    found = verify(finished)
    assert found.altered == ()
    assert found.notes[0].startswith("unattested: attestation.json is older than the last operation")
    old = finished / "trials/trial_1/attempts/1/plan.json"
    old.write_bytes(old.read_bytes() + b" ")
    assert named(finished) == ["trials/trial_1/attempts/1/plan.json"]


def test_a_run_that_was_moved_is_as_it_was(finished, tmp_path):
    shutil.copytree(finished, tmp_path / "elsewhere" / "r")
    assert verify(tmp_path / "elsewhere" / "r").altered == ()


def test_c6_a_scope_that_differs_from_its_fingerprint_is_named_without_an_attestation(finished):
    forget_attestation(finished)
    path = finished / "trials/trial_2/trial_metadata.json"
    document = json.loads(path.read_bytes())
    document["scope"]["mode"] = "official"
    path.write_text(json.dumps(document, indent=2) + "\n")
    found = verify(finished).altered[0]
    assert (found.path, found.what) == ("trials/trial_2/trial_metadata.json", "scope differs from its fingerprint")


def test_where_there_is_no_run_there_is_nothing_to_verify(tmp_path):
    with pytest.raises(UsageError) as e:
        verify(tmp_path)
    assert e.value.code == "no_such_run"


def test_the_command_names_the_first_thing_and_ends_with_1(finished, lab):
    assert lab("run", "verify", finished).status == 0
    clean = lab("run", "verify", finished, "--json")
    assert (clean.status, clean.json["ok"], clean.json["altered"]) == (0, True, [])
    blob = next((finished / "artifacts/sha256").iterdir()) / "blob"
    blob.write_bytes(b"x")
    said = lab("run", "verify", finished, "--json")
    path = blob.relative_to(finished).as_posix()
    assert (said.status, said.json["ok"], said.json["error"]["code"]) == (1, False, "altered")
    assert said.json["error"]["details"]["path"] == said.json["altered"][0]["path"] == path
    assert path in lab("run", "verify", finished).err


def test_every_place_is_reached_by_its_own_pattern():
    for place in PLACES:
        path = place.name.replace("<rest>", "x/y").replace("<n>", "1")
        assert place.pattern.fullmatch(re.sub(r"<\w+>", "x", path)), place.name


def test_grades_say_why(finished):
    said = json.loads((finished / "attestation.json").read_bytes())["grades_summary"]
    grades = {name: value for name, value in said.items() if name.endswith("_grade")}
    assert grades == {
        "replay_grade": "best_effort",
        "isolation_grade": "hermetic",
        "comparability_grade": "unknown",
        "provenance_grade": "recorded",
        "privacy_grade": "redacted",
    }
    assert "provenance: images that no registry knows by digest were used" in said["notes"]


def test_c6_each_artifact_that_a_record_of_the_run_names_is_missed_when_it_is_gone(finished):
    named = set()
    for file in files(finished):
        if file.kind in ("truth", "copy"):
            named |= set(re.findall(rb"artifact://sha256/([0-9a-f]{64})", file.at.read_bytes()))
    shutil.rmtree(finished / "artifacts" / "sha256")
    missing = {each.path for each in verify(finished).altered if each.what.startswith("artifact is missing")}
    assert missing == {f"artifacts/sha256/{digest.decode()}/blob" for digest in named}
