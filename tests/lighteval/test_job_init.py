"""`agentics job init`: a JobSpec that is in order, from names."""

from __future__ import annotations

import json

import pytest


@pytest.fixture
def init(world, agentics):
    """Calls `job init`; gives what it says and the file that it wrote."""
    (world.root / "agentics.toml").write_text('[lighteval]\ndata = "shared"\n')

    def call(*words, file="job.json"):
        status, out, _ = agentics("job", "init", *words, "--file", file, "--json")
        said = json.loads(out)
        if status == 0:
            assert json.loads((world.root / file).read_bytes()) == said["jobspec"]
        return status, said

    return call


def error(told):
    status, said = told
    return status, said["error"]["code"]


def test_a_task_alone_is_asked_of_the_dummy_model(init, agentics):
    status, said = init("gsm8k", "mgsm", "simpleqa|2", "--max-samples", "5")
    assert (status, said["file"]) == (0, "job.json")
    assert said["jobspec"]["backend"] == {"type": "dummy", "model_name": "dummy"}
    assert said["jobspec"]["tasks"] == [{"id": "gsm8k"}, {"id": "mgsm"}, {"id": "simpleqa", "fewshot": 2}]
    assert said["jobspec"]["max_samples"] == 5
    assert [one["code"] for one in said["findings"]] == ["dataset_needs_network"]
    assert not said["in_order"]
    status, said = init("gsm8k|3", file="other.json")
    assert (status, said["in_order"], said["findings"]) == (0, True, [])
    assert agentics("job", "check", "other.json")[0] == 0


@pytest.mark.parametrize(
    ("words", "backend"),
    [
        (
            ("--model", "acme/small", "--base-url", "http://10.0.0.1:8000/v1", "--api-key-env", "ACME_KEY"),
            {"type": "endpoint_litellm", "base_url": "http://10.0.0.1:8000/v1", "api_key_env": "ACME_KEY"},
        ),
        (("--model", "acme/small", "--provider", "openai"), {"type": "endpoint_litellm", "provider": "openai"}),
        (("--model", "models/tiny"), {"type": "accelerate", "model_name": "tiny", "model_path": "models/tiny"}),
    ],
)
def test_a_model_is_a_server_where_one_is_named_and_else_a_folder(init, words, backend):
    status, said = init("gsm8k", *words)
    assert status == 0
    assert said["jobspec"]["backend"] == {"model_name": "acme/small", **backend}
    assert {one["code"] for one in said["findings"]} <= {"secret_missing"}


def test_plugins_are_listed_with_their_folders_from_where_the_file_is(init, world):
    (world.root / "jobs").mkdir()
    plugins = ("--plugin", "plugins/capitals", "--plugin", "plugins/echo", "--plugin", "plugins/shout")
    status, said = init("capitals|4", *plugins, "--model", "Echo", file="jobs/mine.json")
    assert (status, said["findings"]) == (0, [])
    spec = said["jobspec"]
    assert spec["backend"] == {
        "type": "custom",
        "model_name": "Echo",
        "model": {"plugin": "echo", "class_name": "Echo"},
    }
    assert spec["custom_plugins"] == [
        {"name": "capitals", "version": "1.0", "path": "../plugins/capitals"},
        {"name": "echo", "version": "1.0", "path": "../plugins/echo"},
    ]


def test_a_plugin_of_the_operators_needs_no_folder(init, world):
    (world.root / "agentics.toml").write_text('[lighteval]\nplugins = ["plugins"]\n')
    status, said = init("capitals:eu")
    assert (status, said["in_order"]) == (0, True)
    assert said["jobspec"]["custom_plugins"] == [{"name": "capitals", "version": "1.0"}]


def test_what_cannot_be_a_job_is_refused_and_nothing_is_written(init, world):
    assert error(init("gsm9k")) == (2, "unknown_task")
    assert error(init("gsm8k|many")) == (2, "bad_task_id")
    assert error(init("gsm8k", "--model", "nowhere")) == (2, "unknown_model")
    assert error(init("gsm8k", "--base-url", "http://10.0.0.1/v1")) == (2, "unknown_model")
    assert error(init("gsm8k", "--api-key-env", "ACME_KEY")) == (2, "key_without_server")
    assert not (world.root / "job.json").exists()
    assert error(init("gsm8k", file="none/job.json")) == (2, "usage")


def test_a_file_that_is_there_is_kept_unless_it_is_to_be_replaced(init, world):
    (world.root / "job.json").write_text("mine")
    assert error(init("gsm8k")) == (2, "file_exists")
    assert (world.root / "job.json").read_text() == "mine"
    assert init("gsm8k", "--force")[0] == 0
