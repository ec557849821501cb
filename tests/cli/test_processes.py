"""`agentics eval` as processes of their own: two at a time, signals, readers that go away, no engine to be found."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from tests.runner.lab import SETTINGS, bundle, solution

pytestmark = pytest.mark.slow

ROOT = Path(__file__).parents[2]
PROGRAM = """
import sys
from contextlib import contextmanager
from pathlib import Path

from agentics.cli import main
from agentics.runner import run_resources
from tests.fake_engine import FakeEngine, exited
from tests.runner.lab import evaluator

def hold(_):
    Path("held").read_text()  # a FIFO: whoever writes to it knows that a case is running, and ends it
    return exited()

@contextmanager
def open_engine(*_):
    run = hold if Path("held").exists() else None
    yield FakeEngine(behaviours={"run": run, "separated-evaluator": evaluator()})

run_resources.open_engine = open_engine
main()
"""

HELD_BEFORE_A_RUN = """
from pathlib import Path

from agentics import config
from agentics.cli import main

load = config.load

def hold(*given):
    Path("held").read_text()
    return load(*given)

config.load = hold
main()
"""


@pytest.fixture
def home(tmp_path):
    place = tmp_path / "home"
    place.mkdir()
    (place / "agentics.toml").write_text(SETTINGS.format(scratch=tmp_path / "scratch"))
    bundle(place, "one", cases=1)
    solution(place)
    return place


@pytest.fixture
def start(home):
    started = []

    def through(*words, program=PROGRAM, **more):
        argv = [sys.executable, "-c", program, "eval", "one", "--solution", "mine", "--run-id", "r", *words]
        environment = {**os.environ, "PYTHONPATH": str(ROOT)}
        given = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE, "text": True, "env": environment, **more}
        started.append(subprocess.Popen(argv, cwd=home, **given))
        return started[-1]

    yield through
    for process in started:
        process.kill()
        process.communicate()


def test_b12_a_second_process_on_the_same_run_is_refused_at_once_and_changes_nothing(home, start):
    os.mkfifo(home / "held")
    first = start("--json")

    def left():
        # But for the first process's sign of life.
        files = (path for path in (home / "outputs").rglob("*") if path.is_file() and path.name != "engine_lease.json")
        return {path: path.read_bytes() for path in files if not path.name.startswith(".staging-")}

    with (home / "held").open("w"):  # returns once the first process is in the middle of its case
        before = left()
        second = start("--json")
        said, talk = second.communicate(timeout=60)
        assert (second.returncode, talk) == (7, "")
        error = json.loads(said)["error"]
        assert error["code"] == "run_locked"
        assert str(first.pid) in error["message"]
        assert "--run-id" in error["hint"]
        assert left() == before
    said, _ = first.communicate(timeout=60)
    assert (first.returncode, json.loads(said)["ok"]) == (0, True)


def test_another_run_id_runs_beside_it(home, start):
    os.mkfifo(home / "held")
    first = start()
    with (home / "held").open("w"):
        (home / "held").unlink()  # the first process has it open; the second one finds none
        second = start("--run-id", "other", "--exit-policy", "strict")
        assert second.wait(timeout=60) == 0
    assert first.wait(timeout=60) == 0


SIGNALS = [(signal.SIGINT, 130), (signal.SIGTERM, 143), (signal.SIGHUP, 129)]


@pytest.mark.parametrize(("number", "status"), SIGNALS)
@pytest.mark.parametrize("as_json", [True, False])
def test_a_signal_before_there_is_a_run_is_told(home, start, number, status, as_json):
    os.mkfifo(home / "held")
    process = start(*(["--json"] if as_json else []), program=HELD_BEFORE_A_RUN)
    with (home / "held").open("w"):  # returns once the process reads it
        process.send_signal(number)
        said, talk = process.communicate(timeout=60)
    assert process.returncode == status
    message = f"stopped by {signal.Signals(number).name} before there was a result"
    if as_json:
        assert (json.loads(said)["error"]["code"], json.loads(said)["error"]["message"]) == ("interrupted", message)
    else:
        assert message in talk
    assert not (home / "outputs").exists()


def test_a_hangup_that_is_ignored_as_under_nohup_stops_nothing(home, start):
    os.mkfifo(home / "held")
    process = start("--json", preexec_fn=lambda: signal.signal(signal.SIGHUP, signal.SIG_IGN))
    with (home / "held").open("w"):
        process.send_signal(signal.SIGHUP)
    said, _ = process.communicate(timeout=60)
    assert (process.returncode, json.loads(said)["ok"]) == (0, True)


@pytest.mark.parametrize(("number", "status"), SIGNALS)
def test_a_signal_ends_a_run_in_good_order_and_the_same_command_goes_on(home, start, tmp_path, number, status):
    os.mkfifo(home / "held")
    stopped = start("--json")
    with (home / "held").open("w"):
        stopped.send_signal(number)
        # A fake container is ended by nobody: ours ends when the FIFO is closed.
    said, _ = stopped.communicate(timeout=60)
    assert stopped.returncode == status
    outcome = json.loads(said)["outcomes"]["mine"]
    assert outcome == json.loads((home / "outputs/r/mine/run_outcome.json").read_bytes())
    assert (outcome["exit_code"], outcome["status"]) == (status, "failed")
    assert outcome["errors"][0]["stage"] == "interrupted"
    assert outcome["tasks"]["one.linux-arm64-cpu"]["status"] == "pending"
    assert list((tmp_path / "scratch").iterdir()) == []
    (home / "held").unlink()
    assert start("--exit-policy", "strict").wait(timeout=60) == 0


def test_a_second_signal_ends_it_at_once_and_the_same_command_goes_on(home, start, tmp_path):
    os.mkfifo(home / "held")
    stopped = start()
    with (home / "held").open("w"):
        stopped.send_signal(signal.SIGINT)
        next(line for line in stopped.stderr if "stopping in good order" in line)
        stopped.send_signal(signal.SIGINT)
        assert stopped.wait(timeout=60) == -signal.SIGINT
    (home / "held").unlink()
    assert start("--exit-policy", "strict").wait(timeout=60) == 0
    assert list((tmp_path / "scratch").iterdir()) == [], "the next start clears what the dead one left"


def test_a_reader_of_stdout_who_goes_away_costs_no_result(home, start):
    reader, writer = os.pipe()
    os.close(reader)
    process = start("--json", stdout=writer)
    os.close(writer)
    _, talk = process.communicate(timeout=60)
    assert talk == ""
    assert json.loads((home / "outputs/r/mine/run_outcome.json").read_bytes())["status"] == "passed"


def test_a_reader_of_the_talk_who_goes_away_costs_no_result(home, start):
    reader, writer = os.pipe()
    os.close(reader)
    process = start("--exit-policy", "strict", stderr=writer)
    os.close(writer)
    said, _ = process.communicate(timeout=60)
    assert process.returncode == 0
    assert "passed" in said
    assert json.loads((home / "outputs/r/mine/run_outcome.json").read_bytes())["status"] == "passed"


def test_b1_without_an_engine_there_is_an_outcome_and_no_score(home):
    argv = [sys.executable, "-m", "agentics", "eval", "one", "--solution", "mine", "--run-id", "r", "--json"]
    environment = {**os.environ, "DOCKER_HOST": "unix:///nonexistent/engine.sock"}
    done = subprocess.run(argv, cwd=home, env=environment, capture_output=True, text=True, check=False, timeout=60)
    assert done.returncode == 5
    outcome = json.loads(done.stdout)["outcomes"]["mine"]
    assert outcome == json.loads((home / "outputs/r/mine/run_outcome.json").read_bytes())
    assert outcome["errors"][0]["stage"] == "pipeline_preflight"
    assert outcome["errors"][0]["error_type"] == "engine_missing"
    assert "/nonexistent/engine.sock" in outcome["errors"][0]["message"]
    (task,) = outcome["tasks"].values()
    assert (task["status"], task["primary_metric"]) == ("pending", None)
    assert json.loads((home / "outputs/r/mine/run_summary.json").read_bytes())["tasks"] == {}
