"""The load of the machine during a trial, as a user and a program are told of it: with a /proc that the test writes."""

from __future__ import annotations

import platform
from dataclasses import replace

import pytest

from agentics.errors import EngineError
from agentics.model.run.design import Design
from agentics.sandbox import load
from tests.fake_engine import FACTS, exited, timed_out
from tests.runner.lab import evaluator, raises
from tests.sandbox.machine import Machine

NAME = "one.linux-arm64-cpu"


@pytest.fixture
def machine(lab, tmp_path, monkeypatch):
    """The fake engine runs on a machine whose counters the test writes."""
    made = Machine(tmp_path / "proc")
    made.write()
    monkeypatch.setattr(load, "PROC", made.root)
    lab.engine.known_facts = replace(FACTS, kernel=platform.release())
    return made


def others_work(machine):
    """Another program uses hours of processor time, at once."""
    machine.process(1000 + len(machine.found), 7200.0)
    machine.pressure_s += 7200
    machine.write()


def while_others_work(machine):
    """An evaluator's behaviour; others are at work meanwhile."""

    def behave(container):
        others_work(machine)
        return evaluator()(container)

    return behave


def in_turn(*behaviours):
    """The first container behaves as the first of these, the next as the next."""
    left = iter(behaviours)

    def behave(container):
        return next(left)(container)

    return behave


def events(lab):
    return [event for event in lab.lines("runtime/events.jsonl") if event["event"] == "load_doubtful"]


def test_a_trial_beside_a_busy_program_is_doubtful_and_its_verdict_stays_as_it_is(lab, machine):
    lab.bundle("one")
    lab.engine.behaviours["separated-evaluator"] = while_others_work(machine)
    said = lab.eval("one", "--exit-policy", "strict")
    assert (said.status, lab.tasks()) == (0, [("passed", None, 1)])
    found = lab.read("r/trials/trial_1/evidence.json")["load"]
    assert (found["doubtful"], found["foreign_share"], found["some_pressure_share"]) == (True, 1, 1)
    assert found["why"].startswith("other programs took 100% of the processor time")
    assert lab.read("r/trials/trial_1/result.json")["ext"]["load"] == found
    outcome = lab.outcome()
    assert outcome["tasks"][NAME]["diagnostics"] == {"load": found}
    assert outcome["diagnostics"]["counts"]["doubtful_load"] == 1
    assert [(event["trial_id"], event["attempt"]) for event in events(lab)] == [("trial_1", 1)]
    told = " ".join(said.err.split())
    assert f"warning {NAME} · mine: the machine was busy with other work" in told
    assert "--jobs 1" in told
    assert "[cases] undisturbed" in told


def test_people_are_warned_once_in_a_run_and_programs_of_each_trial(lab, machine):
    for name in ("one", "two", "three"):
        lab.bundle(name)
    lab.engine.behaviours["separated-evaluator"] = while_others_work(machine)
    said = lab.eval("one", "two", "three")
    assert said.err.count("the machine was busy") == 1
    assert [event["trial_id"] for event in events(lab)] == ["trial_1", "trial_2", "trial_3"]
    assert lab.outcome()["diagnostics"]["counts"]["doubtful_load"] == 3


def test_each_trial_has_a_window_of_its_own(lab, machine):
    lab.bundle("one")
    lab.bundle("two")
    lab.engine.behaviours["separated-evaluator"] = in_turn(while_others_work(machine), evaluator())
    lab.eval("one", "two")
    tasks = lab.outcome()["tasks"].values()
    assert [task["diagnostics"]["load"]["doubtful"] for task in tasks] == [True, False]
    assert lab.outcome()["diagnostics"]["counts"]["doubtful_load"] == 1


def test_a_calm_machine_is_recorded_and_not_spoken_of(lab, machine):
    lab.bundle("one")
    said = lab.eval("one")
    assert "busy" not in said.err
    assert events(lab) == []
    found = lab.outcome()["tasks"][NAME]["diagnostics"]["load"]
    assert (found["doubtful"], found["foreign_share"], found["why"]) == (False, 0, None)
    assert lab.outcome()["diagnostics"]["counts"]["doubtful_load"] == 0


def test_a_container_of_ours_that_still_runs_for_another_trial_is_no_other_program(lab, machine, monkeypatch):
    lab.bundle("one")
    monkeypatch.setattr(type(lab.engine), "live", lambda _: frozenset({"a" * 64}))

    def behave(container):
        machine.process(1000, 7200.0, container="a" * 64)
        machine.pressure_s += 7200
        machine.write()
        return evaluator()(container)

    lab.engine.behaviours["separated-evaluator"] = behave
    lab.eval("one")
    assert lab.outcome()["tasks"][NAME]["diagnostics"]["load"]["foreign_share"] == 0


def test_where_the_engine_is_on_another_machine_nothing_is_said_of_this_one(lab, machine):
    lab.engine.known_facts = replace(FACTS, kernel="another")
    lab.bundle("one")
    lab.engine.behaviours["separated-evaluator"] = while_others_work(machine)
    lab.eval("one")
    found = lab.outcome()["tasks"][NAME]["diagnostics"]["load"]
    assert {name for name, value in found.items() if value is not None} == {"observed_s", "doubtful", "why"}
    assert (found["doubtful"], found["why"]) == (False, "what other programs did is not known here")
    assert "doubtful_load" not in lab.outcome()["diagnostics"]["counts"]


def test_an_operator_can_do_without(lab, machine):
    with (lab.home / "agentics.toml").open("a") as file:
        file.write("[load]\ndoubtful_share = 1\n")
    lab.bundle("one")
    lab.engine.behaviours["separated-evaluator"] = while_others_work(machine)
    assert "busy" not in lab.eval("one").err
    assert lab.outcome()["tasks"][NAME]["diagnostics"]["load"]["foreign_share"] == 1


def test_of_several_replications_the_one_in_doubt_stands_for_the_task(lab, machine):
    lab.bundle("one")
    lab.engine.behaviours["separated-evaluator"] = in_turn(evaluator(), while_others_work(machine), evaluator())
    lab.run("one", design=Design(replications=3))
    assert lab.outcome()["tasks"][NAME]["diagnostics"]["load"]["doubtful"] is True


def test_a_trial_that_the_infrastructure_failed_measured_nothing_to_doubt(lab, machine):
    lab.bundle("one", cases=1)
    lab.engine.behaviours["run"] = lambda _: exited(0)

    def behave(container):
        while_others_work(machine)(container)
        raise OSError("the disk went away")

    lab.engine.behaviours["separated-evaluator"] = behave
    lab.eval("one")
    assert lab.tasks()[0][:2] == ("error", "host_io")
    assert events(lab) == []


@pytest.mark.parametrize(("ended", "doubted"), [(exited(1), 0), (timed_out(), 1)])
def test_a_setup_that_failed_by_itself_is_not_doubted_and_one_that_ran_out_of_time_is(desk, machine, ended, doubted):
    lab = desk("", stages=())

    def behave(container):
        others_work(machine)
        return ended

    lab.engine.behaviours["challenge-setup"] = behave
    lab.eval("one")
    assert lab.tasks()[0][1] == "challenge_setup_failed"
    assert len(events(lab)) == doubted


def test_rebuilding_says_the_same(lab, machine):
    lab.bundle("one")
    lab.engine.behaviours["separated-evaluator"] = while_others_work(machine)
    lab.eval("one")
    before = lab.outcome()
    (lab.home / "outputs" / "r" / "mine" / "run_outcome.json").unlink()
    assert lab("run", "rebuild", "outputs/r").status == 0
    after = lab.outcome()
    assert (after["tasks"], after["diagnostics"]) == (before["tasks"], before["diagnostics"])


def test_c13_that_an_attempt_was_doubtful_rests_on_no_event(lab, machine):
    lab.bundle("one")
    lab.engine.behaviours["separated-evaluator"] = while_others_work(machine)
    lab.engine.behaviours["run"] = in_turn(raises(EngineError("gone", code="engine_lost")), *[lambda _: exited()] * 9)
    assert lab.eval("one", "--jobs", "1").status == 0
    counts = lab.check_that_nothing_rests_on_events()
    assert counts == {"trial_1": {"trial_started": 2, "trial_finished": 2, "load_doubtful": 1}}
