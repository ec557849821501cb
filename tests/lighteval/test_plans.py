"""From a JobSpec to plans: golden files for every backend."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from agentics import config as configuration
from agentics.request.job_file import compile_job
from tests.lighteval.environment import ROOT

GOLDEN = Path(__file__).with_name("golden")
EXAMPLES = ROOT / "docs" / "examples"
MODEL = {"plugin": "quick-model", "class_name": "Lookup"}
BACKENDS = {
    "accelerate": {"model_name": "acme/m", "model_path": "checkpoint", "options": {"dtype": "float32"}},
    "vllm": {"model_name": "acme/m", "model_path": "checkpoint", "options": {"tensor_parallel_size": 2}},
    "endpoint_litellm": {"model_name": "m", "base_url": "http://10.0.0.1/v1", "parallel_calls_count": 8},
    "endpoint_inference_providers": {"model_name": "acme/m", "provider": "hf-inference", "options": {"timeout": 5}},
    "custom": {"model_name": "acme/m", "model": MODEL, "options": {"any": [1, "thing"]}},
    "dummy": {"model_name": "dummy"},
}
GENERATION = {
    "accelerate": {"max_new_tokens": 5, "temperature": 0.5, "seed": 2, "stop": ["END"]},
    "vllm": {"max_new_tokens": 5, "min_p": 0.1, "presence_penalty": 0.5},
    "endpoint_litellm": {"max_new_tokens": 5, "top_p": 0.5},
    "endpoint_inference_providers": {"max_new_tokens": 5},
    "custom": {"temperature": 1.0},
    "dummy": {"seed": 3},
}


def spec(kind="custom", **changes):
    named = ["quick-tasks", *(["quick-model"] if kind == "custom" else [])]
    plugins = [{"name": name, "version": "1.0.0", "path": f"plugins/{name}"} for name in named]
    tasks = [{"id": "quick_capitals", "fewshot": 2}]
    about = {"backend": {"type": kind, **BACKENDS[kind]}, "generation": GENERATION[kind], "tasks": tasks}
    return {**about, "custom_plugins": plugins, "artifacts": {"output_dir": "out", "save_details": True}, **changes}


def compiled(folder, value):
    path = folder / "job.json"
    path.write_text(json.dumps(value))
    return compile_job(path, configuration.load())


@pytest.mark.parametrize("kind", BACKENDS)
def test_d5_a_plan_says_exactly_what_the_worker_will_be_told(folder, kind):
    (plan,) = compiled(folder, spec(kind)).plans.values()
    shown = json.dumps(plan.model_dump(mode="json"), indent=2, ensure_ascii=False) + "\n"
    # To change one on purpose, remove the file and run this once.
    file = GOLDEN / f"{kind}.json"
    if not file.exists():
        file.write_text(shown, encoding="utf-8")
        pytest.fail(f"{file} was written; look at it")
    assert shown == file.read_text(encoding="utf-8")


def test_d5_a_plan_is_the_same_wherever_its_files_are(folder, tmp_path_factory, monkeypatch):
    here = compiled(folder, spec("accelerate"))
    other = tmp_path_factory.mktemp("other")
    (other / "plugins").symlink_to(EXAMPLES / "plugins")
    (other / "checkpoint").mkdir()
    (other / "checkpoint" / "config.json").write_text("{}")
    monkeypatch.chdir(other)
    there = compiled(other, spec("accelerate"))
    assert (there.plan_digest, there.digest) == (here.plan_digest, here.digest)
