"""From a JobSpec to plans: golden files for every backend, and no field without an effect."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from agentics import config as configuration
from agentics.errors import AgenticsError
from agentics.model.jobspec import Backend, Generation, JobSpec, Judge, ScoringConfig, TaskSpec
from agentics.runner.jobfile import compile_job
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


@pytest.fixture
def folder(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "plugins").symlink_to(EXAMPLES / "plugins")
    (tmp_path / "checkpoint").mkdir()
    (tmp_path / "checkpoint" / "config.json").write_text("{}")
    return tmp_path


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


JUDGES = [{"judge_model_name": name, "base_url": "http://10.0.0.1/v1"} for name in ("a", "b", "c")]
JURY = {"judges": JUDGES, "judge_template_id": "correct-or-not"}
RATED = spec(scoring_mode="jury", scoring_config=JURY)
BASE = {"backend": spec(), "generation": spec(), "jury": RATED}


def changed(value, *path, to):
    """A copy of the value with one place replaced."""
    if not path:
        return to
    copy = list(value) if isinstance(value, list) else dict(value)
    inner = copy[path[0]] if isinstance(copy, list) or path[0] in copy else {}
    copy[path[0]] = changed(inner, *path[1:], to=to)
    return copy


ENDPOINT = spec("endpoint_litellm")
EFFECTS = {
    "JobSpec.max_samples": (spec(), ("max_samples",), 3),
    "JobSpec.num_fewshot_seeds": (spec(), ("num_fewshot_seeds",), 3),
    "JobSpec.allow_truncated_prompts": (spec(), ("allow_truncated_prompts",), True),
    "JobSpec.scoring_mode": (spec(), ("scoring_mode",), "jury"),
    "JobSpec.secret_refs": (spec(), ("secret_refs",), ["PATH"]),
    "Backend.type": (spec(), ("backend",), {"type": "dummy", "model_name": "acme/m"}),
    "Backend.model_name": (spec(), ("backend", "model_name"), "acme/n"),
    "Backend.model_path": (spec(), ("backend", "model_path"), "checkpoint"),
    "Backend.system_prompt": (spec(), ("backend", "system_prompt"), "be brief"),
    "Backend.provider": (ENDPOINT, ("backend", "provider"), "openai"),
    "Backend.base_url": (ENDPOINT, ("backend", "base_url"), "http://10.0.0.2/v1"),
    "Backend.api_key_env": (ENDPOINT, ("backend", "api_key_env"), "PATH"),
    "Backend.parallel_calls_count": (ENDPOINT, ("backend", "parallel_calls_count"), 2),
    "Backend.model": (spec(), ("backend", "model", "class_name"), "Other"),
    "Backend.options": (spec(), ("backend", "options"), {"other": 1}),
    "Backend.revision": (spec("accelerate"), ("backend", "revision"), "abc"),
    "Generation.max_new_tokens": (spec(), ("generation", "max_new_tokens"), 9),
    "Generation.temperature": (spec(), ("generation", "temperature"), 0.3),
    "Generation.top_p": (spec(), ("generation", "top_p"), 0.3),
    "Generation.top_k": (spec(), ("generation", "top_k"), 3),
    "Generation.min_p": (spec(), ("generation", "min_p"), 0.3),
    "Generation.seed": (spec(), ("generation", "seed"), 3),
    "Generation.stop": (spec(), ("generation", "stop"), ["x"]),
    "Generation.repetition_penalty": (spec(), ("generation", "repetition_penalty"), 1.3),
    "Generation.frequency_penalty": (spec(), ("generation", "frequency_penalty"), 0.3),
    "Generation.presence_penalty": (spec(), ("generation", "presence_penalty"), 0.3),
    "TaskSpec.id": (spec(), ("tasks", 0, "id"), "quick_sums"),
    "TaskSpec.fewshot": (spec(), ("tasks", 0, "fewshot"), 1),
    "TaskSpec.params": (spec(), ("tasks", 0, "params"), {"generation_size": 3}),
    "Artifacts.save_details": (spec(), ("artifacts", "save_details"), False),
    "ScoringConfig.judges": (RATED, ("scoring_config", "judges"), JUDGES[:2]),
    "ScoringConfig.aggregation": (RATED, ("scoring_config", "aggregation"), "majority"),
    "ScoringConfig.min_judges": (RATED, ("scoring_config", "min_judges"), 2),
    "ScoringConfig.report_disagreement": (RATED, ("scoring_config", "report_disagreement"), False),
    "ScoringConfig.judge_template_id": (RATED, ("scoring_config", "judge_template_id"), "rating-1-10"),
    "Judge.judge_model_name": (RATED, ("scoring_config", "judges", 0, "judge_model_name"), "z"),
    "Judge.base_url": (RATED, ("scoring_config", "judges", 0, "base_url"), "http://10.0.0.9/v1"),
    "Judge.api_key_env": (RATED, ("scoring_config", "judges", 0, "api_key_env"), "PATH"),
    "Judge.max_tokens": (RATED, ("scoring_config", "judges", 0, "max_tokens"), 9),
    "Judge.temperature": (RATED, ("scoring_config", "judges", 0, "temperature"), 0.5),
    "Judge.seed": (RATED, ("scoring_config", "judges", 0, "seed"), 5),
    "Judge.weight": (RATED, ("scoring_config", "judges", 0, "weight"), 2.0),
    "Judge.judge_template_id": (RATED, ("scoring_config", "judges", 0, "judge_template_id"), "json-score"),
}
ELSEWHERE = {
    "JobSpec.jobspec_version": "there is one version",
    "JobSpec.run_name": "names the variant",
    "JobSpec.benchmark_pack_id": "the suite's score and primary metrics: tests/runner/test_job_scores.py",
    "JobSpec.backend": "field by field",
    "JobSpec.generation": "field by field",
    "JobSpec.tasks": "field by field",
    "JobSpec.custom_plugins": "pinned by content: tests/lighteval/test_plugins.py",
    "JobSpec.artifacts": "field by field",
    "JobSpec.scoring_config": "field by field",
    "Artifacts.output_dir": "where, not what: tests/runner/test_jobs.py",
    "Judge.judge_backend": "there is one",
}


@pytest.mark.parametrize("field", EFFECTS)
def test_d4_every_field_changes_the_plan_or_is_refused(folder, field):
    base, path, to = EFFECTS[field]
    before = compiled(folder, base).plan_digest
    other = changed(base, *path, to=to)
    if field == "JobSpec.scoring_mode":
        other["scoring_config"] = JURY
    try:
        after = compiled(folder, other).plan_digest
    except AgenticsError:
        return
    assert after != before


def test_d4_every_field_is_in_one_of_the_two_tables():
    from agentics.model.jobspec import Artifacts

    models = (JobSpec, Backend, Generation, TaskSpec, Artifacts, ScoringConfig, Judge)
    fields = {f"{model.__name__}.{name}" for model in models for name in model.model_fields}
    assert fields == EFFECTS.keys() | ELSEWHERE.keys()
    assert not EFFECTS.keys() & ELSEWHERE.keys()
