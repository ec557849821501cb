"""C17, C21: many requests in an order that a seed chooses, some of them of controllers that are gone."""

from __future__ import annotations

import random
import threading
from concurrent.futures import ThreadPoolExecutor
from contextlib import nullcontext

import pytest

from agentics.errors import AgenticsError
from agentics.model.run.design import Design
from agentics.usecases import control_run
from tests.fake_engine import exited
from tests.runner.controllers import COOPERATES, PATIENCE_S, killed_by, left_by_a_dead_controller, place, running, until
from tests.runner.lab import solution
from tests.runner.test_control import control, run_status, state
from tests.runner.test_slots import check_committed_once
from tests.stages.agents import Agent

TRIALS = ("trial_1", "trial_2", "trial_3", "trial_4")
OVER = {"completed", "killed"}


class Storm:
    """A run of two variants on two tasks, one of which cooperates, and controllers that a seed chooses."""

    def __init__(self, lab, seed):
        self.lab, self.chance, self.root = lab, random.Random(seed), lab.home / "outputs" / "r"
        self.number = 0
        self.calm = threading.Event()
        for name in ("one", "two"):
            lab.bundle(name, cases=2)
        solution(lab.home, "plain")
        lab.engine.behaviours["run"] = self.case

    def case(self, container):
        """A few steps, after each of which the solution answers if it cooperates, as the example does."""
        one = Agent(container) if "AGENTICS_CONTROL_PATH" in container.env else None
        for step in range(10):
            if self.calm.wait(0.02):
                break
            if one is not None:
                asked = one.asked["action"]
                one.step(step)
                if asked == "stop":
                    break
        return exited()

    def ask(self):
        """One controller: it waits for its answer, or has died before."""
        self.number += 1
        action = self.chance.choice(("pause", "pause", "resume"))
        if self.chance.random() < 0.4:
            return left_by_a_dead_controller(self.lab, action, f"left-{self.number}")
        try:
            if action == "pause":
                control_run.pause(self.root, trial_id=None, label=None, timeout_s=1.0)
            else:
                control_run.unfreeze(self.root, trial_id=None)
        except AgenticsError:
            pass
        return None


@pytest.fixture
def no_docker(lab, monkeypatch):
    """A kill of a run without a process asks the lab's engine, too."""
    monkeypatch.setattr(control_run, "open_engine", lambda *_: nullcontext(lab.engine))


@pytest.mark.slow
@pytest.mark.usefixtures("no_docker")
@pytest.mark.parametrize("seed", range(12))
def test_c21_after_any_requests_a_kill_ends_the_run_and_every_trial(lab, seed):
    storm = Storm(lab, seed)
    design = Design(max_concurrency=2)
    with running(lab, "one", "two", solutions=("mine", "plain"), design=design, **COOPERATES) as ended:
        until(place(lab).control.exists)
        with ThreadPoolExecutor(max_workers=2) as pool:
            for _ in range(storm.chance.randrange(8)):
                pool.submit(storm.ask)
            told = pool.submit(killed_by(lab)).result(PATIENCE_S)
        status = ended.result(PATIENCE_S).exit_status
    again = killed_by(lab)()
    assert again in ("r", "kill_terminal_status")
    assert (told, run_status(lab)) in (("r", "killed"), ("kill_terminal_status", "completed"))
    assert status == (8 if told == "r" else 0)
    states = [place(lab).trial(trial).state for trial in TRIALS]
    assert {state(lab, path.parent.name)["status"] for path in states if path.exists()} <= OVER
    assert lab.read("r/runtime/run_control.json")["active_trials"] == {}


@pytest.mark.slow
@pytest.mark.parametrize("seed", range(12))
def test_c17_after_any_requests_a_run_that_is_resumed_comes_to_its_end(lab, seed):
    storm = Storm(lab, seed)
    design = Design(max_concurrency=2)
    with running(lab, "one", "two", solutions=("mine", "plain"), design=design, **COOPERATES) as ended:
        until(place(lab).control.exists)
        with ThreadPoolExecutor(max_workers=2) as pool:
            for _ in range(storm.chance.randrange(8)):
                pool.submit(storm.ask)
        storm.calm.set()
        until(lambda: ended.done() or control(lab, "resume")[0] == -1)
    if run_status(lab) == "paused":
        assert control(lab, "resume")[0] == 0
    assert run_status(lab) == "completed"
    assert {status for variant in ("mine", "plain") for status, _, _ in lab.tasks(variant=variant)} == {"passed"}
    assert {state(lab, trial)["status"] for trial in TRIALS} == {"completed"}
    check_committed_once(lab.lines, 4)
