"""`agentics eval` as a user calls it, in this process and without containers: small bundles, and a fake engine."""

from __future__ import annotations

import json
import os
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

from agentics import config as configuration
from agentics.cli import main
from agentics.pipeline.progress import silent
from agentics.request.campaign import EvalRequest, compile_request
from agentics.sandbox.labels import TRIAL
from agentics.usecases.evaluate import EndedRun, evaluate
from tests.conftest import BUNDLES
from tests.fake_engine import Behaviour, FakeEngine, exited, mounted

SPEC = json.loads((BUNDLES / "range-sums" / "v1" / "spec.json").read_text(encoding="utf-8"))
TARGET = "linux-arm64-cpu"
SETTINGS = """
[sandbox]
scratch = "{scratch}"
places = "directory"
[retry]
attempts = 3
wait_s = 0
"""


def bundle(folder: Path, name: str, cases: int = 3, stdin: str | None = None, **changes: Any) -> Path:
    """A challenge of so many cases, each given `stdin` or its number; keywords replace keys of its spec.json."""
    root = folder / name
    public = root / "public"
    public.mkdir(parents=True)
    execution = {**SPEC["execution"], "official_runs": "public/runs.json"}
    spec = {**SPEC, "challenge_name": name, "challenge_title": name, "execution": execution, **changes}
    (root / "spec.json").write_text(json.dumps(spec), encoding="utf-8")
    (root / "statement.md").write_text("# Nothing to do\n", encoding="utf-8")
    runs = [
        {"run_name": f"case-{n}", "interface": "stdio", "stdin_json": None, "stdin_text": stdin or f"{n}\n"}
        | {"input_files": None, "output_files": None, "metadata": None}
        for n in range(1, cases + 1)
    ]
    (public / "runs.json").write_text(json.dumps({"runs": runs}), encoding="utf-8")
    (root / "separated-evaluator").mkdir()
    (root / "separated-evaluator" / "evaluate.py").write_text("# the fake engine says what it says\n", encoding="utf-8")
    return root


def solution(folder: Path, name: str = "mine", **files: str) -> Path:
    root = folder / name
    root.mkdir(parents=True)
    manifest = {"protocol": "zip_project", "protocol_version": 1, "commands": {"run": "run.sh"}}
    (root / "agentics.solution.json").write_text(json.dumps(manifest), encoding="utf-8")
    for file, text in {"run.sh": "cat\n", **files}.items():
        (root / file).write_text(text, encoding="utf-8")
    return root


def evaluator(passed: int | None = None, **facts: Any) -> Behaviour:
    """Says so many cases passed, all by default; keywords go into result.json as they are."""

    def behave(container):
        runs = json.loads(mounted(container, "/solution-runs/agentics-runs.json").read_bytes())["runs"]
        good = len(runs) if passed is None else passed
        summary = {"score": good / len(runs), "passed": good, "total": len(runs)}
        result = {
            "status": "passed" if good == len(runs) else "failed",
            "aggregate_metrics": [
                {"metric_name": "score", "value": good / len(runs)},
                {"metric_name": "slowest_ms", "value": 1},
            ],
            f"{container.argv[container.argv.index('--mode') + 1]}_summary": summary,
            **facts,
        }
        mounted(container, "/output/result.json").write_text(json.dumps(result), encoding="utf-8")
        return exited()

    return behave


def on_trial(trial_id: str, behaviour: Behaviour) -> Behaviour:
    """This behaviour in one trial, a clean end in every other."""
    return lambda container: behaviour(container) if container.labels[TRIAL] == trial_id else exited()


def raises(error: Exception) -> Behaviour:
    def behave(_):
        raise error

    return behave


@dataclass(frozen=True)
class Said:
    """What a process of ours would have said, and its exit status."""

    status: int
    out: str
    err: str

    @property
    def json(self) -> Any:
        return json.loads(self.out)


@dataclass
class Lab:
    """A user's folder with a configuration; `engine` answers instead of Docker."""

    home: Path
    capture: Callable[[], Any]
    engine: FakeEngine = field(default_factory=FakeEngine)

    def __call__(self, *words: str | Path) -> Said:
        self.capture()
        try:
            main([str(word) for word in words])
        except SystemExit as end:
            status = end.code if isinstance(end.code, int) else int(end.code is not None)
        said = self.capture()
        return Said(status, said.out, said.err)

    def eval(self, *words: str | Path, run_id: str = "r") -> Said:
        return self("eval", *words, "--solution", "mine", "--run-id", run_id)

    def run(self, *bundles: str, solutions: Sequence[str] = ("mine",), run_id: str = "r", **more: Any) -> EndedRun:
        """An experiment, as its file would be compiled; keywords are those of `EvalRequest`."""
        request = EvalRequest(
            bundles=tuple(self.home / name for name in bundles),
            solutions=tuple((name, self.home / name) for name in solutions),
            run_id=run_id,
            output_path=self.home / "outputs",
            **more,
        )
        return evaluate(compile_request(request, configuration.load()), silent)

    def lines(self, path: str, run_id: str = "r") -> list[Any]:
        """A ledger of a run."""
        file = self.home / "outputs" / run_id / path
        return [json.loads(line) for line in file.read_bytes().splitlines()] if file.exists() else []

    def check_that_nothing_rests_on_events(self, run_id: str = "r") -> dict[str, dict[str, int]]:
        """A run that lost its events.jsonl is rebuilt to the byte, and its analysis counts what was told; by trial."""
        root = self.home / "outputs" / run_id
        (root / "analysis").mkdir(exist_ok=True)
        assert self("run", "rebuild", root).status == 0
        told: dict[str, Counter[str]] = {}
        for event in self.lines("runtime/events.jsonl", run_id):
            if "trial_id" in event:
                told.setdefault(event["trial_id"], Counter())[event["event"]] += 1
        counts: dict[str, Counter[str]] = {}
        for row in self.lines("analysis/tables/event_counts_by_trial.jsonl", run_id):
            counts.setdefault(row["trial_id"], Counter())[row["event"]] += row["count"]
        assert counts == told
        (root / "runtime/events.jsonl").unlink()
        assert self("run", "rebuild", root, "--json").json["written"] == []
        return {trial: dict(each) for trial, each in counts.items()}

    def bundle(self, name: str = "one", **more: Any) -> Path:
        return bundle(self.home, name, **more)

    def read(self, path: str | Path) -> Any:
        return json.loads((self.home / "outputs" / path).read_bytes())

    def outcome(self, run_id: str = "r", variant: str = "mine") -> Any:
        return self.read(f"{run_id}/{variant}/run_outcome.json")

    def tasks(self, run_id: str = "r", variant: str = "mine") -> list[tuple[str, str | None, int]]:
        """Status, reason and number of attempts of every task, in order."""
        told = self.outcome(run_id, variant)["tasks"].values()
        return [(task["status"], task["reason"], task["attempts"]) for task in told]

    def cases_run(self) -> int:
        return sum(container.role == "run" for container in self.engine.containers)

    def files(self) -> dict[str, bytes]:
        """Everything that lies in the folder."""
        return {str(p.relative_to(self.home)): p.read_bytes() for p in sorted(self.home.rglob("*")) if p.is_file()}


@pytest.fixture
def lab(tmp_path, monkeypatch, capsys) -> Iterator[Lab]:
    home = tmp_path / "home"
    home.mkdir()
    (home / "agentics.toml").write_text(SETTINGS.format(scratch=tmp_path / "scratch"), encoding="utf-8")
    solution(home)
    made = Lab(home, capsys.readouterr)
    made.engine.behaviours["separated-evaluator"] = evaluator()

    @contextmanager
    def open_engine(*_):
        yield made.engine

    # The one place where containers are replaced: everything above the engine is what a user has.
    monkeypatch.setattr("agentics.runner.run_resources.open_engine", open_engine)
    monkeypatch.chdir(home)
    yield made
    left = [path.name for path in (tmp_path / "scratch").glob("*")]
    assert left in ([], [f"setups-{os.geteuid()}"]), "scratch space was left behind"
