"""C15 to C21: requests of controllers that meet each other, or a moment at which the run is between two things."""

from __future__ import annotations

import errno
import os
import sys
import threading
from concurrent.futures import ThreadPoolExecutor

import pytest

from agentics.control import controller_requests
from agentics.errors import EngineError, StorageError
from agentics.model.run.design import AdapterCommand
from agentics.pipeline import cooperation
from agentics.rundir.files import mailbox
from agentics.usecases import evaluate as evaluating
from tests.fake_engine import Held
from tests.memory_store import MemoryStore
from tests.runner.controllers import (
    COOPERATES,
    PATIENCE_S,
    Mute,
    answer,
    killed_by,
    left_by_a_dead_controller,
    paused_by,
    place,
    running,
    until,
)
from tests.runner.test_control import control, run_status, state


@pytest.fixture
def mute(lab):
    """A run whose only case says nothing, in a thread of its own."""
    lab.bundle("one", cases=1)
    case = Mute()
    lab.engine.behaviours["run"] = case
    with running(lab, "one", **COOPERATES) as ended:
        assert case.entered.wait(PATIENCE_S)
        yield case, ended
        case.release.set()


def test_c21_a_kill_does_not_wait_for_a_pause_whose_controller_has_died(lab, mute):
    case, ended = mute
    left_by_a_dead_controller(lab)
    until(lambda: case.asked == "checkpoint")
    status, said = control(lab, "kill")
    assert (status, said["kill"]["trial_ids"]) == (0, ["trial_1"])
    assert ended.result(PATIENCE_S).exit_status == 8
    assert (run_status(lab), state(lab)["status"], state(lab)["exit_reason"]) == ("killed", "killed", "killed_by_user")
    assert answer(lab)["code"] == "pause_overruled"


def test_c21_a_kill_does_not_wait_for_a_pause_whose_controller_still_waits(lab, mute):
    case, ended = mute
    with ThreadPoolExecutor(max_workers=1) as pool:
        pause = pool.submit(paused_by(lab))
        until(lambda: case.asked == "checkpoint")
        assert control(lab, "kill")[0] == 0
        assert pause.result(PATIENCE_S) == "pause_overruled"
    assert ended.result(PATIENCE_S).exit_status == 8
    assert run_status(lab) == "killed"


def test_c21_a_kill_comes_before_all_that_was_asked_for_earlier(lab, mute):
    _, ended = mute
    for number, action in enumerate(("pause", "resume", "pause")):
        left_by_a_dead_controller(lab, action, f"left-{number}")
    assert control(lab, "kill")[0] == 0
    assert ended.result(PATIENCE_S).exit_status == 8
    assert run_status(lab) == "killed"


def test_c21_two_kills_at_once_both_find_the_run_killed(lab, mute):
    _, ended = mute
    with ThreadPoolExecutor(max_workers=2) as pool:
        told = [one.result(PATIENCE_S) for one in [pool.submit(killed_by(lab)) for _ in range(2)]]
    # A kill that looks when the other one has been answered finds a run that is over.
    assert "r" in told
    assert set(told) <= {"r", "kill_terminal_status"}
    assert ended.result(PATIENCE_S).exit_status == 8
    assert run_status(lab) == "killed"


def test_c21_a_controller_does_not_wait_for_a_pause_that_a_dead_one_asked_for(lab, mute):
    case, ended = mute
    left_by_a_dead_controller(lab)
    until(lambda: case.asked == "checkpoint")
    assert control(lab, "pause", "--timeout-seconds", "0.1")[1]["error"]["code"] == "control_ack_missing"
    assert answer(lab)["code"] == "pause_overruled"
    assert (run_status(lab), state(lab)["status"]) == ("running", "running")
    case.release.set()
    assert ended.result(PATIENCE_S).exit_status == 0


def test_c21_a_pause_of_a_run_that_a_signal_ends_is_refused(lab, monkeypatch):
    lab.bundle("one", cases=1)
    case, stops = Mute(), []
    lab.engine.behaviours["run"] = case
    usual = evaluating.StopSignal
    monkeypatch.setattr(evaluating, "StopSignal", lambda **more: stops.append(usual(**more)) or stops[0])
    with running(lab, "one", **COOPERATES) as ended, ThreadPoolExecutor(max_workers=1) as pool:
        assert case.entered.wait(PATIENCE_S)
        pause = pool.submit(paused_by(lab))
        until(lambda: case.asked == "checkpoint")
        stops[0].event.set()
        assert pause.result(PATIENCE_S) == "pause_non_running"
        case.release.set()
        ended.result(PATIENCE_S)
    assert state(lab)["status"] == "killed"


def test_c21_what_is_no_request_holds_up_no_request(lab, mute):
    _, ended = mute
    requests = place(lab).requests
    requests.mkdir(exist_ok=True)
    (requests / "directory.request.json").mkdir()
    os.mkfifo(requests / "pipe.request.json")
    (requests / "link.request.json").symlink_to("pipe.request.json")
    (requests / "half.request.json").write_text('{"schema_version": "control_request_v1", "operation_id": "ha')
    (requests / f"{'long' * 60}.request.json").write_text("")
    left_by_a_dead_controller(lab, "pause", "other")
    (requests / "other.request.json").rename(requests / "another.request.json")
    with (requests / "large.request.json").open("wb") as file:
        file.truncate(1 << 40)
    assert control(lab, "resume")[1]["error"]["code"] == "resume_non_paused"
    assert control(lab, "kill")[0] == 0
    assert ended.result(PATIENCE_S).exit_status == 8


def test_c21_what_was_asked_of_a_dead_process_is_not_done_to_the_next_one(lab):
    lab.bundle("one")
    lab.engine.failures["reap"] = [EngineError("gone", code="engine_lost")]
    lab.run("one")
    left_by_a_dead_controller(lab, "kill")
    assert control(lab, "continue")[0] == 0
    assert run_status(lab) == "completed"
    assert answer(lab)["code"] == "runner_ended"


@pytest.mark.parametrize(
    ("action", "code"),
    [("pause", "pause_non_running"), ("resume", "resume_non_paused"), ("kill", "kill_terminal_status")],
)
def test_c21_who_asks_a_run_that_just_ends_is_told_how_it_ended(lab, monkeypatch, action, code):
    lab.bundle("one")
    ending, asked = threading.Event(), threading.Event()
    usual = evaluating.write_projections

    def held(run):
        ending.set()
        assert asked.wait(PATIENCE_S)
        usual(run)

    monkeypatch.setattr(evaluating, "write_projections", held)

    def release():
        until(lambda: list(place(lab).requests.glob("*.request.json")))
        asked.set()

    with running(lab, "one") as ended, ThreadPoolExecutor(max_workers=1) as pool:
        assert ending.wait(PATIENCE_S)
        pool.submit(release)
        status, said = control(lab, action)
        assert (status, said["error"]["code"]) == (7, code)
        assert "completed" in said["error"]["message"]
        assert ended.result(PATIENCE_S).exit_status == 0


def test_c21_a_run_whose_images_are_being_built_is_killed_at_once(lab, monkeypatch, tmp_path):
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    lab.bundle("one")
    lab.engine.store = MemoryStore()
    lab.engine.store.goes_on.clear()
    with running(lab, "one") as ended:
        assert lab.engine.store.begun.wait(PATIENCE_S)
        assert control(lab, "pause")[1]["error"]["code"] == "pause_no_active_trial"
        assert control(lab, "kill")[0] == 0
        assert ended.result(PATIENCE_S).exit_status == 8
    assert run_status(lab) == "killed"
    assert lab.cases_run() == 0


def test_c21_a_run_whose_adapter_is_at_work_is_killed_at_once(lab):
    lab.bundle("one")
    program = "import pathlib, time; pathlib.Path('scoring').touch(); time.sleep(600)"
    with running(lab, "one", adapter=AdapterCommand(command=(sys.executable, "-c", program))) as ended:
        until((lab.home / "scoring").exists)
        assert control(lab, "pause")[1]["error"]["code"] == "pause_no_active_trial"
        assert control(lab, "kill")[0] == 0
        assert ended.result(PATIENCE_S).exit_status == 8
    assert (run_status(lab), state(lab)["status"]) == ("killed", "completed")


def test_c21_a_run_that_waits_before_a_retry_is_killed_at_once(lab):
    lab.bundle("one", cases=1)
    settings = lab.home / "agentics.toml"
    settings.write_text(settings.read_text().replace("wait_s = 0", "wait_s = 60"))
    lab.engine.failures["start"] = [EngineError("busy", code="engine_error")]
    with running(lab, "one") as ended:
        until(place(lab).trial("trial_1").result.exists)
        assert control(lab, "kill")[0] == 0
        assert ended.result(PATIENCE_S).exit_status == 8
    assert run_status(lab) == "killed"


def test_c21_a_controller_of_another_user_leaves_nothing_that_the_run_cannot_read_or_write(lab, mute):
    _, ended = mute
    runtime = place(lab).runtime
    assert {"requests", "control.lock"} <= {path.name for path in runtime.iterdir()}, "whoever makes them owns them"
    before = os.umask(0o077)
    try:
        assert control(lab, "kill")[0] == 0
    finally:
        os.umask(before)
    (request,) = place(lab).requests.glob("*.request.json")
    assert request.stat().st_mode & 0o444 == 0o444
    assert ended.result(PATIENCE_S).exit_status == 8


def test_a_full_disk_at_the_control_file_is_told_and_the_run_goes_on(lab, mute, monkeypatch):
    case, ended = mute
    full = OSError(errno.ENOSPC, "No space left on device")
    monkeypatch.setattr(cooperation, "write_whole", lambda *_: (_ for _ in ()).throw(full))
    status, said = control(lab, "pause")
    assert (status, said["error"]["code"]) == (7, "control_file_unwritable")
    assert "No space left" in said["error"]["message"]
    assert (run_status(lab), state(lab)["status"]) == ("running", "running")
    case.release.set()
    assert ended.result(PATIENCE_S).exit_status == 0


def test_an_answer_that_cannot_be_written_is_written_later_and_done_once(lab, monkeypatch):
    lab.bundle("one", cases=1)
    case, usual, full = Held(), mailbox.answer, [StorageError("full")] * 3
    lab.engine.behaviours["run"] = case

    def answers(*told):
        if full:
            raise full.pop()
        usual(*told)

    monkeypatch.setattr(mailbox, "answer", answers)
    with running(lab, "one") as ended:
        assert case.entered.wait(PATIENCE_S)
        assert control(lab, "pause")[1]["pause"]["pause_mode"] == "frozen"
        assert (full, run_status(lab)) == ([], "paused")
        case.release.set()
        assert control(lab, "resume")[0] == 0
        assert ended.result(PATIENCE_S).exit_status == 0


@pytest.mark.parametrize("what", ["transition", "transition_trial"])
def test_a_pause_that_cannot_be_written_down_is_taken_back(lab, monkeypatch, what):
    lab.bundle("one", cases=1)
    case, usual, full = Held(), getattr(controller_requests, what), [StorageError("full", code="storage_error")]
    lab.engine.behaviours["run"] = case

    def writes(*args, **more):
        if full:
            raise full.pop()
        usual(*args, **more)

    monkeypatch.setattr(controller_requests, what, writes)
    with running(lab, "one") as ended:
        assert case.entered.wait(PATIENCE_S)
        assert control(lab, "pause")[1]["error"]["code"] == "storage_error"
        assert (run_status(lab), state(lab)["status"], lab.engine.paused) == ("running", "running", [])
        assert control(lab, "pause")[0] == 0
        case.release.set()
        assert control(lab, "resume")[0] == 0
        assert ended.result(PATIENCE_S).exit_status == 0


def test_a_resume_that_failed_half_way_can_be_asked_for_again(lab, monkeypatch):
    lab.bundle("one", cases=1)
    case = Held()
    lab.engine.behaviours["run"] = case
    with running(lab, "one") as ended:
        assert case.entered.wait(PATIENCE_S)
        assert control(lab, "pause")[0] == 0
        lab.engine.failures["unpause"] = [EngineError("busy", code="engine_error")]
        assert control(lab, "resume")[1]["error"]["code"] == "engine_error"
        case.release.set()
        assert control(lab, "resume")[0] == 0
        assert ended.result(PATIENCE_S).exit_status == 0
    assert run_status(lab) == "completed"
