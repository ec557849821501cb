"""C15, C16: a pause of solutions that cooperate, some of which do not answer, or end by themselves meanwhile."""

from __future__ import annotations

import threading
from concurrent.futures import ThreadPoolExecutor

import pytest

from agentics.errors import EngineError
from agentics.model.run.design import Design
from agentics.sandbox.labels import TRIAL
from agentics.usecases import evaluate as evaluating
from tests.fake_engine import Held, exited
from tests.runner.controllers import (
    COOPERATES,
    PATIENCE_S,
    Mute,
    left_by_a_dead_controller,
    obedient,
    place,
    running,
    until,
)
from tests.runner.lab import raises, solution
from tests.runner.test_control import control, run_status, state
from tests.stages.agents import Agent


@pytest.mark.parametrize("last", ["checkpoint", "stop"])
def test_c16_a_case_that_ends_by_itself_during_a_pause_is_evaluated_and_nobody_has_acknowledged(lab, last):
    lab.bundle("one", cases=1)
    evaluating, usual = Held(), lab.engine.behaviours["separated-evaluator"]
    evaluating.then = usual
    lab.engine.behaviours["separated-evaluator"] = evaluating

    def ends(container):
        one = Agent(container)
        until(lambda: one.asked["action"] == "checkpoint")
        if last == "stop":
            one.step(0)
            until(lambda: one.asked["action"] == "stop")
        return exited()

    lab.engine.behaviours["run"] = ends
    with running(lab, "one", **COOPERATES) as ended:
        until(lambda: lab.engine.running)
        status, said = control(lab, "pause")
        assert (status, said["pause"]["pause_mode"], said["pause"]["trial_ids"]) == (0, "frozen", ["trial_1"])
        assert (said["pause"]["checkpoint_acked"], said["pause"]["stop_acked"]) == (last == "stop", False)
        assert (run_status(lab), state(lab)["status"], state(lab)["exit_reason"]) == ("paused", "paused", None)
        evaluating.release.set()
        assert control(lab, "resume")[0] == 0
        assert ended.result(PATIENCE_S).exit_status == 0
    assert lab.tasks() == [("passed", None, 1)]
    assert lab.cases_run() == 1


def test_c16_a_run_that_ends_by_itself_during_a_pause_was_not_paused(lab):
    lab.bundle("one", cases=1)
    lab.engine.behaviours["run"] = Mute()
    with running(lab, "one", trial_timeout_s=1.0, **COOPERATES) as ended:
        until(lambda: lab.engine.running)
        code = control(lab, "pause", "--timeout-seconds", "300")[1]["error"]["code"]
        assert code in ("pause_no_active_trial", "pause_non_running")
        ended.result(PATIENCE_S)
    assert (run_status(lab), state(lab)["status"]) == ("completed", "failed")
    assert lab.tasks()[0][1] == "trial_time_limit"


def test_c15_the_next_case_of_a_trial_that_is_asked_to_stop_starts_once_it_goes_on(lab):
    lab.bundle("one", cases=2)

    def ends(container):
        one = Agent(container)
        if container.env["AGENTICS_RUN_NAME"] == "run-0001":
            until(lambda: one.asked["action"] == "checkpoint")
        return exited()

    lab.engine.behaviours["run"] = ends
    with running(lab, "one", jobs=1, **COOPERATES) as ended:
        until(lambda: lab.engine.running)
        status, said = control(lab, "pause", "--timeout-seconds", "1")
        if status == 0:
            assert (said["pause"]["pause_mode"], said["pause"]["stop_acked"]) == ("frozen", False)
            assert control(lab, "resume")[0] == 0
        assert ended.result(PATIENCE_S).exit_status == 0
    assert (lab.tasks(), lab.cases_run()) == ([("passed", None, 1)], 2)


def test_c15_a_solution_that_stopped_goes_on_from_its_checkpoint_when_another_one_is_deaf(lab):
    for name in ("one", "two"):
        lab.bundle(name, cases=1)
    deaf = Mute(then=lambda _: exited())

    def acts(container):
        if container.labels[TRIAL] == "trial_1":
            return obedient(container)
        one = Agent(container)
        until(lambda: one.asked["action"] == "checkpoint")
        one.step(0)
        return deaf(container)

    lab.engine.behaviours["run"] = acts
    with running(lab, "one", "two", design=Design(max_concurrency=2), **COOPERATES) as ended:
        until(lambda: len(lab.engine.running) == 2)
        status, said = control(lab, "pause", "--timeout-seconds", "2")
        assert (status, said["error"]["code"]) == (7, "control_ack_missing")
        assert "trial_2" in said["error"]["message"]
        assert run_status(lab) == "running"
        deaf.release.set()
        assert ended.result(PATIENCE_S).exit_status == 0
    assert lab.tasks() == [("passed", None, 2), ("passed", None, 1)]


@pytest.fixture
def mixed(lab):
    """A paused run of which one trial stopped at a checkpoint, and one is frozen."""
    lab.bundle("one", cases=1)
    solution(lab.home, "plain")
    frozen = Held()

    def acts(container):
        return obedient(container) if "AGENTICS_CONTROL_PATH" in container.env else frozen(container)

    lab.engine.behaviours["run"] = acts
    design = Design(max_concurrency=2)
    with running(lab, "one", solutions=("mine", "plain"), design=design, **COOPERATES) as ended:
        until(lambda: len(lab.engine.running) == 2)
        status, said = control(lab, "pause")
        assert (status, said["pause"]["pause_mode"]) == (0, "mixed")
        assert (said["pause"]["checkpoint_acked"], said["pause"]["stop_acked"]) == (True, True)
        assert sorted(said["pause"]["trial_ids"]) == ["trial_1", "trial_2"]
        yield frozen, ended
        frozen.release.set()


def test_c15_a_mixed_pause_is_resumed_whole(lab, mixed):
    frozen, ended = mixed
    frozen.release.set()
    assert control(lab, "resume")[0] == 0
    assert ended.result(PATIENCE_S).exit_status == 0
    assert (lab.tasks(), lab.tasks(variant="plain")) == ([("passed", None, 2)], [("passed", None, 1)])
    assert run_status(lab) == "completed"


def test_c19_a_kill_of_a_mixed_pause_ends_every_trial(lab, mixed):
    frozen, ended = mixed
    lab.engine.behaviours["run"] = frozen  # what the engine removes is what this one waits for
    left_by_a_dead_controller(lab, "resume")
    assert control(lab, "kill")[0] == 0
    assert ended.result(PATIENCE_S).exit_status == 8
    assert {state(lab, trial)["status"] for trial in ("trial_1", "trial_2")} == {"killed"}
    assert lab.read("r/runtime/run_control.json")["active_trials"] == {}


def test_c21_a_resume_of_a_process_that_is_about_to_end_waits_for_its_end(lab, monkeypatch):
    lab.bundle("one", cases=1)
    lab.engine.behaviours["run"] = obedient
    ending, asked = threading.Event(), threading.Event()
    usual = evaluating.write_projections

    def held(run):
        if not ending.is_set():
            ending.set()
            assert asked.wait(PATIENCE_S)
        usual(run)

    monkeypatch.setattr(evaluating, "write_projections", held)

    def release():
        before = 1  # the pause
        until(lambda: len(list(place(lab).requests.glob("*.request.json"))) > before)
        asked.set()

    with running(lab, "one", **COOPERATES) as ended, ThreadPoolExecutor(max_workers=1) as pool:
        until(lambda: lab.engine.running)
        assert control(lab, "pause")[1]["pause"]["pause_mode"] == "cooperative"
        assert ending.wait(PATIENCE_S)
        pool.submit(release)
        status, said = control(lab, "resume")
        assert (status, said["resume"]["mode"]) == (0, "checkpoint")
        assert ended.result(PATIENCE_S).exit_status == 8
    assert lab.tasks() == [("passed", None, 2)]


def test_c21_a_paused_run_is_not_paused_twice(lab, mixed):
    frozen, ended = mixed
    assert control(lab, "pause")[1]["error"]["code"] == "pause_non_running"
    frozen.release.set()
    assert control(lab, "resume")[0] == 0
    assert ended.result(PATIENCE_S).exit_status == 0


def test_c21_a_paused_process_does_not_wait_for_the_retry_of_another_trial(lab):
    for name in ("one", "two"):
        lab.bundle(name, cases=1)
    settings = lab.home / "agentics.toml"
    settings.write_text(settings.read_text().replace("wait_s = 0", "wait_s = 60"))
    busy = EngineError("busy", code="engine_error")
    lab.engine.behaviours["run"] = lambda c: obedient(c) if c.labels[TRIAL] == "trial_1" else raises(busy)(c)
    with running(lab, "one", "two", design=Design(max_concurrency=2), **COOPERATES) as ended:
        until(place(lab).trial("trial_2").result.exists)
        until(lambda: lab.engine.running)
        assert control(lab, "pause")[1]["pause"]["pause_mode"] == "cooperative"
        assert ended.result(PATIENCE_S / 2).exit_status == 8
    assert run_status(lab) == "paused"
