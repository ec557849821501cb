"""`--json-stream` and runtime/events.jsonl: what is told, in which order, what never is, and who may go away."""

from __future__ import annotations

import json
import os
import signal
import time
from pathlib import Path

import pytest
from jsonschema import Draft202012Validator

from agentics.errors import EngineError
from agentics.schemas import schema
from tests.cli.test_processes import home, start
from tests.fake_engine import exited
from tests.runner.lab import evaluator, on_trial, raises, solution

pytestmark = pytest.mark.slow

__all__ = ["home", "start"]

COMMON = {"schema_version", "seq", "ts", "run_id", "run_dir", "event"}
KEYS = {
    "run_started": COMMON,
    "trial_started": COMMON | {"trial_id", "variant_id", "task_id", "repl_idx", "attempt"},
    "trial_finished": COMMON | {"trial_id", "status", "outcome", "duration_ms", "trial_dir", "attempt"},
    "run_finished": COMMON | {"status"},
}
FORBIDDEN = ("verdict", "score", "primary_metric", "pass_rate", "metric", "passed", "private", "slowest_ms")


def stream(said):
    """The events, and the envelope."""
    lines = [json.loads(line) for line in said.out.splitlines()]
    return lines[:-1], lines[-1]


def names(events):
    return [event["event"] for event in events]


def recorded(lab, run_id="r"):
    return [json.loads(line) for line in (lab.home / f"outputs/{run_id}/runtime/events.jsonl").read_text().splitlines()]


def without_times(value):
    """The document without what two runs never share: times, durations, ids, and how they were called."""
    if isinstance(value, list):
        return [without_times(item) for item in value]
    if isinstance(value, dict):
        unlike = ("timestamp", "_at", "_s", "_seconds", "run_id", "run_dir", "argv", "cli_args")
        return {key: without_times(item) for key, item in value.items() if not key.endswith(unlike)}
    return value.replace("other-id", "first-id") if isinstance(value, str) else value


def test_c8_json_is_one_line_and_c9_a_stream_is_events_and_then_the_same_envelope(lab):
    lab.bundle("one")
    lab.bundle("two")
    once = lab.eval("one", "two", "--json", run_id="first-id")
    assert len(once.out.splitlines()) == 1
    events, envelope = stream(lab.eval("one", "two", "--json-stream", run_id="other-id"))
    assert names(events) == ["run_started", *["trial_started", "trial_finished"] * 2, "run_finished"]
    assert without_times(envelope) == without_times(once.json)
    assert (events[-1]["status"], envelope["ok"], envelope["command"]) == ("completed", True, "eval")


def test_both_flags_are_a_stream(lab):
    lab.bundle("one")
    events, envelope = stream(lab.eval("one", "--json", "--json-stream"))
    assert (names(events)[0], envelope["ok"]) == ("run_started", True)


def test_every_event_has_the_keys_of_its_kind_and_is_what_the_schema_says(lab):
    lab.bundle("one")
    events, envelope = stream(lab.eval("one", "--json-stream"))
    validator = Draft202012Validator(schema("runner-event"))
    for event in events:
        validator.validate(event)
        assert event.keys() == KEYS[event["event"]]
        assert (event["run_id"], event["run_dir"]) == (envelope["run"]["run_id"], envelope["run"]["run_dir"])
    begun, ended = events[1:3]
    assert (begun["variant_id"], begun["task_id"], begun["repl_idx"]) == ("mine", "one.linux-arm64-cpu", 0)
    assert (ended["status"], ended["outcome"]) == ("completed", "success")
    assert Path(ended["trial_dir"]) == Path(ended["run_dir"]) / "trials" / "trial_1"
    assert not validator.is_valid({**ended, "score": 1})
    assert not validator.is_valid({**ended, "event": "run_started"})


def test_the_same_lines_are_in_the_run_directory_and_numbers_go_on_over_invocations(lab):
    lab.bundle("one")
    first, _ = stream(lab.eval("one", "--json-stream"))
    assert recorded(lab) == first
    lab.eval("one", "--no-resume")
    again = recorded(lab)
    assert [event["seq"] for event in again] == list(range(1, 2 * len(first) + 1))
    assert [event["attempt"] for event in again if event["event"] == "trial_started"] == [1, 2]


def test_what_a_dead_writer_left_of_a_line_is_cut_and_a_damaged_line_stops_nobody(lab):
    lab.bundle("one")
    lab.eval("one")
    log = lab.home / "outputs/r/runtime/events.jsonl"
    whole = log.read_bytes()
    log.write_bytes(whole + b'not json\n{"schema_version":"runner_ev')
    assert lab.eval("one", "--no-resume").status == 0
    lines = log.read_bytes().splitlines()
    assert lines[4] == b"not json"
    assert json.loads(lines[5])["seq"] == 5


def test_a_trial_that_the_engine_fails_tells_each_attempt(lab):
    lab.bundle("one")
    lab.engine.behaviours["run"] = raises(EngineError("gone", code="engine_lost"))
    events, envelope = stream(lab.eval("one", "--json-stream", "--exit-policy", "strict"))
    told = [(e["event"], e["attempt"], e.get("status"), e.get("outcome")) for e in events if "attempt" in e]
    assert told == [
        line for n in (1, 2, 3) for line in (("trial_started", n, None, None), ("trial_finished", n, "failed", "error"))
    ]
    assert (events[-1]["status"], envelope["exit_code"]) == ("completed", 5)


def test_an_error_before_there_is_a_run_is_an_envelope_and_no_event(lab):
    said = lab.eval("missing", "--json-stream")
    assert (said.status, len(said.out.splitlines()), said.json["ok"]) == (2, 1, False)
    assert not (lab.home / "outputs").exists()
    said = lab("eval", "--json-stream", "--bogus")
    assert (said.status, said.json["error"]["code"]) == (2, "usage")


def test_a_refused_run_tells_no_event(lab):
    lab.bundle("one")
    lab.eval("one")
    before = recorded(lab)
    (lab.home / "mine" / "run.sh").write_text("tac\n")
    said = lab.eval("one", "--json-stream")
    assert (said.status, said.json["error"]["code"]) == (7, "run_scope_mismatch")
    assert recorded(lab) == before


def test_without_an_engine_the_run_starts_fails_and_says_so(lab):
    lab.bundle("one")
    lab.engine.failures["reap"] = [EngineError("gone", code="engine_lost")]
    events, envelope = stream(lab.eval("one", "--json-stream"))
    assert [(e["event"], e.get("status")) for e in events] == [("run_started", None), ("run_finished", "failed")]
    assert (envelope["ok"], envelope["exit_code"]) == (False, 5)


@pytest.mark.parametrize("flag", ["--json", "--json-stream"])
def test_a_bug_is_an_envelope_too_and_only_the_traceback_says_more(lab, flag, monkeypatch):
    lab.bundle("one")
    monkeypatch.setattr("agentics.runner.trial_runner.judge", raises(ZeroDivisionError("what it was")))
    said = lab.eval("one", flag)
    assert said.status == 1
    assert "ZeroDivisionError: what it was" in said.err
    lines = [json.loads(line) for line in said.out.splitlines()]
    assert lines[-1]["error"]["code"] == "internal_error"
    assert "what it was" not in json.dumps(lines[-1])
    assert names(lines[:-1])[-1:] == ([] if flag == "--json" else ["run_finished"])
    assert recorded(lab)[-1]["status"] == "failed"


def test_c11_no_event_says_what_was_found_or_names_anything_private(lab):
    canary = "canary-7f3a"
    root = lab.bundle("one")
    runs = json.loads((root / "public" / "runs.json").read_text())
    for run in runs["runs"]:
        run["run_name"] = f"{canary}-{run['run_name']}"
    (root / "public" / "runs.json").write_text(json.dumps(runs))
    solution(lab.home / "other", "theirs")
    lab.engine.behaviours["run"] = on_trial("trial_2", lambda _: exited(1))
    lab.engine.behaviours["separated-evaluator"] = evaluator(1)
    events, _ = stream(lab.eval("one", "--solution", "other/theirs", "--mode", "official", "--json-stream"))
    assert names(events).count("trial_finished") == 2
    assert canary in (lab.home / "outputs/r/trials/trial_1/evidence.json").read_text()
    for event in events:
        where = {"run_dir", "trial_dir"}
        text = json.dumps({key: value for key, value in event.items() if key not in where}).lower()
        assert not [word for word in (*FORBIDDEN, canary) if word in text], event


def test_c13_without_its_events_a_run_is_as_complete_as_with_them(lab):
    lab.bundle("one")
    lab.bundle("two")
    lab.engine.behaviours["separated-evaluator"] = evaluator(0)
    lab.eval("one", "two")
    before = lab("run", "show", "outputs/r", "--json").json
    gate = lab("run", "gate", "outputs/r").status
    (lab.home / "outputs/r/runtime/events.jsonl").unlink()
    after = lab("run", "show", "outputs/r", "--json").json
    assert without_times(after) == without_times(before)
    assert lab("run", "gate", "outputs/r").status == gate
    lab.engine.behaviours["separated-evaluator"] = evaluator()
    assert lab.eval("one", "two", "--exit-policy", "strict").status == 0
    assert recorded(lab)[0]["seq"] == 1


def tree(root):
    return sorted(path.relative_to(root).as_posix() for path in root.rglob("*") if "sha256" not in path.parts)


def test_c12_a_reader_who_leaves_after_two_lines_changes_nothing(home, start):
    whole = start("--json-stream", "--run-id", "whole", "--exit-policy", "strict")
    whole.communicate(timeout=60)
    os.mkfifo(home / "held")
    process = start("--json-stream", "--exit-policy", "strict")
    assert names(json.loads(process.stdout.readline()) for _ in range(2)) == ["run_started", "trial_started"]
    process.stdout.close()
    with (home / "held").open("w"):
        pass
    talk = process.stderr.read()
    assert (process.wait(timeout=60), talk) == (whole.returncode, "")
    assert tree(home / "outputs" / "r") == tree(home / "outputs" / "whole")
    log = (home / "outputs/r/runtime/events.jsonl").read_text().splitlines()
    assert names(map(json.loads, log))[-1] == "run_finished"


@pytest.mark.parametrize("flags", [["--json"], ["--json-stream"], []])
def test_c12_a_reader_who_is_gone_from_the_start_changes_no_exit_status(home, start, flags):
    reader, writer = os.pipe()
    os.close(reader)
    process = start(*flags, "--quiet", "--exit-policy", "strict", stdout=writer)
    os.close(writer)
    _, talk = process.communicate(timeout=60)
    assert (process.returncode, talk) == (0, "")


def test_a_reader_who_does_not_read_holds_nothing_up(home, start):
    reader, writer = os.pipe()
    os.set_blocking(writer, False)
    while True:  # full: whoever writes here waits
        try:
            os.write(writer, b"\n" * 4096)
        except BlockingIOError:
            break
    os.set_blocking(writer, True)
    process = start("--json-stream", stdout=writer)
    os.close(writer)
    control = home / "outputs/r/runtime/run_control.json"
    seen = until(lambda: control.exists() and json.loads(control.read_bytes())["status"] == "completed")
    assert seen, "the run waits for its reader"
    os.close(reader)
    assert process.wait(timeout=60) == 0


def until(condition, seconds=60):
    """Whether it came true; for what another process does on its own, and tells nobody."""
    over = time.monotonic() + seconds
    while not condition() and time.monotonic() < over:
        time.sleep(0.01)
    return condition()


def test_c10_at_the_moment_of_each_event_what_it_names_is_on_disk(home, start):
    os.mkfifo(home / "held")
    process = start("--json-stream")
    seen = []
    for line in process.stdout:
        told = json.loads(line)
        if "event" not in told:
            break
        check_on_disk(told)
        seen.append(told["event"])
        if told["event"] == "trial_started":
            with (home / "held").open("w"):
                pass
    assert seen == ["run_started", "trial_started", "trial_finished", "run_finished"]


def check_on_disk(event):
    """What the event says is what the run directory says."""
    root = Path(event["run_dir"])
    assert json.loads((root / "manifest.json").read_bytes())["run_id"] == event["run_id"]
    log = [json.loads(line) for line in (root / "runtime/events.jsonl").read_text().splitlines()]
    assert event in log
    status = json.loads((root / "runtime/run_control.json").read_bytes())["status"]
    if event["event"] == "run_finished":
        assert status == event["status"]
        assert list(root.glob("*/run_outcome.json"))
    if event["event"] == "trial_started":
        state = json.loads((root / "trials" / event["trial_id"] / "trial_state.json").read_bytes())
        assert (state["status"], state["attempt"]) == ("running", event["attempt"])
    if event["event"] == "trial_finished":
        state = json.loads((Path(event["trial_dir"]) / "trial_state.json").read_bytes())
        assert (state["status"], state["attempt"]) == (event["status"], event["attempt"])
        if event["outcome"] is not None:
            assert json.loads((Path(event["trial_dir"]) / "result.json").read_bytes())["outcome"] == event["outcome"]


def test_an_interrupted_run_says_that_its_trial_was_killed_and_how_it_ended(home, start):
    os.mkfifo(home / "held")
    process = start("--json-stream")
    with (home / "held").open("w"):
        process.send_signal(signal.SIGINT)
    said, _ = process.communicate(timeout=60)
    events = [json.loads(line) for line in said.splitlines()][:-1]
    assert [(e["status"], e.get("outcome")) for e in events if "status" in e] == [
        ("killed", None),
        ("interrupted", None),
    ]
    assert process.returncode == 130
