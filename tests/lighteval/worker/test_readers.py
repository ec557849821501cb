"""The artifacts of a job, read by LightEval's own readers and as its dashboards read them."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys

import pytest

from tests.lighteval.environment import ROOT, worker_python
from tests.lighteval.openai_server import FakeOpenAI

pytestmark = pytest.mark.slow
EXAMPLES = ROOT / "docs" / "examples"
READER = """
import contextlib, io, json, sys
from pathlib import Path
from agentics.lighteval.entry import surroundings
root, home = Path(sys.argv[1]), Path(sys.argv[2])
with contextlib.redirect_stdout(io.StringIO()):
    surroundings.arrange(home, online=False)
    surroundings.load()
from lighteval.logging.evaluation_tracker import EvaluationTracker
from lighteval.metrics import apply_metric
from lighteval.metrics.metrics import Metrics
from lighteval.models.model_output import ModelResponse
from lighteval.tasks.requests import Doc
from lighteval.utils.utils import make_results_table

(path,) = root.rglob("results_*.json")
results = json.loads(path.read_text())
tracker = EvaluationTracker(output_dir=str(root), save_details=False)
tracker.general_config_logger.model_name = results["config_general"]["model_name"]
details = tracker.load_details_datasets("last", ["quick_capitals", "quick_geo", "quick_sums"])
again = {}
for name, metrics in {"quick_capitals|2": ["exact_match", "f1_score"], "quick_geo|0": ["loglikelihood_acc"]}.items():
    rows = list(details[name])
    docs = [Doc(**row["doc"]) for row in rows]
    responses = [ModelResponse(**row["model_response"]) for row in rows]
    values = apply_metric(docs=docs, responses=responses, metrics=[getattr(Metrics, each).value for each in metrics])
    again[name] = [[row["metric"], {key: float(value) for key, value in each.items()}] for row, each in
                   zip(rows, values, strict=True)]
shapes = {name: sorted(data.features) for name, data in details.items()}
first = details["quick_capitals|2"][0]
print(json.dumps({"names": sorted(details), "again": again, "shapes": shapes, "first": first,
                  "table": make_results_table(results)}))
"""


@pytest.fixture(scope="module")
def artifacts(tmp_path_factory):
    """Of a job of the quick tasks, with a model's name as servers have them."""
    home = tmp_path_factory.mktemp("job")
    shutil.copytree(EXAMPLES / "plugins", home / "plugins")
    spec = json.loads((EXAMPLES / "jobspec-quick.json").read_bytes())
    spec["artifacts"] = {"output_dir": "artifacts", "save_details": True}
    spec["backend"]["model_name"] = "acme/lookup:small"
    (home / "job.json").write_text(json.dumps(spec))
    (home / "agentics.toml").write_text(f'[lighteval]\nworker = "{worker_python()}"\n')
    argv = [sys.executable, "-m", "agentics", "job", "run", "job.json", "--run-id", "read"]
    ended = subprocess.run(argv, cwd=home, capture_output=True, text=True, check=False)
    assert ended.returncode == 0, ended.stderr
    return home / "artifacts" / "read"


@pytest.fixture(scope="module")
def read(artifacts, tmp_path_factory):
    """What LightEval's readers make of them."""
    home = tmp_path_factory.mktemp("reader")
    env = {"PATH": os.environ["PATH"], "PYTHONPATH": str(ROOT), "PYTHONDONTWRITEBYTECODE": "1", "HOME": str(home)}
    argv = [worker_python(), "-c", READER, artifacts, home]
    ended = subprocess.run(argv, env=env, cwd=home, capture_output=True, text=True, check=False)
    assert ended.returncode == 0, ended.stderr
    return json.loads(ended.stdout.splitlines()[-1])


def test_lighteval_finds_the_details_of_every_task(read):
    assert read["names"] == ["quick_capitals|2", "quick_geo|0", "quick_sums|0"]
    assert all({"doc", "metric", "model_response"} <= set(shape) for shape in read["shapes"].values())
    assert len({tuple(shape) for shape in read["shapes"].values()}) == 1


def test_lightevals_metrics_of_the_details_are_those_in_the_details(read):
    assert {name: len(rows) for name, rows in read["again"].items()} == {"quick_capitals|2": 16, "quick_geo|0": 16}
    assert all(ours == theirs for rows in read["again"].values() for ours, theirs in rows)


def test_a_row_has_lightevals_objects(read):
    row = read["first"]
    assert set(row["metric"]) == {"em", "f1"}
    assert isinstance(row["metric"]["f1"], float)
    assert row["doc"]["choices"][row["doc"]["gold_index"]] == row["gold"][0]
    assert (row["doc"]["task_name"], len(row["doc"]["fewshot_samples"])) == ("quick_capitals|2", 2)
    assert row["model_response"]["text"] == row["answer"]


def test_lightevals_table_shows_the_results(read):
    rows = [line.replace(" ", "") for line in read["table"].splitlines()]
    assert r"|quick_capitals\|2|1|em|0.75|±|0.1118|" in rows


def test_a_dashboard_finds_metrics_by_the_configuration_of_their_task(artifacts):
    (path,) = (artifacts / "results" / "acme" / "lookup:small").glob("results_*.json")
    results = json.loads(path.read_text())
    assert results["config_general"]["model_config"]["model_name"] == results["config_general"]["model_name"]
    told = {}
    for task, config in results["config_tasks"].items():
        for metric in config["metrics"]:
            told[task, metric["metric_name"]] = (results["results"][task][metric["metric_name"]], metric["category"])
            assert isinstance(metric["higher_is_better"], bool)
    assert told == {
        ("quick_capitals|2", "em"): (0.75, "GENERATIVE"),
        ("quick_capitals|2", "f1"): (0.75, "GENERATIVE"),
        ("quick_sums|0", "em"): (1.0, "GENERATIVE"),
        ("quick_geo|0", "acc"): (0.75, "LOGPROBS"),
    }
    assert set(results["versions"]) == {"quick_capitals|2", "quick_sums|0", "quick_geo|0"}


PARTIAL = """
import contextlib, io, json, sys
from pathlib import Path
from agentics.lighteval.entry import surroundings
home, roots = Path(sys.argv[1]), [Path(root) for root in sys.argv[2:]]
with contextlib.redirect_stdout(io.StringIO()):
    surroundings.arrange(home, online=False)
    surroundings.load()
import pandas
from datasets import concatenate_datasets
from lighteval.logging.evaluation_tracker import EvaluationTracker
from lighteval.utils.utils import make_results_table

def refused(value):
    raise ValueError(value)

tables, details, frames = [], [], []
for root in roots:
    (path,) = root.rglob("results_*.json")
    results = json.loads(path.read_text(), parse_constant=refused)
    tables.append(make_results_table(results))
    tracker = EvaluationTracker(output_dir=str(root), save_details=False)
    tracker.general_config_logger.model_name = results["config_general"]["model_name"]
    details += tracker.load_details_datasets("last", ["quick_capitals", "quick_sums"]).values()
    frames += [pandas.read_parquet(file) for file in sorted(root.rglob("*.parquet"))]
whole = [[(row["status"], row["model_response"] and row["model_response"]["text"], row["metric"]) for row in each]
         for each in (concatenate_datasets(details), concatenate_datasets(details[::-1]))]
print(json.dumps({"tables": tables, "rows": whole, "nulls": int(pandas.concat(frames)["model_response"].isna().sum())}))
"""


@pytest.fixture(scope="module")
def partial(tmp_path_factory):
    """Artifacts of three jobs: nothing was answered; one answer is missing; a judge gave no verdict."""
    home = tmp_path_factory.mktemp("partial")
    shutil.copytree(EXAMPLES / "plugins", home / "plugins")
    (home / "agentics.toml").write_text(f'[lighteval]\nworker = "{worker_python()}"\n')
    base = {
        "tasks": [{"id": "quick_capitals"}, {"id": "quick_sums"}],
        "max_samples": 3,
        "custom_plugins": [{"name": "quick-tasks", "version": "1.0.0", "path": "plugins/quick-tasks"}],
        "artifacts": {"output_dir": "artifacts", "save_details": True},
    }
    options = {"api_max_retry": 0, "api_retry_sleep": 0.001}
    servers = {"nothing": FakeOpenAI(always=500), "some": FakeOpenAI(failing=[500]), "unjudged": FakeOpenAI()}
    for name, server in servers.items():
        with server:
            spec = {**base, "backend": {"type": "endpoint_litellm", "model_name": "m", "base_url": server.url}}
            spec["backend"]["options"] = options
            if name == "unjudged":
                judge = {"judge_model_name": "mumbles", "base_url": server.url}
                spec |= {"scoring_mode": "judge"}
                spec["scoring_config"] = {"judges": [judge], "judge_template_id": "rating-1-10"}
            (home / "job.json").write_text(json.dumps(spec))
            argv = [sys.executable, "-m", "agentics", "job", "run", "job.json", "--run-id", name]
            ended = subprocess.run(argv, cwd=home, capture_output=True, text=True, check=False)
            assert (home / "artifacts" / name / "results").is_dir(), ended.stderr
    return home / "artifacts"


def test_lightevals_readers_take_what_lacks_answers_and_no_value_is_made_up(partial, tmp_path):
    env = {"PATH": os.environ["PATH"], "PYTHONPATH": str(ROOT), "PYTHONDONTWRITEBYTECODE": "1", "HOME": str(tmp_path)}
    roots = [partial / name for name in ("nothing", "some", "unjudged")]
    argv = [worker_python(), "-c", PARTIAL, tmp_path, *roots]
    ended = subprocess.run(argv, env=env, cwd=tmp_path, capture_output=True, text=True, check=False)
    assert ended.returncode == 0, ended.stderr[-3000:]
    read = json.loads(ended.stdout.splitlines()[-1])
    nothing, some, unjudged = read["tables"]
    assert "quick" not in nothing + unjudged
    assert "quick_capitals" in some
    for rows in read["rows"]:
        assert len(rows) == 18
        assert [(text, metric) for status, text, metric in rows if status == "failed"] == [(None, None)] * 7
    assert read["nulls"] == 7
    (file,) = (partial / "unjudged").rglob("results_*.json")
    found = json.loads(file.read_text())
    keys = ("quick_capitals|0", "quick_sums|0", "all")
    assert found["agentics"]["unmeasured"] == {key: ["judge_score"] for key in keys}
    assert found["results"] == {key: {} for key in keys}
