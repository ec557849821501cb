"""What a backend can use of a JobSpec; the rest is refused before anything starts."""

from __future__ import annotations

import pytest

from agentics.lighteval.optioncheck import KEYWORDS, fault
from agentics.lighteval.support import FIELDS, GENERATION
from agentics.model.job.jobspec import Backend, Generation
from tests.lighteval.conftest import CAPITALS, CATALOGUE, CUSTOM, DUMMY, ECHO, ENDPOINT, LOCAL, VLLM, spec

PROVIDERS = {"type": "endpoint_inference_providers", "model_name": "acme/tiny", "provider": "hf-inference"}
BACKENDS = {
    "accelerate": LOCAL,
    "vllm": VLLM,
    "endpoint_litellm": ENDPOINT,
    "endpoint_inference_providers": PROVIDERS,
    "custom": CUSTOM,
    "dummy": DUMMY,
}
VALUES = {
    "model_path": "models/tiny",
    "revision": "main",
    "system_prompt": "Be brief.",
    "provider": "openai",
    "base_url": "http://10.0.0.1:1/v1",
    "api_key_env": "TINY_KEY",
    "parallel_calls_count": 2,
    "model": {"plugin": "echo", "class_name": "Echo"},
    "options": {},
}
SETTINGS = {
    "max_new_tokens": 5, "temperature": 0.5, "top_p": 0.5, "top_k": 5, "min_p": 0.1, "seed": 1, "stop": ["\n"],
    "repetition_penalty": 1.1, "frequency_penalty": 0.1, "presence_penalty": 0.1,
}  # fmt: skip


def job(backend, **more):
    plugins = [CAPITALS, ECHO] if backend["type"] == "custom" else [CAPITALS]
    return spec(backend=backend, tasks=[{"id": "capitals"}], custom_plugins=plugins, **more)


@pytest.mark.parametrize("kind", BACKENDS)
def test_every_backend_is_in_order_with_what_it_needs(world, kind):
    found = world.check(job(BACKENDS[kind]))
    assert found.said == []
    assert found.job.model_path == (world.root / "models/tiny" if kind in ("accelerate", "vllm") else None)


@pytest.mark.parametrize("kind", BACKENDS)
@pytest.mark.parametrize("name", VALUES)
def test_a_field_is_used_by_the_backend_or_refused(world, kind, name):
    backend = {**BACKENDS[kind], name: VALUES[name]}
    if name == "revision":
        backend.pop("model_path", None)
    found = world.check(job(backend), environment={"TINY_KEY": "a-value-1"})
    refused = ("field_unsupported", f"/backend/{name}") in found.errors
    assert refused == (name not in FIELDS[kind] and bool(VALUES[name]))


def test_the_tables_know_every_field_and_every_setting():
    assert set(VALUES) == set(Backend.model_fields) - {"type", "model_name"}
    assert set(SETTINGS) == set(Generation.model_fields)
    assert set(FIELDS) == set(GENERATION) == set(BACKENDS)


@pytest.mark.parametrize("kind", BACKENDS)
@pytest.mark.parametrize("name", SETTINGS)
def test_a_setting_of_generation_is_applied_or_refused(world, kind, name):
    found = world.check(job(BACKENDS[kind], generation={name: SETTINGS[name]}))
    expected = [] if name in GENERATION[kind] else [("generation_unsupported", f"/generation/{name}")]
    assert found.errors == expected


@pytest.mark.parametrize(
    ("kind", "refused"),
    [
        ("endpoint_litellm", {"top_k", "min_p", "repetition_penalty"}),
        ("endpoint_inference_providers", {"top_k", "min_p", "repetition_penalty"}),
        ("accelerate", {"min_p", "frequency_penalty", "presence_penalty"}),
        ("vllm", set()),
        ("custom", set()),
        ("dummy", set(SETTINGS) - {"seed"}),
    ],
)
def test_what_lighteval_would_drop_in_silence_is_named(world, kind, refused):
    found = world.check(job(BACKENDS[kind], generation=SETTINGS))
    assert {pointer.rpartition("/")[2] for code, pointer in found.errors} == refused


def test_a_revision_of_a_folder_is_refused(world):
    assert world.check(job({**LOCAL, "revision": "main"})).errors == [("field_unsupported", "/backend/revision")]


@pytest.mark.parametrize("name", ["/models/tiny", "../tiny", "a/../b", "~/tiny", "./tiny", "a\\b"])
def test_a_path_is_no_model_name(world, name):
    found = world.check(job({**LOCAL, "model_name": name}))
    assert found.errors == [("model_name_is_path", "/backend/model_name")]
    assert "model_path" in found.hints


@pytest.mark.parametrize("name", ["tiny", "acme/tiny", "openai/gpt-4o:latest", "a..b/c"])
def test_a_name_of_a_model_is_one(world, name):
    assert world.check(job({**LOCAL, "model_name": name})).said == []


@pytest.mark.parametrize("path", ["models/none", "models/empty", "models/tiny/config.json", "x" * 300, "a\u0000b"])
def test_a_checkpoint_must_be_there(world, path):
    assert world.check(job({**LOCAL, "model_path": path})).errors == [("model_missing", "/backend/model_path")]


@pytest.mark.parametrize("backend", [LOCAL, VLLM])
def test_a_local_backend_without_a_checkpoint_would_need_the_network(world, backend):
    plain = {key: value for key, value in backend.items() if key != "model_path"}
    found = world.check(job(plain))
    assert found.errors == [("model_needs_network", "/backend/model_name")]
    found = world.check(job({**plain, "model_name": "models/tiny"}))
    assert found.hints == "set model_path to 'models/tiny'"


def test_a_provider_is_needed_where_there_are_many(world):
    plain = {key: value for key, value in PROVIDERS.items() if key != "provider"}
    found = world.check(job(plain))
    assert [code for code, _ in found.errors] == ["missing_key"]
    assert "provider" in found.findings[0].message


@pytest.mark.parametrize(
    ("kind", "options"),
    [
        ("accelerate", {"dtype": "float32", "batch_size": 4, "max_length": None, "trust_remote_code": False}),
        ("accelerate", {"model_loading_kwargs": {"low_cpu_mem_usage": True}, "override_chat_template": None}),
        ("vllm", {"gpu_memory_utilization": 0.5, "dtype": "half", "tensor_parallel_size": 2}),
        ("endpoint_litellm", {"timeout": 1.5, "api_max_retry": 0}),
        ("custom", {"anything": {"at": ["all"]}}),
    ],
)
def test_options_of_the_right_type_are_taken(world, kind, options):
    found = world.check(job({**BACKENDS[kind], "options": options}))
    assert found.said == []
    assert found.job.spec.backend.options == options


@pytest.mark.parametrize(
    ("kind", "option", "code"),
    [
        ("accelerate", {"batch_sise": 4}, "unknown_option"),
        ("accelerate", {"batch_size": 0}, "out_of_range"),
        ("accelerate", {"batch_size": "4"}, "wrong_type"),
        ("accelerate", {"batch_size": True}, "wrong_type"),
        ("accelerate", {"batch_size": 4.0}, "wrong_type"),
        ("accelerate", {"trust_remote_code": 1}, "wrong_type"),
        ("accelerate", {"model_loading_kwargs": []}, "wrong_type"),
        ("accelerate", {"dtype": "floaty"}, "unknown_value"),
        ("accelerate", {"device": "cpu"}, "option_unsupported"),
        ("accelerate", {"continuous_batching": True}, "option_unsupported"),
        ("accelerate", {"cache_dir": "/x"}, "option_unsupported"),
        ("vllm", {"gpu_memory_utilization": -0.1}, "out_of_range"),
        ("vllm", {"dtype": None}, "wrong_type"),
        ("endpoint_litellm", {"generation_parameters": {"seed": 1}}, "option_reserved"),
        ("endpoint_litellm", {"concurrent_requests": 3}, "option_reserved"),
        ("endpoint_litellm", {"batch_size": 3}, "unknown_option"),
        ("dummy", {"seed": 3}, "option_unsupported"),
    ],
)
def test_other_options_are_refused(world, kind, option, code):
    found = world.check(job({**BACKENDS[kind], "options": option}))
    assert found.errors == [(code, f"/backend/options/{next(iter(option))}")]


def test_the_nearest_option_is_named(world):
    assert "'batch_size'" in world.check(job({**LOCAL, "options": {"batch_sise": 4}})).hints


def test_option_schemas_use_no_word_that_the_check_does_not_know():
    def words(schema):
        yield from schema
        for choice in schema.get("anyOf", ()):
            yield from words(choice)

    used = {word for one in CATALOGUE.options.values() for about in one["properties"].values() for word in words(about)}
    assert used <= KEYWORDS


@pytest.mark.parametrize(
    ("schema", "right", "wrong"),
    [
        ({"type": "number", "maximum": 1}, [1, 0.5, -3], [1.1, "1", True, None]),
        ({"type": "integer", "exclusiveMaximum": 3}, [2], [3, 2.5]),
        ({"type": "number", "exclusiveMinimum": 0}, [0.1], [0]),
        ({"type": "number", "minimum": 0}, [0], [-0.1]),
        ({"enum": ["a", 1]}, ["a", 1], ["b"]),
        ({"const": 3}, [3], [4]),
        ({"type": "array"}, [[]], [{}]),
        ({}, [None, {}, 3], []),
        ({"anyOf": [{"type": "string"}, {"type": "integer", "minimum": 1}]}, ["x", 1], [0, 1.5, None]),
    ],
)
def test_values_are_checked_as_their_schema_says(schema, right, wrong):
    assert [fault(schema, value) for value in right] == [None] * len(right)
    assert None not in [fault(schema, value) for value in wrong]


def test_a_limit_is_told_rather_than_the_types_that_a_value_has_not():
    schema = {"anyOf": [{"type": "integer", "exclusiveMinimum": 0}, {"type": "null"}]}
    assert fault(schema, 0) == ("out_of_range", "must be > 0")
    assert fault(schema, "x") == ("wrong_type", "must be an integer or null")


def custom(**model):
    return {**CUSTOM, "model": {"plugin": "echo", "class_name": "Echo", **model}}


def test_a_custom_model_is_a_class_of_a_plugin_that_the_job_lists(world):
    found = world.check(job(custom(plugin="ecko")))
    assert found.errors == [("plugin_not_found", "/backend/model/plugin")]
    assert "'echo'" in found.hints
    assert world.check(job(custom(plugin="capitals"))).errors == [("plugin_type_mismatch", "/backend/model/plugin")]
    found = world.check(job(custom(class_name="Ecko")))
    assert found.errors == [("unknown_class", "/backend/model/class_name")]
    assert "'Echo'" in found.hints


def test_a_custom_backend_says_its_model(world):
    found = world.check(job({"type": "custom", "model_name": "acme/echo"}))
    assert [code for code, _ in found.errors] == ["missing_key"]


@pytest.mark.parametrize(
    ("name", "variant"),
    [("acme/tiny", "tiny"), ("openai/gpt 4:x", "gpt-4-x"), ("...", "model"), ("a/b/", "b"), ("x" * 100, "x" * 64)],
)
def test_a_model_gives_its_variant_a_name_that_files_can_have(world, name, variant):
    assert world.check(job({**ENDPOINT, "model_name": name})).job.variant == variant


@pytest.mark.parametrize(
    ("name", "reason", "instead"),
    [
        ("sglang", "GPU", "endpoint_litellm"),
        ("tgi", "text-generation", "endpoint_litellm"),
        ("endpoint_tgi", "text-generation", "endpoint_litellm"),
        ("inference-endpoint", "cost", "endpoint_litellm"),
        ("inference_endpoint", "cost", "endpoint_litellm"),
        ("endpoint_inference_endpoint", "cost", "endpoint_litellm"),
        ("nanotron", "nanotron's own format", "accelerate"),
    ],
)
def test_a_backend_of_lightevals_that_is_not_ours_is_refused_by_name_with_the_reason(world, name, reason, instead):
    found = world.check(spec(backend={**ENDPOINT, "type": name}))
    assert found.said == [("backend_unsupported", "/backend/type")]
    assert reason in found.findings[0].message
    assert instead in found.hints


@pytest.mark.parametrize("name", ["sgl", "", 1, None, ["sglang"], {"sglang": 1}])
def test_what_is_no_backend_at_all_is_told_which_there_are(world, name):
    found = world.check(spec(backend={**ENDPOINT, "type": name}))
    assert found.said == [("unknown_value", "/backend/type")]
    assert "'endpoint_litellm'" in found.findings[0].message
