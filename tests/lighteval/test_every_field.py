"""D4: no field of a JobSpec, of any backend, is accepted without an effect. Fields come from the models and schemas."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from agentics.errors import InvalidDocument
from agentics.lighteval.catalogue import shipped
from agentics.lighteval.support import CHOICES, TASK_PARAMS
from agentics.model.job.jobspec import (
    ArtifactOptions,
    Backend,
    CustomModel,
    Generation,
    JobSpec,
    JudgeSpec,
    Plugin,
    ScoringConfig,
    TaskSpec,
)
from agentics.request.job import PlannedJob
from tests.lighteval.test_plans import BACKENDS, GENERATION, compiled, spec

JUDGES = [{"judge_model_name": name, "base_url": "http://10.0.0.1/v1"} for name in ("a", "b", "c")]
JURY = {"judges": JUDGES, "judge_template_id": "correct-or-not"}
JUDGED = {"scoring_mode": "jury", "scoring_config": JURY}
MODEL = {"plugin": "quick-model", "class_name": "Lookup"}

WHERE: dict[type, tuple[str | int, ...]] = {
    JobSpec: (),
    Backend: ("backend",),
    CustomModel: ("backend", "model"),
    Generation: ("generation",),
    TaskSpec: ("tasks", 0),
    Plugin: ("custom_plugins", 0),
    ArtifactOptions: ("artifacts",),
    ScoringConfig: ("scoring_config",),
    JudgeSpec: ("scoring_config", "judges", 0),
}
"""The models of a JobSpec, and where an object of each stands in it."""
MODELS = {model.__name__: model for model in WHERE}

VALUES: dict[str, Any] = {
    "JobSpec.jobspec_version": "2",
    "JobSpec.run_name": "another-name",
    "JobSpec.benchmark_pack_id": "another@1",
    "JobSpec.max_samples": 3,
    "JobSpec.num_fewshot_seeds": 3,
    "JobSpec.allow_truncated_prompts": True,
    "JobSpec.scoring_mode": "judge",
    "JobSpec.secret_refs": ["PATH"],
    "Backend.type": "sglang",
    "Backend.model_name": "acme/another",
    "Backend.model_path": "other-checkpoint",
    "Backend.revision": "abc",
    "Backend.system_prompt": "be brief",
    "Backend.provider": "openai",
    "Backend.base_url": "http://10.0.0.2/v1",
    "Backend.api_key_env": "PATH",
    "Backend.parallel_calls_count": 2,
    "CustomModel.plugin": "quick-tasks",
    "CustomModel.class_name": "Other",
    "Generation.max_new_tokens": 9,
    "Generation.temperature": 0.3,
    "Generation.top_p": 0.3,
    "Generation.top_k": 3,
    "Generation.min_p": 0.3,
    "Generation.seed": 4,
    "Generation.stop": ["x"],
    "Generation.repetition_penalty": 1.3,
    "Generation.frequency_penalty": 0.3,
    "Generation.presence_penalty": 0.3,
    "TaskSpec.id": "quick_sums",
    "TaskSpec.fewshot": 1,
    "Plugin.name": "another",
    "Plugin.version": "2.0.0",
    "Plugin.path": "other-plugins/quick-tasks",
    "Plugin.sha256": f"sha256:{0:064}",
    "ArtifactOptions.output_dir": "elsewhere",
    "ArtifactOptions.save_details": False,
    "ArtifactOptions.tensorboard": True,
    "ScoringConfig.judges": JUDGES[:2],
    "ScoringConfig.aggregation": "median",
    "ScoringConfig.min_judges": 2,
    "ScoringConfig.report_disagreement": False,
    "ScoringConfig.judge_template_id": "rating-1-10",
    "JudgeSpec.judge_model_name": "z",
    "JudgeSpec.judge_backend": "vllm",
    "JudgeSpec.base_url": "http://10.0.0.9/v1",
    "JudgeSpec.api_key_env": "PATH",
    "JudgeSpec.max_tokens": 9,
    "JudgeSpec.temperature": 0.5,
    "JudgeSpec.seed": 5,
    "JudgeSpec.weight": 2.0,
    "JudgeSpec.judge_template_id": "json-score",
}
"""For every field another value than that of the spec below, and than the default."""

PARAMS: dict[str, Any] = {
    "generation_size": 3,
    "stop_sequence": ["x"],
    "few_shots_split": "test",
    "few_shots_select": "random",
    "evaluation_splits": ["train"],
    "hf_repo": "rows",
    "hf_subset": "other",
    "hf_revision": "abc",
    "version": 3,
    "metrics": ["em"],
}
PARTS = {
    "JobSpec.backend": Backend,
    "JobSpec.generation": Generation,
    "JobSpec.tasks": TaskSpec,
    "JobSpec.custom_plugins": Plugin,
    "JobSpec.artifacts": ArtifactOptions,
    "JobSpec.scoring_config": ScoringConfig,
    "Backend.model": CustomModel,
    "Backend.options": "the backend's own schema",
    "TaskSpec.params": "TASK_PARAMS",
}
"""Fields that hold others, which are walked one by one."""


def changed(value, *path, to):
    """A copy of the value with one place replaced."""
    if not path:
        return to
    copy = list(value) if isinstance(value, list) else dict(value)
    inner = copy[path[0]] if isinstance(copy, list) or path[0] in copy else {}
    copy[path[0]] = changed(inner, *path[1:], to=to)
    return copy


def fields() -> list[str]:
    found = [f"{model.__name__}.{name}" for model in WHERE for name in model.model_fields]
    return [name for name in found if name not in PARTS]


def other(kind: str, name: str, schema: dict[str, Any]) -> Any:
    """A value of an option that its schema takes, and that is not its default."""
    default = schema.get("default")
    choices = CHOICES.get((kind, name)) or schema.get("enum")
    if choices:
        return next(choice for choice in choices if choice != default)
    if "anyOf" in schema:
        return other(
            kind, name, next(one for one in schema["anyOf"] if one.get("type") != "null") | {"default": default}
        )
    match schema.get("type"):
        case "boolean":
            return not default
        case "integer" | "number":
            least = schema.get("minimum", schema.get("exclusiveMinimum", 0))
            value = least + 1 if schema["type"] == "integer" else least + 0.25
            return value if value != default else value * 2
        case "string":
            return "other"
        case "array":
            return ["other"]
        case "object":
            return {"other": 1}
    msg = f"no value is known for the option {name}: {schema}"
    raise AssertionError(msg)


def done_by(compiled: PlannedJob) -> tuple[Any, ...]:
    """What follows from a job: its plans by name, what its variant is called, where its artifacts go, and which."""
    artifacts = compiled.spec.artifacts
    return compiled.plan_digest, tuple(compiled.plans), compiled.variant, artifacts.output_dir, artifacts.tensorboard


def has_effect(folder: Path, base: Any, path: tuple[str | int, ...], value: Any) -> bool:
    """Whether the value is refused by a finding at its place, or something else is done."""
    before = done_by(compiled(folder, base))
    try:
        after = compiled(folder, changed(base, *path, to=value))
    except InvalidDocument as error:
        pointer = "".join(f"/{part}" for part in path)
        at = [finding.pointer for finding in error.findings]
        assert any(f"{one}/".startswith(f"{pointer}/") for one in at), at
        return True
    return done_by(after) != before


def base_of(kind: str, field: str) -> Any:
    if field.startswith(("ScoringConfig.", "JudgeSpec.")):
        return spec(kind, **JUDGED)
    return spec(kind)


@pytest.mark.parametrize("kind", BACKENDS)
@pytest.mark.parametrize("field", fields())
def test_d4_every_field_changes_what_is_done_or_is_refused_at_its_place(folder, kind, field):
    model, name = field.split(".")
    path, value = WHERE[MODELS[model]], VALUES[field]
    if model == "CustomModel":  # only one of the backends has such an object
        assert has_effect(folder, spec(kind), path, {**MODEL, name: value})
    else:
        assert has_effect(folder, base_of(kind, field), (*path, name), value)


@pytest.mark.parametrize("kind", BACKENDS)
def test_d4_judges_change_what_is_done(folder, kind):
    assert done_by(compiled(folder, {**spec(kind), **JUDGED})) != done_by(compiled(folder, spec(kind)))


@pytest.mark.parametrize("kind", BACKENDS)
@pytest.mark.parametrize("name", TASK_PARAMS)
def test_d4_every_parameter_of_a_task_changes_what_is_done_or_is_refused_at_its_place(folder, kind, name):
    base = {**spec(kind), "generation": {}}
    assert has_effect(folder, base, ("tasks", 0, "params", name), PARAMS[name])


@pytest.mark.parametrize(
    ("kind", "name"),
    [(kind, name) for kind in BACKENDS for name in shipped().options.get(kind, {}).get("properties", {"any": {}})],
)
def test_d4_every_option_of_a_backend_changes_what_is_done_or_is_refused_at_its_place(folder, kind, name):
    schema = shipped().options.get(kind, {}).get("properties", {}).get(name, {"type": "string"})
    base = changed(spec(kind), "backend", "options", to={})
    assert has_effect(folder, base, ("backend", "options", name), other(kind, name, schema))


@pytest.mark.parametrize("kind", [kind for kind in GENERATION if kind != "dummy"])
def test_d4_the_size_of_a_tasks_answers_is_refused_where_the_jobs_own_replaces_it(folder, kind):
    base = {**spec(kind), "generation": {"max_new_tokens": 5}}
    with pytest.raises(InvalidDocument) as refused:
        compiled(folder, changed(base, "tasks", 0, "params", to={"generation_size": 3}))
    (finding,) = refused.value.findings
    assert (finding.code, finding.pointer) == ("field_unsupported", "/tasks/0/params/generation_size")
