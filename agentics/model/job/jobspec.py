"""JobSpec: one versioned file from which a model evaluation can be repeated, to the key.

What a schema cannot say (what a backend supports, which tasks exist) is checked by `agentics.lighteval.check`.
"""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import BeforeValidator, Field, FiniteFloat, JsonValue

from agentics.model.document.strict_types import Document, List, Text, refuse

BackendType = Literal["accelerate", "vllm", "endpoint_litellm", "endpoint_inference_providers", "custom", "dummy"]
ScoringMode = Literal["deterministic", "judge", "jury"]
JuryAggregation = Literal["mean", "majority", "median"]
PluginType = Literal["task", "metric", "model"]

ENDPOINTS: frozenset[BackendType] = frozenset({"endpoint_litellm", "endpoint_inference_providers"})
"""Backends that ask a server: they can generate, and give no log-probabilities of given choices."""

_SERVER = "start the server, and ask it with endpoint_litellm and its base_url"
_TGI = ("LightEval asks it with the package text-generation, which no worker has", _SERVER)
_ENDPOINT = (
    "LightEval would start machines in an account of Hugging Face's, which cost money until they are stopped",
    "start the endpoint, and ask it with endpoint_litellm and its base_url; or take endpoint_inference_providers",
)
_NOT_OURS = {
    "sglang": ("it needs a GPU and packages that no worker has", _SERVER),
    "nanotron": ("its checkpoints have nanotron's own format", "convert the checkpoint, and take accelerate or vllm"),
    **dict.fromkeys(("tgi", "endpoint_tgi"), _TGI),
    **dict.fromkeys(("inference-endpoint", "inference_endpoint", "endpoint_inference_endpoint"), _ENDPOINT),
}
"""Backends of LightEval that a JobSpec cannot have: the reason, and what to do instead."""


def _ours(given: object) -> object:
    if isinstance(given, str) and given in _NOT_OURS:
        reason, hint = _NOT_OURS[given]
        refuse("backend_unsupported", f"backend {given!r} is not supported: {reason}", hint=hint)
    return given


PositiveCount = Annotated[int, Field(ge=1)]
JobName = Annotated[str, Field(pattern=r"^[A-Za-z0-9][A-Za-z0-9._-]{0,63}$")]
PluginVersion = Annotated[str, Field(pattern=r"^[0-9A-Za-z][0-9A-Za-z.+_-]{0,63}$")]
Sha256 = Annotated[str, Field(pattern=r"^sha256:[0-9a-f]{64}$")]
EnvName = Annotated[str, Field(pattern=r"^[A-Za-z_][A-Za-z0-9_]{0,127}$")]


class CustomModel(Document):
    """Where the model class of backend `custom` is: a plugin of type `model`, and the name of its class in there."""

    plugin: JobName
    class_name: Annotated[str, Field(pattern=r"^[A-Za-z_][A-Za-z0-9_]*$")]


class Backend(Document):
    """What answers. `model_name` names it everywhere; `model_path` is a local checkpoint folder, relative to the file.

    `api_key_env` is the name of an environment variable, never a key. `options` are the backend's own, by the names of
    LightEval's configuration classes.
    """

    type: Annotated[BackendType, BeforeValidator(_ours)]
    model_name: Text
    model_path: Text | None = None
    revision: Text | None = None
    system_prompt: Text | None = None
    provider: Text | None = None
    base_url: Text | None = None
    api_key_env: EnvName | None = None
    parallel_calls_count: PositiveCount | None = None
    model: CustomModel | None = None
    options: dict[str, JsonValue] = Field(default_factory=dict)


class Generation(Document):
    """How answers are generated. What is not said is the task's and backend's own; `stop` is added to the task's."""

    max_new_tokens: PositiveCount | None = None
    temperature: Annotated[FiniteFloat, Field(ge=0, le=2)] | None = None
    top_p: Annotated[FiniteFloat, Field(ge=0, le=1)] | None = None
    top_k: PositiveCount | None = None
    min_p: Annotated[FiniteFloat, Field(ge=0, le=1)] | None = None
    seed: Annotated[int, Field(ge=0)] | None = None
    stop: List[Annotated[str, Field(min_length=1)]] = ()  # a line feed alone is the usual one
    repetition_penalty: Annotated[FiniteFloat, Field(gt=0)] | None = None
    frequency_penalty: Annotated[FiniteFloat, Field(ge=-2, le=2)] | None = None
    presence_penalty: Annotated[FiniteFloat, Field(ge=-2, le=2)] | None = None


class TaskSpec(Document):
    """A LightEval task, or all subtasks of a name. `params` change the task's own configuration."""

    id: Text
    fewshot: Annotated[int, Field(ge=0)] = 0
    params: dict[str, JsonValue] = Field(default_factory=dict)


class Plugin(Document):
    """Code that is loaded inside the worker only. `path`: its folder, relative to the file; without it, the folders of
    the operator's configuration are searched for the name. `sha256` pins the content of the folder."""

    name: JobName
    version: PluginVersion
    path: Text | None = None
    sha256: Sha256 | None = None


class ArtifactOptions(Document):
    """`output_dir`: a path or any fsspec URL that the operator allows, without credentials. `tensorboard`: also
    an event file for TensorBoard."""

    output_dir: Text
    save_details: bool = False
    tensorboard: bool = False


class JudgeSpec(Document):
    """One judge. `base_url` of an OpenAI-compatible server; without it, the provider that litellm finds by the name."""

    judge_model_name: Text
    judge_backend: Literal["endpoint_litellm"] = "endpoint_litellm"
    base_url: Text | None = None
    api_key_env: EnvName | None = None
    max_tokens: PositiveCount = 512
    temperature: Annotated[FiniteFloat, Field(ge=0, le=2)] = 0.0
    seed: Annotated[int, Field(ge=0)] | None = None
    weight: Annotated[FiniteFloat, Field(gt=0)] = 1.0
    judge_template_id: Text | None = None


class ScoringConfig(Document):
    """Of judge and jury only. A judge's own `judge_template_id` comes before the common one. `min_judges`: how many
    judges must give a verdict on an answer, so that the answer has one; null: all."""

    judges: Annotated[List[JudgeSpec], Field(min_length=1)]
    aggregation: JuryAggregation = "mean"
    min_judges: PositiveCount | None = None
    report_disagreement: bool = True
    judge_template_id: Text | None = None


class JobSpec(Document):
    """The request. `secret_refs`: names of environment variables that the worker may read beside the keys.
    `allow_truncated_prompts`: a prompt that was cut to fit the model does not make its task `degraded`."""

    jobspec_version: Literal["1"] = "1"
    run_name: JobName | None = None
    benchmark_pack_id: Text | None = None
    max_samples: PositiveCount | None = None
    num_fewshot_seeds: PositiveCount = 1
    allow_truncated_prompts: bool = False
    backend: Backend
    generation: Generation = Generation()
    tasks: Annotated[List[TaskSpec], Field(min_length=1)]
    custom_plugins: List[Plugin] = ()
    artifacts: ArtifactOptions
    scoring_mode: ScoringMode = "deterministic"
    scoring_config: ScoringConfig | None = None
    secret_refs: List[EnvName] = ()


DOCUMENTS: dict[str, type[Document]] = {"jobspec": JobSpec}
