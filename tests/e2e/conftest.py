"""`agentics eval` as a process of its own with a real engine, and all that it could leave behind on a machine."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from agentics.sandbox.docker.engine import connect_api
from agentics.sandbox.labels import ROLE, RUN, TRIAL
from tests.runner.lab import SPEC, bundle, solution

EVALUATOR = """
import json, sys
words = dict(zip(sys.argv[1::2], sys.argv[2::2]))
runs = json.load(open(words["--runs-file"]))["runs"]
good = sum(open(f"/solution-runs/{run['run_name']}/stdout.txt").read() == "ok\\n" for run in runs)
summary = {"score": good / len(runs), "passed": good, "total": len(runs)}
metrics = [{"metric_name": name, "value": summary["score"]} for name in ("score", "slowest_ms")]
status = "passed" if good == len(runs) else "failed"
result = {"status": status, "aggregate_metrics": metrics, "validation_summary": summary}
json.dump(result, open(words["--output-path"], "w"))
"""
PATIENT = json.loads(json.dumps(SPEC["targets"]).replace('"timeout_sec": 3', '"timeout_sec": 3000'))


@dataclass
class Desk:
    """A user's folder. A case of `bundle(name, seconds)` sleeps so long, and then the right answer comes."""

    home: Path
    scratch: Path
    api: Any
    run_id: str
    started: list[subprocess.Popen]
    began: int

    def bundle(self, name: str, seconds: float = 0, cases: int = 2, targets: Any = PATIENT) -> Path:
        root = bundle(self.home, name, cases, stdin=f"{seconds}\n", targets=targets)
        (root / "separated-evaluator" / "evaluate.py").write_text(EVALUATOR, encoding="utf-8")
        return root

    def start(self, *words: str | Path, solution: str | Path = "mine", **more: Any) -> subprocess.Popen:
        argv = [sys.executable, "-m", "agentics", "eval", "--solution", f"mine={solution}", "--run-id", self.run_id]
        pipes = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE, **more}
        process = subprocess.Popen([*argv, *map(str, words)], cwd=self.home, text=True, bufsize=1, **pipes)
        self.started.append(process)
        return process

    def wait_for_container(self, role: str, trial: str = "trial_1") -> None:
        """Block until the engine says that a container with this role was started for this trial."""
        labels = [f"{RUN}={self.run_id}", f"{TRIAL}={trial}", f"{ROLE}={role}"]
        # Events from the past come first, so that a container that was quicker than we are is not missed.
        events = self.api.client.events(
            since=self.began, decode=True, filters={"event": "start", "type": "container", "label": labels}
        )
        next(events)
        events.close()

    def outcome(self, variant: str = "mine") -> Any:
        return json.loads((self.home / "outputs" / self.run_id / variant / "run_outcome.json").read_bytes())

    def tasks(self, variant: str = "mine") -> dict[str, tuple[str, int]]:
        told = self.outcome(variant)["tasks"].values()
        return {task["task"].partition(".")[0]: (task["status"], task["attempts"]) for task in told}

    def left_behind(self) -> list[str]:
        """Containers of the run, scratch directories, mounts and loop devices. What is kept of setups is to stay."""
        containers = [one["Id"] for one in self.api.containers({RUN: self.run_id})]
        places = [str(path) for path in self.scratch.glob("*") if not path.name.startswith("setups-")]
        backing = (path.read_text() for path in Path("/sys/block").glob("loop*/loop/backing_file"))
        return [*containers, *places, *self.mounts(), *(file for file in backing if str(self.scratch) in file)]

    def mounts(self) -> list[str]:
        """Where something is mounted in the scratch space."""
        mounted = (line.split()[1] for line in Path("/proc/self/mounts").read_text().splitlines())
        return [place for place in mounted if place.startswith(str(self.scratch))]


@pytest.fixture
def desk(tmp_path) -> Iterator[Desk]:
    home, scratch = tmp_path / "home", tmp_path / "scratch"
    home.mkdir()
    # Others may be at work on this machine, and that is not what these tests are about.
    settings = f'[sandbox]\nscratch = "{scratch}"\n[load]\ndoubtful_share = 1\n'
    (home / "agentics.toml").write_text(settings, encoding="utf-8")
    solution(home, **{"run.sh": 'read seconds\nsleep "$seconds"\necho ok\n'})
    with connect_api() as api:
        made = Desk(home, scratch, api, f"e2e-{os.getpid()}-{time.monotonic_ns()}", [], int(time.time()) - 1)
        yield made
        for process in made.started:
            process.kill()
            process.communicate()
        for one in api.containers({RUN: made.run_id}):
            api.remove(one["Id"])
        for place in made.mounts():  # of a process that was killed, and that no other one followed
            subprocess.run(["umount", place], check=True)
