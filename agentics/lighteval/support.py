"""What each backend can make use of, as tables: fields of the backend, settings of generation, options, sampling.

LightEval drops in silence what a backend cannot do (0.13.0); we refuse it before anything starts.
"""

from __future__ import annotations

from agentics.model.job.jobspec import BackendType

LOCAL: frozenset[BackendType] = frozenset({"accelerate", "vllm"})
"""Backends that load a checkpoint, in a worker without a network."""

FIELDS: dict[BackendType, frozenset[str]] = {
    "accelerate": frozenset({"model_path", "revision", "system_prompt", "options"}),
    "vllm": frozenset({"model_path", "revision", "system_prompt", "options"}),
    "endpoint_litellm": frozenset(
        {"provider", "base_url", "api_key_env", "parallel_calls_count", "system_prompt", "options"}
    ),
    "endpoint_inference_providers": frozenset(
        {"provider", "api_key_env", "parallel_calls_count", "system_prompt", "options"}
    ),
    "custom": frozenset({"model", "model_path", "system_prompt", "options"}),
    "dummy": frozenset({"options"}),
}
"""Of the fields beside `type` and `model_name`, which a backend uses."""

_ALL = frozenset(
    {
        "max_new_tokens", "temperature", "top_p", "top_k", "min_p", "seed", "stop", "repetition_penalty",
        "frequency_penalty", "presence_penalty",
    }
)  # fmt: skip
_CHAT = frozenset({"max_new_tokens", "stop", "temperature", "top_p", "seed", "frequency_penalty", "presence_penalty"})

GENERATION: dict[BackendType, frozenset[str]] = {
    "accelerate": _ALL - {"min_p", "frequency_penalty", "presence_penalty"},
    "vllm": _ALL,
    "endpoint_litellm": _CHAT,
    "endpoint_inference_providers": _CHAT,
    "custom": _ALL,
    "dummy": frozenset({"seed"}),
}
"""Settings of generation that have an effect. A custom model is handed all of them."""

RESERVED: dict[str, str] = {
    "model_name": "backend.model_name",
    "model": "backend.model_name",
    "generation_parameters": "generation",
    "system_prompt": "backend.system_prompt",
    "provider": "backend.provider",
    "base_url": "backend.base_url",
    "api_key": "backend.api_key_env, the name of an environment variable",
    "revision": "backend.revision",
    "parallel_calls_count": "backend.parallel_calls_count",
    "concurrent_requests": "backend.parallel_calls_count",
}
"""Options that have a field of the JobSpec, which is the one place to say it."""

WITHHELD: dict[tuple[str, str], str] = {
    ("*", "cache_dir"): "answers are kept in the run directory",
    ("accelerate", "device"): "this backend takes the accelerator that is there",
    ("accelerate", "continuous_batching"): "it takes other settings than those of the job",
    ("accelerate", "subfolder"): "name the folder itself in backend.model_path",
    ("accelerate", "skip_special_tokens"): "LightEval always skips them",
    ("vllm", "subfolder"): "name the folder itself in backend.model_path",
    ("vllm", "is_async"): "this backend asks in batches",
    ("vllm", "swap_space"): "LightEval does not hand it to vLLM",
    ("endpoint_litellm", "max_model_length"): "the server's own limit counts: no prompt is cut here",
    ("endpoint_inference_providers", "max_model_length"): "the server's own limit counts: no prompt is cut here",
    ("dummy", "seed"): "say it in generation.seed",
    ("custom", "model_definition_file_path"): "say it in backend.model",
}
"""Options that have no effect, or a bad one, with what to do instead."""

CHOICES: dict[tuple[str, str], tuple[str, ...]] = {
    ("accelerate", "dtype"): ("auto", "float16", "bfloat16", "float32", "float64", "4bit", "8bit"),
    ("vllm", "dtype"): ("auto", "half", "float16", "bfloat16", "float", "float32"),
}
"""Values of options that LightEval takes as any text, and fails on later."""

TASK_PARAMS = (
    "generation_size",
    "stop_sequence",
    "few_shots_split",
    "few_shots_select",
    "evaluation_splits",
    "hf_repo",
    "hf_subset",
    "hf_revision",
    "version",
    "metrics",
)
FEW_SHOTS_SELECT = ("balanced", "random", "sequential", "random_sampling", "random_sampling_from_train")
