"""Jobs in a lab: JobSpecs whose worker is a script that answers as their options say."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from tests.runner.lab import Lab, Said

FAKE = Path(__file__).with_name("fake_worker.py")


@dataclass
class JobLab:
    """`lab` as a user's folder; a job is a file in it, its plugins lie in `plugins/`."""

    lab: Lab

    @property
    def home(self) -> Path:
        return self.lab.home

    @property
    def notes(self) -> Path:
        """Where the worker notes what it was asked, and looks for leave to go on."""
        return self.home / "notes"

    def spec(self, name: str = "job", tasks: Sequence[Any] = ("one",), **changes: Any) -> Path:
        """A JobSpec on backend `custom`. `options` are the worker's; other keywords replace keys of the spec."""
        self.notes.mkdir(exist_ok=True)
        options = {"notes": str(self.notes), **changes.pop("options", {})}
        spec = {
            "run_name": name,
            "backend": {
                "type": "custom",
                "model_name": f"acme/{name}",
                "model": {"plugin": "model", "class_name": "Model"},
                "options": options,
            },
            "tasks": [{"id": task} if isinstance(task, str) else task for task in tasks],
            "custom_plugins": [
                {"name": "tasks", "version": "1", "path": "plugins/tasks"},
                {"name": "model", "version": "1", "path": "plugins/model"},
            ],
            "artifacts": {"output_dir": "artifacts"},
            **changes,
        }
        path = self.home / f"{name}.json"
        path.write_text(json.dumps(spec), encoding="utf-8")
        return path

    def run(self, *words: str | Path, spec: str = "job.json", run_id: str = "r") -> Said:
        return self.lab("job", "run", self.home / spec, "--run-id", run_id, *words)

    def asked(self) -> list[str]:
        """Every request that the model was really asked, in order."""
        file = self.notes / "asked"
        return file.read_text(encoding="utf-8").splitlines() if file.exists() else []

    def judged(self) -> list[str]:
        """Every request that a judge was really asked: judge, task, seed and document."""
        file = self.notes / "judged"
        return file.read_text(encoding="utf-8").splitlines() if file.exists() else []

    def forget(self) -> None:
        """What was asked so far."""
        for name in ("asked", "judged"):
            (self.notes / name).unlink(missing_ok=True)

    def result(self, task: str = "one|0", variant: str = "job", run_id: str = "r") -> Any:
        return self.lab.outcome(run_id, variant)["tasks"][task]

    def evidence(self, trial: str = "trial_1", run_id: str = "r") -> Any:
        return self.lab.read(f"{run_id}/trials/{trial}/evidence.json")


def plugin(root: Path, kind: str, **lists: Any) -> None:
    root.mkdir(parents=True)
    (root / "code.py").write_text("raise RuntimeError('nobody but a worker imports this')\n", encoding="utf-8")
    said = {"schema_version": 1, "name": root.name, "version": "1", "type": kind, "module": "code.py", **lists}
    (root / "agentics.plugin.json").write_text(json.dumps(said), encoding="utf-8")


@pytest.fixture
def jobs(lab) -> JobLab:
    with (lab.home / "agentics.toml").open("a", encoding="utf-8") as file:
        file.write(f'[lighteval]\nworker = "{FAKE}"\n')
    names = ("one", "two", "three")
    common = {"sampling": ["generative"], "metrics": ["em"], "few_shots_split": "train", "evaluation_splits": ["test"]}
    plugin(lab.home / "plugins" / "tasks", "task", tasks=[{"name": name, **common} for name in names])
    plugin(lab.home / "plugins" / "model", "model", classes=["Model"])
    return JobLab(lab)
