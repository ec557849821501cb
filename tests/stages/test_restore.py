"""A case out of the evidence shows the evaluator what the case showed it that ran: the same paths, modes and bytes."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from agentics.errors import StorageError
from agentics.pipeline.attempt_tools import Resume
from agentics.pipeline.cooperation import Cooperation
from tests.fake_engine import exited, mounted, out_of_memory, timed_out
from tests.stages.agents import agent


def leaves(*files, folders=(), then=None, links=(), executable=()):
    """Files (path below /io, text), empty folders, links and programs, and then this end."""

    def behave(container):
        io = mounted(container, "/io")
        for path, text in files:
            (io / path).parent.mkdir(parents=True, exist_ok=True)
            (io / path).write_bytes(text.encode() if isinstance(text, str) else text)
        for path in folders:
            (io / path).mkdir(parents=True)
        for path in links:
            (io / path).symlink_to("/etc/passwd")
        for path in executable:
            (io / path).chmod(0o700)
        return then or exited(0, wall_s=1.2345)

    return behave


def directory_for_stdout(container):
    (mounted(container, "/io") / "stdout.txt").mkdir()
    return exited()


def file_for_output(container):
    io = mounted(container, "/io")
    (io / "output").rmdir()
    (io / "output").write_text("x")
    return exited()


def without_tmp_and_stdin(container):
    io = mounted(container, "/io")
    (io / "tmp").rmdir()
    (io / "stdin.txt").write_text("changed")
    return exited(3)


BEHAVIOURS = {
    "nothing": leaves(),
    "streams": leaves(("stdout.txt", "42\n"), ("stderr.txt", b"\xff\x00")),
    "an empty stdout": leaves(("stdout.txt", "")),
    "files in output": leaves(("output/a/b.txt", "x"), ("output/é.bin", b"\x00" * 5000), ("beside.txt", "y")),
    "a program in output": leaves(("output/run.sh", "exit 0"), executable=("output/run.sh",)),
    "empty directories": leaves(folders=("output/empty", "output/deep/er", "own")),
    "no tmp, another stdin": without_tmp_and_stdin,
    "a crash": leaves(("stdout.txt", "half"), then=exited(139, signal=11)),
    "a timeout": leaves(("stdout.txt", "late"), then=timed_out()),
    "out of memory": leaves(then=out_of_memory()),
    "flooding": leaves(("output/big", "x" * 1000), then=exited(153, ended="output_limit", log_truncated=True)),
    "a full disk": leaves(("output/big", "x" * 1000), then=exited(137, ended="disk_limit")),
    "a link": leaves(("output/real", "x"), links=("output/link",)),
    "our own file's name": leaves(("agentics-run.json", '{"exit_code": 0}')),
    "a directory for stdout": directory_for_stdout,
    "a file for output": file_for_output,
}
INPUTS = [
    {"path": "small.json", "source_path": None, "content": None, "content_json": {"n": 1}},
    {"path": "deep/text", "source_path": None, "content": "text", "content_json": None},
]


@pytest.fixture
def challenge(tmp_path) -> Path:
    """Its second case has input files."""
    runs = tmp_path / "one" / "public" / "runs.json"
    document = json.loads(runs.read_text())
    document["runs"][1] |= {"input_files": INPUTS, "stdin_text": None, "stdin_json": {"k": [1.5, "é"]}}
    runs.write_text(json.dumps(document))
    return tmp_path / "one"


def finished(attempt):
    cases = attempt.cases()
    return Resume(cases={case.run_name: case for case in cases})


@pytest.mark.parametrize("name", BEHAVIOURS)
def test_what_is_restored_is_what_was_shown(attempt, challenge, engine, name):
    engine.behaviours["run"] = BEHAVIOURS[name]
    live = attempt()
    resume = finished(live)
    assert len(engine.containers) == 2
    again = attempt(resume=resume)
    restored = again.cases()
    assert len(engine.containers) == 2, "a finished case was run again"
    assert again.seen() == live.seen()
    assert [case.model_copy(update={"restored": False}) for case in restored] == list(resume.cases.values())
    assert [line["restored"] for line in again.ledger("cases")] == [True, True]
    assert attempt(resume=finished(again)).cases() == restored


def test_a_live_case_is_shown_as_it_was_before_there_was_any_restoring(attempt, challenge, engine):
    engine.behaviours["run"] = leaves(("stdout.txt", "42\n"), ("output/a", "x"))
    made = attempt()
    made.cases()
    seen = {path: data for path, (_, data) in made.seen().items() if path.startswith("case-2") and data is not None}
    facts = json.loads(seen.pop("case-2/agentics-run.json"))
    assert seen == {
        "case-2/stdin.txt": '{"k":[1.5,"é"]}'.encode(),
        "case-2/stdout.txt": b"42\n",
        "case-2/stderr.txt": b"",
        "case-2/output/a": b"x",
        "case-2/input/small.json": b'{"n":1}',
        "case-2/input/deep/text": b"text",
    }
    assert facts == {
        "run_name": "case-2",
        "interface": "stdio",
        "exit_code": 0,
        "timed_out": False,
        "wall_time_ms": 1234,
        "stdout_path": "/solution-runs/case-2/stdout.txt",
        "stderr_path": "/solution-runs/case-2/stderr.txt",
        "output_dir": "/solution-runs/case-2/output",
    }


def test_only_what_is_not_finished_is_run(attempt, challenge, engine):
    engine.behaviours["run"] = leaves(("stdout.txt", "42\n"))
    live = attempt()
    cases = live.cases()
    engine.containers.clear()
    again = attempt(resume=Resume(cases={"case-1": cases[0]}))
    assert [case.restored for case in again.cases()] == [True, False]
    assert [container.env["AGENTICS_RUN_NAME"] for container in engine.containers] == ["run-0002"]
    assert again.seen() == live.seen()


def test_a_case_whose_files_were_never_kept_is_run_again(attempt, challenge, engine):
    engine.behaviours["run"] = leaves(("stdout.txt", "42\n"))
    live = attempt()
    cases = live.cases()
    (file,) = cases[0].files
    lost = file.model_copy(update={"ref": "artifact://sha256/" + "0" * 64})
    again = attempt(resume=Resume(cases={"case-1": cases[0].model_copy(update={"files": (lost,)})}))
    assert [case.restored for case in again.cases()] == [False, False]
    assert again.seen() == live.seen()


@pytest.mark.parametrize("what", ["log", "events", "checkpoint"])
def test_a_case_that_names_anything_that_was_never_kept_is_run_again(attempt, engine, what):
    def act(one):
        one.step(0)
        one.checkpoint("c", data="x")

    engine.behaviours["run"] = agent(act, then=exited(0, log=b"said"))
    (case,) = attempt(limit=1, integration="sdk_control").cases()
    ref = {"log": case.container.log_ref, "events": case.events_ref, "checkpoint": case.checkpoints[0].files[0].ref}
    again = attempt(limit=1, integration="sdk_control", resume=Resume(cases={case.run_name: case}))
    again.tools.keep.path(ref[what]).unlink()
    assert [each.restored for each in again.cases()] == [False]


def test_an_evaluator_is_told_the_same_of_a_submission_whose_solution_is_gone(attempt, engine):
    told = []

    def look(container):
        told.append(mounted(container, "/metadata/submission.json").read_bytes())
        return exited()

    engine.behaviours["separated-evaluator"] = look
    live = attempt()
    evidence = live.run("prepare").evidence
    resume = Resume(cases=finished(live).cases, submission=evidence.submission)
    live.run("evaluate")
    again = attempt(resume=resume)
    again.tools.solution = None
    again.cases()
    again.run("evaluate")
    assert told[0] == told[1]
    assert json.loads(told[0]).keys() == {
        "schema_version",
        "solution_submission_id",
        "artifact_zip_bytes",
        "artifact_uncompressed_bytes",
        "artifact_file_count",
        "artifact_sha256",
    }


def test_a_damaged_file_is_an_error_of_ours_and_never_shown(attempt, challenge, engine):
    engine.behaviours["run"] = leaves(("stdout.txt", "42\n"))
    live = attempt()
    resume = finished(live)
    kept = live.tools.keep.path(resume.cases["case-1"].files[0].ref)
    kept.chmod(0o600)
    kept.write_text("43\n")
    with pytest.raises(StorageError) as damaged:
        attempt(resume=resume).cases()
    assert damaged.value.code == "artifact_damaged"


def test_a_checkpoint_that_is_lost_stops_the_attempt_before_its_case_starts(attempt, engine):
    engine.behaviours["run"] = agent(lambda one: one.checkpoint("c", data="x"))
    (case,) = attempt(limit=1, integration="sdk_control").cases()
    (checkpoint,) = case.checkpoints
    lost = checkpoint.files[0].model_copy(update={"ref": "artifact://sha256/" + "0" * 64})
    resume = Resume(checkpoints={case.alias: checkpoint.model_copy(update={"files": (lost,)})})
    engine.containers.clear()
    with pytest.raises(StorageError) as missing:
        attempt(limit=1, integration="sdk_control", resume=resume).cases()
    assert missing.value.code == "artifact_missing"
    assert engine.containers == []


def test_a_restored_case_is_not_asked_for_anything(attempt, engine):
    talk = Cooperation()
    resume = finished(attempt(integration="sdk_control"))
    attempt(integration="sdk_control", cooperation=talk, resume=resume).cases()
    assert talk.ask("stop", label=None, requested_by="run_loop", at="") == {}
