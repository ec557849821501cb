"""Attempts that wait for a setup that another one runs, and what the machine says of kept setups."""

from __future__ import annotations

import os
import signal
import threading
from concurrent.futures import ThreadPoolExecutor
from types import SimpleNamespace

import pytest

from agentics.control.active_attempts import ActiveAttempt, ActiveAttempts
from agentics.model.run.design import Design
from agentics.sandbox.filelock import try_lock
from agentics.sandbox.labels import TRIAL
from tests.fake_engine import FakeEngine, Held, exited
from tests.runner.lab import evaluator, solution
from tests.runner.setuplab import leaves, record, setups_run


@pytest.fixture
def making(made):
    """Two solutions side by side: one is in the middle of the setup, the other is about to wait for it."""
    solution(made.home, "other")
    held = Held(then=leaves())
    made.engine.behaviours["challenge-setup"] = held
    with ThreadPoolExecutor(max_workers=1) as pool:
        two = {"solutions": ("mine", "other"), "design": Design(max_concurrency=2)}
        ended = pool.submit(made.run, "one", **two)
        assert held.entered.wait(30)
        until_waiting(made)
        yield held, ended
        held.release.set()


def until_waiting(lab, run_id="r"):
    """Until a trial has said that it waits."""
    log = lab.home / "outputs" / run_id / "runtime/eval.log"
    a_moment = threading.Event()
    for _ in range(3000):
        if log.exists() and "setup_waiting" in log.read_text():
            return
        a_moment.wait(0.01)
    raise AssertionError("no trial waits")


def test_who_waits_is_told_of_and_takes_what_the_other_one_made(made, making):
    held, ended = making
    held.release.set()
    assert ended.result(30).exit_status == 0
    assert setups_run(made) == 1
    assert sorted(record(made, trial=f"trial_{n}")["reused"] for n in (1, 2)) == [False, True]


def test_who_waited_for_a_setup_that_failed_runs_its_own(made, making):
    held, ended = making
    usual = leaves()

    def fails_first(container):
        ended = usual(container)
        return exited(1) if container.labels[TRIAL] == first else ended

    (first,) = [c.labels[TRIAL] for c in made.engine.containers if c.role == "challenge-setup"]
    held.then = fails_first
    held.release.set()
    ended.result(30)
    assert setups_run(made) == 2
    told = sorted(status for variant in ("mine", "other") for status, _, _ in made.tasks(variant=variant))
    assert told == ["error", "passed"]
    # The live region shows the setup again, and no longer that the trial waits.
    log = (made.home / "outputs/r/runtime/eval.log").read_text().splitlines()
    begun = [line for line in log if "stage_started" in line and '"challenge_setup"' in line]
    assert (len(begun), len({line.partition('"trial": ')[2][:10] for line in begun})) == (3, 2)


def test_a_run_that_is_killed_ends_also_for_who_waits(made, making):
    _, ended = making
    said = made("run", "kill", "outputs/r", "--json")
    assert said.status == 0, said
    assert ended.result(30).exit_status == 8
    assert made.read("r/runtime/run_control.json")["status"] == "killed"


def test_a_run_is_paused_and_goes_on_also_for_who_waits(made, making):
    held, ended = making
    said = made("run", "pause", "outputs/r", "--json")
    assert said.status == 0, said
    assert sorted(said.json["pause"]["trial_ids"]) == ["trial_1", "trial_2"]
    held.release.set()
    assert not ended.done()
    assert made("run", "resume", "outputs/r", "--json").status == 0
    assert ended.result(30).exit_status == 0
    assert setups_run(made) == 1


def test_a_signal_ends_who_waits(made):
    made.eval("one", run_id="a")
    (product,) = made.home.parent.glob("scratch/setups-*/*.1")
    product.rename(made.home / "away")
    # Another process is in the middle of the setup.
    making = try_lock(product.with_suffix(".lock"), exclusive=True, create=True)

    def interrupt():
        until_waiting(made, "b")
        os.kill(os.getpid(), signal.SIGINT)

    thread = threading.Thread(target=interrupt)
    thread.start()
    said = made.eval("one", run_id="b")
    thread.join()
    os.close(making)
    assert said.status == 130
    assert made.tasks("b") == [("pending", "interrupted", 1)]
    assert setups_run(made) == 1


def test_the_clock_of_who_waits_stands_still(made, monkeypatch):
    stopped, usual = [], ActiveAttempt.stop_clock
    monkeypatch.setattr(
        ActiveAttempt, "stop_clock", lambda self, now: (stopped.append(self.ids.trial_id), usual(self, now))
    )
    solution(made.home, "other")
    held = Held(then=leaves())
    made.engine.behaviours["challenge-setup"] = held
    with ThreadPoolExecutor(max_workers=1) as pool:
        ended = pool.submit(made.run, "one", solutions=("mine", "other"), design=Design(max_concurrency=2))
        assert held.entered.wait(30)
        until_waiting(made)
        held.release.set()
        ended.result(30)
    (making,) = [c.labels[TRIAL] for c in made.engine.containers if c.role == "challenge-setup"]
    assert stopped == [name for name in ("trial_1", "trial_2") if name != making]


def test_waiting_counts_against_no_limit_and_neither_does_being_paused_meanwhile():
    now = [0.0]
    active_attempts = ActiveAttempts(FakeEngine(), {}, threading.Event(), clock=lambda: now[0])
    active = ActiveAttempt(None, active_attempts.stop, began=0.0, limit_s=10.0)
    now[0] = 5.0
    with active_attempts.waiting(active):
        now[0] = 1000.0
        assert not active.over_limit(now[0])
        active.stop_clock(now[0])
        now[0] = 2000.0
    assert not active.over_limit(now[0])
    active.start_clock(3000.0)
    assert not active.over_limit(3004.9)
    assert active.over_limit(3005.0)


def test_the_time_for_which_a_trial_stands_frozen_does_not_count_against_its_limit():
    now = [0.0]
    active_attempts = ActiveAttempts(FakeEngine(), {}, threading.Event(), clock=lambda: now[0])
    active = active_attempts.enter(lambda: SimpleNamespace(ids=SimpleNamespace(trial_id="trial_1")), limit_s=10.0)
    now[0] = 6.0
    assert active_attempts.freeze(lambda _: True, lambda _: None) == ("trial_1",)
    now[0] = 1000.0
    active_attempts.end_late()
    assert active_attempts.thaw(lambda _: True, lambda _: None) == ("trial_1",)
    now[0] = 1003.9
    active_attempts.end_late()
    assert active.why is None
    now[0] = 1004.0
    active_attempts.end_late()
    assert active.why == "time_limit"


# --- The machine ------------------------------------------------------------------------------------------------------


@pytest.fixture
def machine(made, monkeypatch):
    """`doctor` and `clean` of this machine; no engine answers them."""
    monkeypatch.setenv("DOCKER_HOST", "unix:///nowhere")
    return made


def test_cleaning_removes_kept_setups_only_when_it_is_asked_to(machine):
    machine.eval("one", run_id="a")
    machine("clean")
    machine.eval("one", run_id="b")
    assert setups_run(machine) == 1
    assert machine("clean", "--setups").out.startswith("kept setups: removed 1 (0.0 MiB)\n")
    machine.eval("one", run_id="c")
    assert setups_run(machine) == 2


def test_cleaning_leaves_what_is_in_use_and_says_so(machine):
    held = Held(then=evaluator())
    machine.engine.behaviours["separated-evaluator"] = held
    with ThreadPoolExecutor(max_workers=1) as pool:
        ended = pool.submit(machine.run, "one")
        assert held.entered.wait(30)
        assert "kept setups: removed 0 (0.0 MiB); 1 in use stayed" in machine("clean", "--setups").out
        held.release.set()
        assert ended.result(30).exit_status == 0
    assert "kept setups: removed 1 (" in machine("clean", "--setups").out
