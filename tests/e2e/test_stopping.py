"""Stopped by a signal or killed in the middle, and continued: nothing is lost, repeated or left behind."""

from __future__ import annotations

import random
import signal

import pytest

from tests.conftest import BUNDLES

pytestmark = pytest.mark.docker


@pytest.mark.parametrize(("number", "status"), [(signal.SIGINT, 130), (signal.SIGTERM, 143)])
def test_a_signal_in_the_middle_of_a_case_ends_the_run_in_good_order(desk, number, status):
    desk.bundle("quick")
    desk.bundle("endless", seconds=2000)
    process = desk.start("quick", "endless", "--jobs", "1")
    next(line for line in process.stderr if line.startswith("endless.linux-arm64-cpu · mine: cases"))
    desk.wait_for_container("run", trial="trial_2")
    process.send_signal(number)
    said, talk = process.communicate(timeout=120)
    assert process.returncode == status, talk
    assert "stopping in good order" in talk
    assert desk.left_behind() == []
    outcome = desk.outcome()
    assert (outcome["exit_code"], outcome["status"]) == (status, "failed")
    assert [error["stage"] for error in outcome["errors"]] == ["interrupted"]
    assert desk.tasks() == {"quick": ("passed", 1), "endless": ("pending", 1)}
    assert "pending" in said


@pytest.mark.parametrize(
    ("name", "role"), [("guess-the-number", "interactive-evaluator"), ("window-medians", "coexecuted-evaluator")]
)
def test_a_signal_in_the_middle_of_a_session_or_a_benchmark_ends_both_sides(desk, name, role):
    process = desk.start(BUNDLES / name, solution=BUNDLES / name / "solutions" / "time-limit")
    desk.wait_for_container(role)
    process.send_signal(signal.SIGINT)
    _, talk = process.communicate(timeout=120)
    assert process.returncode == 130, talk
    assert desk.tasks() == {name: ("pending", 1)}
    assert desk.left_behind() == []


def test_a_signal_before_the_first_task_leaves_an_outcome_and_nothing_else(desk):
    desk.bundle("endless", seconds=2000)
    process = desk.start("endless")
    next(process.stderr)
    process.send_signal(signal.SIGTERM)
    _, talk = process.communicate(timeout=120)
    assert process.returncode == 143, talk
    ((status, _),) = desk.tasks().values()
    assert status == "pending"
    assert desk.left_behind() == []


def test_b7_killed_in_the_second_task_the_same_command_repeats_nothing_and_loses_nothing(desk):
    for name, seconds in (("one", 0), ("two", 1), ("three", 0)):
        desk.bundle(name, seconds=seconds)
    process = desk.start("one", "two", "three")
    next(line for line in process.stderr if line.startswith("two.linux-arm64-cpu · mine: cases"))
    desk.wait_for_container("run", trial="trial_2")
    process.kill()
    process.wait()
    assert desk.left_behind(), "a killed process cleans nothing up"
    again = desk.start("one", "two", "three", "--exit-policy", "strict")
    _, talk = again.communicate(timeout=120)
    assert again.returncode == 0, talk
    assert "one.linux-arm64-cpu · mine: complete already" in talk
    assert desk.tasks() == {"one": ("passed", 1), "two": ("passed", 2), "three": ("passed", 1)}
    assert desk.outcome()["status"] == "passed"
    assert desk.left_behind() == []


@pytest.mark.parametrize("seed", range(5))
def test_killed_at_any_moment_the_same_command_comes_to_the_same_outcome(desk, seed):
    desk.bundle("one")
    desk.bundle("two")
    process = desk.start("one", "two", "-v")
    # Every line of the talk is a change: the process dies right after one of them, whichever the seed says.
    moment = random.Random(seed).randrange(1, 20)
    seen = [line for line, _ in zip(process.stderr, range(moment), strict=False)]
    process.kill()
    process.wait()
    again = desk.start("one", "two", "--exit-policy", "strict")
    _, talk = again.communicate(timeout=120)
    assert again.returncode == 0, (seen, talk)
    assert {name: status for name, (status, _) in desk.tasks().items()} == {"one": "passed", "two": "passed"}
    finished = [name for name in ("one", "two") if f"✓ {name}.linux-arm64-cpu · mine: passed\n" in seen]
    assert all(desk.tasks()[name] == ("passed", 1) for name in finished)
    assert desk.left_behind() == []
