"""C18 to C20 with a real engine: paused longer than the limit, killed for good, and killed at any moment."""

from __future__ import annotations

import json
import random
import signal
import subprocess
import sys
import time

import pytest

from agentics.sandbox.labels import RUN
from tests.e2e.conftest import PATIENT
from tests.runner.lab import solution
from tests.runner.test_slots import check_committed_once

pytestmark = pytest.mark.docker

LIMIT_S = 10
UNTIL_FROZEN = """
seconds() { cut -d. -f1 /proc/uptime; }
last=$(seconds)
while [ $(($(seconds) - last)) -lt 5 ]; do
    last=$(seconds)
    sleep 0.1
done
echo ok
"""
"""Ends once it sees that it stood still for five seconds."""


def agentics(desk, *words):
    """One command about the run, in a process of its own: its exit status and its envelope."""
    argv = [sys.executable, "-m", "agentics", "run", words[0], f"outputs/{desk.run_id}", *words[1:], "--json"]
    done = subprocess.run(argv, cwd=desk.home, capture_output=True, text=True, check=False)
    return done.returncode, json.loads(done.stdout)


def control(desk):
    return json.loads((desk.home / "outputs" / desk.run_id / "runtime" / "run_control.json").read_bytes())


def test_c18_time_spent_frozen_counts_against_no_limit(desk):
    limited = json.loads(json.dumps(PATIENT).replace('"timeout_sec": 3000', f'"timeout_sec": {LIMIT_S}'))
    desk.bundle("one", cases=1, targets=limited)
    solution(desk.home, "frozen", **{"run.sh": UNTIL_FROZEN})
    process = desk.start("one", "--exit-policy", "strict", solution="frozen")
    desk.wait_for_container("run")
    status, said = agentics(desk, "pause")
    assert (status, said["pause"]["pause_mode"]) == (0, "frozen")
    states = {one["State"] for one in desk.api.containers({RUN: desk.run_id})}
    assert states == {"paused"}
    assert control(desk)["status"] == "paused"
    time.sleep(LIMIT_S + 1)
    assert process.poll() is None
    assert agentics(desk, "resume")[0] == 0
    _, talk = process.communicate(timeout=120)
    assert process.returncode == 0, talk
    assert desk.tasks() == {"one": ("passed", 1)}
    evidence = json.loads((desk.home / "outputs" / desk.run_id / "trials/trial_1/evidence.json").read_bytes())
    record = evidence["cases"][0]["container"]
    assert record["ended"] == "exited"
    assert record["paused_s"] > LIMIT_S
    assert record["wall_s"] < LIMIT_S


def test_c19_after_a_kill_no_container_is_left_and_the_run_stays_killed(desk):
    desk.bundle("one", seconds=2000)
    process = desk.start("one")
    desk.wait_for_container("run")
    status, said = agentics(desk, "kill")
    assert (status, said["kill"]["trial_ids"]) == (0, ["trial_1"])
    assert desk.api.containers({RUN: desk.run_id}) == []
    process.communicate(timeout=120)
    assert process.returncode == 8
    assert desk.left_behind() == []
    assert control(desk)["status"] == "killed"
    status, said = agentics(desk, "kill")
    assert (status, said["error"]["code"]) == (7, "kill_terminal_status")


@pytest.mark.parametrize("paused", [False, True])
def test_what_a_dead_runner_left_is_removed_and_its_run_killed(desk, paused):
    desk.bundle("one", seconds=2000)
    process = desk.start("one")
    desk.wait_for_container("run")
    if paused:
        assert agentics(desk, "pause")[0] == 0
    process.kill()
    process.communicate(timeout=60)
    status, _ = agentics(desk, "kill")
    assert status == 0
    assert desk.api.containers({RUN: desk.run_id}) == []
    assert control(desk)["status"] == "killed"


def test_a_run_whose_process_died_while_it_was_frozen_is_resumed_as_a_new_attempt(desk):
    desk.bundle("one", seconds=10, cases=1)  # on a busy machine a pause takes seconds
    process = desk.start("one")
    desk.wait_for_container("run")
    assert agentics(desk, "pause")[0] == 0
    process.kill()
    process.communicate(timeout=60)
    status, said = agentics(desk, "resume")
    assert (status, said["resume"]["mode"]) == (0, "restart")
    assert desk.tasks() == {"one": ("passed", 2)}
    assert desk.left_behind() == []


def test_a_signal_ends_a_frozen_run_in_good_order(desk):
    desk.bundle("one", seconds=2000)
    process = desk.start("one")
    desk.wait_for_container("run")
    assert agentics(desk, "pause")[0] == 0
    process.send_signal(signal.SIGTERM)
    _, talk = process.communicate(timeout=120)
    assert process.returncode == 143, talk
    assert desk.left_behind() == []
    assert control(desk)["status"] == "interrupted"
    assert [entry[0] for entry in desk.tasks().values()] == ["pending"]


@pytest.mark.parametrize("block", range(5))
def test_c20_killed_at_any_moment_every_slot_is_committed_once_and_nothing_is_left(desk, block):
    chance = random.Random(block)
    for name in ("one", "two", "three", "four"):
        desk.bundle(name, cases=1)
    base, kills, runs = desk.run_id, 0, 0
    process = begin(desk, f"{base}-{runs}")
    while kills < 10:
        # Most of a run's moments lie in the first two seconds of whichever process works on it.
        end = time.monotonic() + chance.uniform(0.2, 2.5)
        while time.monotonic() < end and process.poll() is None:
            time.sleep(0.01)
        if process.poll() is None:
            process.kill()
            kills += 1
            process.wait(60)
            process = go_on(desk)
        else:
            check_whole(desk)
            runs += 1
            process = begin(desk, f"{base}-{runs}")
    process.wait(120)
    check_whole(desk)


def begin(desk, run_id):
    desk.run_id = run_id
    return desk.start("one", "two", "three", "four", "--quiet", stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)


def go_on(desk):
    """As a user would: what has a run directory is continued, what died before it had one is begun again."""
    if not (desk.home / "outputs" / desk.run_id / "manifest.json").exists():
        return begin(desk, desk.run_id)
    argv = [sys.executable, "-m", "agentics", "run", "continue", f"outputs/{desk.run_id}", "--quiet"]
    desk.started.append(subprocess.Popen(argv, cwd=desk.home, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL))
    return desk.started[-1]


def check_whole(desk):
    root = desk.home / "outputs" / desk.run_id

    def lines(path):
        return [json.loads(line) for line in (root / path).read_bytes().splitlines()]

    assert control(desk)["status"] == "completed"
    assert {status for status, _ in desk.tasks().values()} == {"passed"}
    check_committed_once(lines, 4)
    assert desk.left_behind() == []
