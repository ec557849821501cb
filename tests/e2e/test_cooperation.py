"""C15, C16: a run whose solution takes part in its own control, asked by a controller in another process."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
import time

import pytest

from tests.conftest import BUNDLES
from tests.e2e.test_control import agentics, control

pytestmark = pytest.mark.docker

EXAMPLE = BUNDLES.parent / "examples" / "cooperative-solution"
MUTE = "cat > /dev/null\nsleep 300\n"
UNTIL_ASKED = """
until grep -q '"checkpoint"' "$AGENTICS_CONTROL_PATH"; do sleep 0.05; done
unset AGENTICS_CONTROL_PATH AGENTICS_EVENTS_PATH
exec python3 solve.py
"""
STEP = "    time.sleep(step_s)\n"
WAIT = "    patience.wait(steps)\n"
PATIENCE = """
import hashlib, json, time
from cooperation import CHECKPOINT, CONTROL

def wait(steps):
    while CHECKPOINT is None:
        asked = CONTROL.read_bytes()
        if json.loads(asked)["action"] != "continue" and hashlib.sha256(asked).hexdigest() != steps.answered:
            break
        time.sleep(0.02)
"""


@pytest.fixture
def start(desk):
    """An experiment with one variant that is declared to cooperate; the process, once its first case runs."""
    copy = desk.home / "patient"
    shutil.copytree(BUNDLES / "range-sums" / "v1", copy)
    spec = copy / "spec.json"
    spec.write_text(spec.read_text().replace('"timeout_sec": 3', '"timeout_sec": 300'))

    def begin(solution):
        file = desk.home / "experiment.json"
        variant = {"name": "mine", "solution": str(solution), "integration": "sdk_full", "bindings": {}}
        file.write_text(json.dumps({"name": "e", "tasks": ["patient"], "variants": [variant], "limit": 1, "jobs": 1}))
        desk.run_id = f"{desk.run_id}_LIMITED"
        words = ("experiment", "run", str(file), "--run-id", desk.run_id, "--quiet")
        process = subprocess.Popen(
            [sys.executable, "-m", "agentics", *words], cwd=desk.home, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE
        )
        desk.started.append(process)
        desk.wait_for_container("run")
        return process

    return begin


@pytest.fixture
def patient(desk):
    """The example, whose steps last until it is asked for something; once it goes on from a checkpoint they last no
    time."""
    copy = desk.home / "cooperative"
    shutil.copytree(EXAMPLE, copy)
    program = (copy / "solve.py").read_text()
    assert STEP in program
    (copy / "solve.py").write_text(program.replace("import sys\n", "import patience, sys\n").replace(STEP, WAIT))
    (copy / "patience.py").write_text(PATIENCE)
    return copy


@pytest.fixture
def changed(desk):
    """The example with another run script."""

    def change(script):
        copy = desk.home / "changed"
        shutil.copytree(EXAMPLE, copy)
        (copy / json.loads((copy / "agentics.solution.json").read_text())["commands"]["run"]).write_text(script)
        return copy

    return change


def state(desk):
    return json.loads((desk.home / "outputs" / desk.run_id / "trials/trial_1/trial_state.json").read_bytes())


def test_c15_it_acknowledges_leaves_a_checkpoint_stops_and_goes_on_from_there(desk, start, patient):
    process = start(patient)
    assert control(desk)["active_adapter"]["command_path"] == "/agentics-control/control.json"
    status, said = agentics(desk, "pause", "--label", "lunch", "--timeout-seconds", "30")
    assert status == 0, said
    assert said["pause"]["pause_mode"] == "cooperative"
    assert (said["pause"]["checkpoint_acked"], said["pause"]["stop_acked"]) == (True, True)
    process.communicate(timeout=60)
    assert process.returncode == 8
    assert (control(desk)["status"], state(desk)["status"]) == ("paused", "paused")
    checkpoint = state(desk)["checkpoint_selected"]
    assert checkpoint.startswith("step-")
    assert state(desk)["pause_label"] == "lunch"
    assert desk.left_behind() == []
    status, said = agentics(desk, "resume")
    assert status == 0, said
    assert (said["resume"]["mode"], said["resume"]["checkpoints"]) == ("checkpoint", {"trial_1": checkpoint})
    assert control(desk)["status"] == "completed"
    assert [entry[0] for entry in desk.tasks().values()] == ["passed"]
    status, said = agentics(desk, "verify")
    assert status == 0, said


def test_c16_a_mute_one_is_not_paused_and_goes_on(desk, start, changed):
    process = start(changed(MUTE))
    began = time.monotonic()
    status, said = agentics(desk, "pause", "--timeout-seconds", "1")
    assert (status, said["error"]["code"]) == (7, "control_ack_missing")
    assert time.monotonic() - began >= 1
    assert (control(desk)["status"], state(desk)["status"]) == ("running", "running")
    assert process.poll() is None
    assert agentics(desk, "kill")[0] == 0
    process.communicate(timeout=60)
    assert process.returncode == 8


def test_c21_a_kill_does_not_wait_for_a_pause_whose_controller_was_killed(desk, start, changed):
    process = start(changed(MUTE))
    words = ("run", "pause", f"outputs/{desk.run_id}", "--timeout-seconds", "300")
    pause = subprocess.Popen([sys.executable, "-m", "agentics", *words], cwd=desk.home, stdout=subprocess.DEVNULL)
    requests = desk.home / "outputs" / desk.run_id / "runtime" / "requests"
    while not list(requests.glob("*.request.json")):
        assert pause.poll() is None
        time.sleep(0.05)
    pause.kill()
    pause.wait()
    status, said = agentics(desk, "kill")
    assert (status, said["kill"]["trial_ids"]) == (0, ["trial_1"])
    process.communicate(timeout=60)
    assert process.returncode == 8
    assert (control(desk)["status"], state(desk)["exit_reason"]) == ("killed", "killed_by_user")
    assert desk.left_behind() == []


def test_c16_a_case_that_ends_by_itself_while_it_is_asked_is_evaluated(desk, start, changed):
    process = start(changed(UNTIL_ASKED))
    status, said = agentics(desk, "pause", "--timeout-seconds", "60")
    if status == 0:
        told = said["pause"]
        assert (told["pause_mode"], told["checkpoint_acked"], told["stop_acked"]) == ("frozen", False, False)
        assert agentics(desk, "resume")[0] == 0
    else:  # the evaluator was quicker
        assert said["error"]["code"] in ("pause_no_active_trial", "pause_non_running")
    process.communicate(timeout=60)
    assert process.returncode == 0
    assert list(desk.tasks().values()) == [("passed", 1)]


def test_c23_a_strict_fork_goes_on_from_a_checkpoint_of_its_parent(desk, start, patient):
    process = start(patient)
    status, said = agentics(desk, "pause", "--timeout-seconds", "30")
    assert status == 0, said
    process.communicate(timeout=60)
    left = state(desk)["checkpoint_selected"]
    assert agentics(desk, "resume")[0] == 0
    step = int(left.removeprefix("step-"))
    for selector in (f"checkpoint:{left}", f"step:{step}"):
        status, said = agentics(desk, "fork", "--from-trial", "trial_1", "--at", selector, "--strict")
        assert status == 0, said
        assert (said["fork"]["source_checkpoint"], said["fork"]["harness_status"]) == (left, "passed")
        assert said["fork"]["fallback_mode"] == "checkpoint"
