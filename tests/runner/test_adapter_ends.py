"""C3, C19: an adapter at work ends when its run is stopped by a signal, killed by a controller, or dies."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from tests.adapter.test_run import DAEMON, group_is_gone, until
from tests.cli.test_processes import PROGRAM, ROOT, home

pytestmark = pytest.mark.slow

__all__ = ["home"]

STAYS = f"""
import os
{DAEMON}
with open("told", "w") as out:
    out.write(f"{{os.getpid()}} {{daemon}}")
while True:
    signal.pause()
"""


@pytest.fixture
def at_work(home):
    """A run whose adapter has just told which process groups it has."""
    (home / "adapter.py").write_text(STAYS)
    command = {"command": [sys.executable, "adapter.py"]}
    variants = [{"name": "mine", "solution": "mine"}]
    document = {"name": "e", "tasks": ["one"], "variants": variants, "baseline": "mine"}
    (home / "e.json").write_text(json.dumps({**document, "benchmark": {"adapter": command}}))
    os.mkfifo(home / "told")
    process = program(home, "experiment", "run", "e.json", "--run-id", "r", "--json")
    groups = [int(pid) for pid in (home / "told").read_text().split()]
    yield process, groups
    process.kill()
    process.communicate()


def program(home: Path, *words: str) -> subprocess.Popen[str]:
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    argv = [sys.executable, "-c", PROGRAM, *words]
    return subprocess.Popen(argv, cwd=home, env=environment, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)


def assert_verified(home: Path) -> None:
    process = program(home, "run", "verify", "outputs/r")
    _, talk = process.communicate(timeout=60)
    assert process.returncode == 0, talk


@pytest.mark.parametrize(("number", "status"), [(signal.SIGINT, 130), (signal.SIGTERM, 143)])
def test_c3_a_signal_ends_the_adapter_and_all_that_it_started(home, at_work, number, status):
    process, groups = at_work
    process.send_signal(number)
    said, _ = process.communicate(timeout=60)
    assert all(map(group_is_gone, groups))
    envelope = json.loads(said)
    assert (process.returncode, envelope["exit_code"]) == (status, status)
    assert envelope["outcomes"]["mine"]["errors"][0]["stage"] == "interrupted"
    assert_verified(home)


def test_c19_a_run_that_is_killed_has_no_adapter_when_its_state_says_so(home, at_work):
    process, groups = at_work
    killer = program(home, "run", "kill", "outputs/r", "--json")
    said, _ = killer.communicate(timeout=60)
    assert json.loads(said)["ok"], said
    assert all(map(group_is_gone, groups))
    process.communicate(timeout=60)
    assert process.returncode == 8
    assert json.loads((home / "outputs/r/runtime/run_control.json").read_bytes())["status"] == "killed"
    assert not (home / "outputs/r/benchmark").exists()
    assert_verified(home)


def test_c3_an_adapter_ends_with_a_runner_that_is_killed_itself(at_work):
    process, groups = at_work
    process.kill()
    process.wait(timeout=60)
    assert until(lambda: all(map(group_is_gone, groups)))
