"""A folder with all that a JobSpec can name, and a check of JobSpecs in it. No worker, no LightEval."""

from __future__ import annotations

import json
import shutil
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace

import pytest

from agentics.cli import main
from agentics.config import Config, Lighteval
from agentics.lighteval import check as checks
from agentics.lighteval.catalogue import catalogue_of
from agentics.lighteval.check import check, surroundings
from tests.lighteval.environment import ROOT

CATALOGUE = catalogue_of(json.loads(Path(__file__).with_name("catalogue.json").read_bytes()))
ENDPOINT = {"type": "endpoint_litellm", "model_name": "openai/tiny", "base_url": "http://10.0.0.1:1/v1"}
LOCAL = {"type": "accelerate", "model_name": "acme/tiny", "model_path": "models/tiny"}
VLLM = {**LOCAL, "type": "vllm"}
DUMMY = {"type": "dummy", "model_name": "dummy"}
CUSTOM = {"type": "custom", "model_name": "acme/echo", "model": {"plugin": "echo", "class_name": "Echo"}}
CAPITALS = {"name": "capitals", "version": "1.0", "path": "plugins/capitals"}
ECHO = {"name": "echo", "version": "1.0", "path": "plugins/echo"}
SHOUT = {"name": "shout", "version": "2.1", "path": "plugins/shout"}
JUDGE = {"judge_model_name": "gpt-judge", "judge_template_id": "correctness"}


def spec(**changes):
    """A JobSpec that is in order, but for the changes. A value of None takes the key away."""
    said = {
        "backend": ENDPOINT,
        "tasks": [{"id": "gsm8k"}],
        "artifacts": {"output_dir": "out"},
        **changes,
    }
    return {key: value for key, value in said.items() if value is not None}


def task(name="capitals:eu", **more):
    return {
        "name": name,
        "sampling": ["generative"],
        "metrics": ["em", "f1"],
        "few_shots_split": "train",
        "evaluation_splits": ["test"],
        "fewshot_pool": 4,
        **more,
    }


def write_plugin(root: Path, **manifest) -> Path:
    root.mkdir(parents=True, exist_ok=True)
    said = {"schema_version": 1, "name": root.name, "version": "1.0", "type": "task", "module": "tasks.py", **manifest}
    (root / "agentics.plugin.json").write_text(json.dumps(said), encoding="utf-8")
    (root / "tasks.py").write_text("TASKS_TABLE = []\n", encoding="utf-8")
    return root


@pytest.fixture
def world(tmp_path):
    (tmp_path / "models/tiny").mkdir(parents=True)
    (tmp_path / "models/tiny/config.json").write_text("{}")
    (tmp_path / "models/empty").mkdir()
    for repo in ("openai/gsm8k", "allenai/ai2_arc", "juletxara/mgsm"):
        (tmp_path / "shared" / repo).mkdir(parents=True)
    (tmp_path / "rows").mkdir()
    tasks = [task(), task("capitals:us"), task("odd", few_shots_split=None, num_samples=4)]
    write_plugin(tmp_path / "plugins/capitals", tasks=tasks)
    write_plugin(tmp_path / "plugins/echo", type="model", classes=["Echo"])
    write_plugin(tmp_path / "plugins/shout", type="metric", version="2.1", metrics=["loudness"])

    def look(said, *, environment=None, config=None, templates=("correctness", "helpfulness"), starting=False):
        """What a check says; `said` is a JobSpec as a value, text or bytes."""
        data = (
            said if isinstance(said, bytes) else said.encode() if isinstance(said, str) else json.dumps(said).encode()
        )
        config = config or Config(lighteval=Lighteval(data=tmp_path / "shared"))
        around = surroundings(tmp_path, config, environment or {}, catalogue=CATALOGUE, templates=templates)
        checked = check(data, "job.json", replace(around, starting=starting))
        return SimpleNamespace(
            job=checked.job,
            findings=checked.findings,
            said=[(finding.code, finding.pointer) for finding in checked.findings],
            errors=[(f.code, f.pointer) for f in checked.findings if f.severity == "error"],
            hints=" ".join(finding.hint or "" for finding in checked.findings),
        )

    return SimpleNamespace(root=tmp_path, check=look)


@pytest.fixture
def folder(tmp_path, monkeypatch):
    """The current folder of a user who has the example plugins, two checkpoints, and one more folder of plugins."""
    monkeypatch.chdir(tmp_path)
    plugins = ROOT / "docs" / "examples" / "plugins"
    (tmp_path / "plugins").symlink_to(plugins)
    shutil.copytree(plugins, tmp_path / "other-plugins")
    (tmp_path / "other-plugins" / "quick-tasks" / "more.txt").write_text("another content")
    for name, config in (("checkpoint", {}), ("other-checkpoint", {"other": True})):
        (tmp_path / name).mkdir()
        (tmp_path / name / "config.json").write_text(json.dumps(config))
    (tmp_path / "rows").mkdir()
    (tmp_path / "rows" / "test.jsonl").write_text("{}\n")
    return tmp_path


@pytest.fixture
def agentics(world, monkeypatch, capsys):
    """The command, in the world's folder, with the catalogue of these tests."""
    monkeypatch.setattr(checks, "shipped", lambda: CATALOGUE)
    for module in ("suite", "job_tasks"):
        monkeypatch.setattr(f"agentics.cli.{module}.shipped", lambda: CATALOGUE)
    monkeypatch.chdir(world.root)

    def call(*words):
        with pytest.raises(SystemExit) as ended:
            main(list(words))
        said = capsys.readouterr()
        return ended.value.code or 0, said.out, said.err

    return call
