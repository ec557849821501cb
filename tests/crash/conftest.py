"""A user's folder in which evaluations are killed at a change of their choice, and gone on with."""

from __future__ import annotations

import json
import re
import subprocess
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from agentics.sandbox.docker.engine import connect_api
from agentics.sandbox.labels import RUN
from tests.e2e.conftest import EVALUATOR, PATIENT
from tests.runner.lab import SETTINGS, bundle, solution
from tests.runner.test_slots import check_committed_once

SERVER = Path(__file__).with_name("evaluator.py")
TASKS = ("one", "two")


@dataclass
class Crashes:
    """Evaluates two tasks of `cases` cases in processes that are killed. `fake`: without containers."""

    home: Path
    scratch: Path
    server: subprocess.Popen[str]
    fake: bool

    def call(self, *words: str, last: int | None = None, told: Path | None = None) -> int:
        """The status of one command in a process of its own; `last`: the change at which it is killed."""
        wanted = {"argv": words, "last": last, "told": str(told) if told else None, "fake": self.fake}
        assert self.server.stdin is not None
        assert self.server.stdout is not None
        self.server.stdin.write(json.dumps(wanted) + "\n")
        self.server.stdin.flush()
        status: int = json.loads(self.server.stdout.readline())["status"]
        return status

    def eval(self, run_id: str, last: int | None = None, told: Path | None = None) -> int:
        return self.call("eval", *TASKS, "--solution", "mine", "--quiet", "--run-id", run_id, last=last, told=told)

    def changes(self) -> list[str]:
        """What an evaluation that nobody kills changes, in order: kind and what was changed."""
        told = self.home / "changes.txt"
        assert self.eval("whole", told=told) == 0, self.talk()
        return [line.partition(" ")[2] for line in told.read_text().splitlines()]

    def kill_and_go_on(self, number: int) -> None:
        """Kill an evaluation at this change, go on as a user would, and look at everything that is left."""
        run_id, told = f"killed-{number}", self.home / "told.txt"
        status = self.eval(run_id, last=number, told=told)
        assert status == -9, self.talk()
        where = told.read_text().splitlines()[-1]
        if (self.home / "outputs" / run_id / "manifest.json").exists():
            status = self.call("run", "continue", f"outputs/{run_id}", "--quiet")
            assert status in (0, 7), (where, self.talk())
        if status != 0:  # there was no run yet, or it is complete: then only leftovers go
            assert self.eval(run_id) == 0, (where, self.talk())
        self.check_whole(run_id, where)
        assert self.call("run", "verify", f"outputs/{run_id}") == 0, (where, self.talk())

    def check_whole(self, run_id: str, where: str) -> None:
        root = self.home / "outputs" / run_id

        def lines(path: str) -> list[Any]:
            return [json.loads(line) for line in (root / path).read_bytes().splitlines()]

        outcome = json.loads((root / "mine" / "run_outcome.json").read_bytes())
        control = json.loads((root / "runtime" / "run_control.json").read_bytes())
        assert (outcome["status"], outcome["errors"], control["status"]) == ("passed", [], "completed"), where
        check_committed_once(lines, len(TASKS))
        assert sorted(path.name for path in (root / "trials").iterdir()) == ["trial_1", "trial_2"], where
        assert list(root.rglob(".staging-*")) == [], where
        assert self.left_behind(run_id) == [], where

    def left_behind(self, run_id: str) -> list[str]:
        """Scratch directories, mounts, loop devices and containers."""
        places = [str(path) for path in self.scratch.glob("*")]
        mounts = [line for line in Path("/proc/self/mounts").read_text().splitlines() if str(self.scratch) in line]
        if self.fake:
            return [*places, *mounts]
        with connect_api() as api:
            return [*places, *mounts, *(str(one["Names"]) for one in api.containers({RUN: run_id}))]

    def talk(self) -> str:
        return (self.home / "talk.log").read_text()[-3000:]


@pytest.fixture
def crashes(tmp_path) -> Iterator[Callable[..., Crashes]]:
    home, scratch, started = tmp_path / "home", tmp_path / "scratch", []
    home.mkdir()

    def make(*, fake: bool) -> Crashes:
        places = "" if fake else 'places = "auto"'
        settings = SETTINGS.format(scratch=scratch)
        (home / "agentics.toml").write_text(settings if fake else re.sub("places = .*", places, settings))
        solution(home, **{"run.sh": "read line\necho ok\nhead -c 100 /dev/urandom >&2\n"})
        for name in TASKS:
            root = bundle(home, name, cases=1 if fake else 2, targets=PATIENT)
            if not fake:
                (root / "separated-evaluator" / "evaluate.py").write_text(EVALUATOR, encoding="utf-8")
        server = subprocess.Popen(
            [sys.executable, str(SERVER)], cwd=home, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
        )
        started.append(server)
        return Crashes(home, scratch, server, fake)

    yield make
    for server in started:
        server.communicate()
