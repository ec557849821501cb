"""JobSpecs by their schema: what is taken, what is refused and where, and that all of it is said at once."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
from jsonschema import Draft202012Validator

import agentics
from agentics.model.job.jobspec import JobSpec
from agentics.schemas import schema
from tests.lighteval.conftest import CAPITALS, ENDPOINT, JUDGE, spec

FULL = spec(
    jobspec_version="1",
    run_name="nightly",
    benchmark_pack_id=None,
    max_samples=5,
    num_fewshot_seeds=3,
    backend={
        **ENDPOINT,
        "provider": "openai",
        "system_prompt": "Answer in one word.",
        "api_key_env": "TINY_KEY",
        "parallel_calls_count": 2,
        "options": {"timeout": 10, "api_max_retry": 2},
    },
    generation={
        "max_new_tokens": 16, "temperature": 0.7, "top_p": 0.9, "seed": 1, "stop": ["\n"],
        "frequency_penalty": -1, "presence_penalty": 0.5,
    },
    tasks=[
        {"id": "gsm8k", "fewshot": 2, "params": {"version": 2, "few_shots_split": "train"}},
        {"id": "capitals", "fewshot": 1},
    ],
    custom_plugins=[CAPITALS],
    artifacts={"output_dir": "memory://jobs", "save_details": True},
    scoring_mode="jury",
    scoring_config={
        "judges": [
            {**JUDGE, "base_url": "http://10.0.0.1:2/v1", "api_key_env": "JUDGE_KEY", "max_tokens": 8,
             "temperature": 0.1, "seed": 3, "weight": 2},
            {"judge_model_name": "gpt-judge", "judge_backend": "endpoint_litellm"},
        ],
        "aggregation": "median",
        "report_disagreement": False,
        "judge_template_id": "helpfulness",
    },
    secret_refs=["EXTRA"],
)  # fmt: skip
SECRETS = {"TINY_KEY": "a-value-1", "JUDGE_KEY": "b-value-2", "EXTRA": "c-value-3"}


def test_d1_the_smallest_jobspec_is_in_order(world):
    found = world.check(spec())
    assert found.said == []
    assert [task.ref for task in found.job.tasks] == ["gsm8k|0"]
    assert (found.job.variant, found.job.network, found.job.secrets) == ("tiny", True, ())


def test_d1_a_jobspec_with_every_key_is_in_order_and_resolved(world):
    found = world.check(FULL, environment=SECRETS)
    assert found.said == []
    job = found.job
    assert [task.ref for task in job.tasks] == ["gsm8k|2", "capitals:eu|1", "capitals:us|1"]
    assert [task.known.plugin for task in job.tasks] == [None, "capitals", "capitals"]
    assert [(judge.name, judge.template_id) for judge in job.judges] == [
        ("gpt-judge", "correctness"),
        ("gpt-judge#2", "helpfulness"),
    ]
    assert job.variant == "nightly"
    assert job.secrets == ("TINY_KEY", "JUDGE_KEY", "EXTRA")
    assert job.plugins[0].sha256.startswith("sha256:")


def nested(*path, value, base=FULL):
    """The full JobSpec with another value at a path."""
    said = json.loads(json.dumps(base))
    here = said
    for part in path[:-1]:
        here = here[part]
    here[path[-1]] = value
    return said


INVALID = [
    (nested("run_name", value="../x"), "string_pattern_mismatch", "/run_name"),
    (nested("run_name", value=""), "string_pattern_mismatch", "/run_name"),
    (nested("max_samples", value=0), "out_of_range", "/max_samples"),
    (nested("max_samples", value="3"), "wrong_type", "/max_samples"),
    (nested("max_samples", value=True), "wrong_type", "/max_samples"),
    (nested("num_fewshot_seeds", value=-1), "out_of_range", "/num_fewshot_seeds"),
    (nested("benchmark_pack_id", value=" "), "blank", "/benchmark_pack_id"),
    (nested("backend", value=None), "wrong_type", "/backend"),
    (nested("backend", "type", value="endpoint_litelm"), "unknown_value", "/backend/type"),
    (nested("backend", "model_name", value=""), "blank", "/backend/model_name"),
    (nested("backend", "model_name", value=5), "wrong_type", "/backend/model_name"),
    (nested("backend", "parallel_calls_count", value=0), "out_of_range", "/backend/parallel_calls_count"),
    (nested("backend", "api_key_env", value="A-B"), "string_pattern_mismatch", "/backend/api_key_env"),
    (nested("backend", "options", value=[]), "wrong_type", "/backend/options"),
    (nested("generation", "temperature", value=2.1), "out_of_range", "/generation/temperature"),
    (nested("generation", "temperature", value=-0.1), "out_of_range", "/generation/temperature"),
    (nested("generation", "top_p", value=1.5), "out_of_range", "/generation/top_p"),
    (nested("generation", "max_new_tokens", value=0), "out_of_range", "/generation/max_new_tokens"),
    (nested("generation", "frequency_penalty", value=3), "out_of_range", "/generation/frequency_penalty"),
    (nested("generation", "stop", value="\n"), "wrong_type", "/generation/stop"),
    (nested("generation", "max_tokens", value=4), "unknown_key", "/generation/max_tokens"),
    (nested("tasks", value=[]), "empty_list", "/tasks"),
    (nested("tasks", value="gsm8k|5"), "wrong_type", "/tasks"),
    (nested("tasks", 0, value="gsm8k"), "wrong_type", "/tasks/0"),
    (nested("tasks", 0, "fewshot", value=-1), "out_of_range", "/tasks/0/fewshot"),
    (nested("tasks", 0, "params", value=None), "wrong_type", "/tasks/0/params"),
    (nested("custom_plugins", 0, value={"name": "capitals"}), "missing_key", "/custom_plugins/0/version"),
    (nested("custom_plugins", 0, "sha256", value="abc"), "string_pattern_mismatch", "/custom_plugins/0/sha256"),
    (nested("artifacts", value={}), "missing_key", "/artifacts/output_dir"),
    (nested("artifacts", "save_details", value="yes"), "wrong_type", "/artifacts/save_details"),
    (nested("scoring_mode", value="judges"), "unknown_value", "/scoring_mode"),
    (nested("scoring_config", "aggregation", value="max"), "unknown_value", "/scoring_config/aggregation"),
    (nested("scoring_config", "judges", value=[]), "empty_list", "/scoring_config/judges"),
    (nested("scoring_config", "judges", 0, "weight", value=0), "out_of_range", "/scoring_config/judges/0/weight"),
    (nested("scoring_config", "judges", 0, "max_tokens", value=0), "out_of_range",
     "/scoring_config/judges/0/max_tokens"),
    (nested("generation", "stop", value=["\n", ""]), "string_too_short", "/generation/stop/1"),
    (nested("scoring_config", "judges", 0, "judge_backend", value="tgi"), "unknown_value",
     "/scoring_config/judges/0/judge_backend"),
    (nested("secret_refs", value=["1A"]), "string_pattern_mismatch", "/secret_refs/0"),
    (nested("owner", value="me"), "unknown_key", "/owner"),
]  # fmt: skip


@pytest.mark.parametrize(("said", "code", "pointer"), INVALID, ids=[f"{p} {c}" for _, c, p in INVALID])
def test_d1_each_constraint_is_refused_at_its_place(world, said, code, pointer):
    found = world.check(said, environment=SECRETS)
    assert (code, pointer) in found.errors
    assert found.job is None
    assert all(finding.line > 0 and finding.file == "job.json" for finding in found.findings)


@pytest.mark.parametrize("key", ["backend", "tasks", "artifacts"])
def test_d1_what_must_be_there_is_missed(world, key):
    assert world.check(spec(**{key: None})).errors == [("missing_key", f"/{key}")]


@pytest.mark.parametrize(("said", "code", "pointer"), INVALID, ids=[f"{p} {c}" for _, c, p in INVALID])
def test_d1_the_published_schema_refuses_the_same(said, code, pointer):
    assert not Draft202012Validator(schema("jobspec")).is_valid(said)


@pytest.mark.parametrize("said", [spec(), FULL])
def test_d1_the_published_schema_takes_what_is_in_order(said):
    Draft202012Validator(schema("jobspec")).validate(said)


def test_d1_what_is_no_json_object_is_refused_with_its_place(world):
    for text, code in (("{", "syntax"), ("[]", "wrong_type"), ('{"a": 1, "a": 2}', "duplicate_key"), ("", "syntax")):
        found = world.check(text)
        assert code in {code for code, _ in found.errors}, text
    assert world.check(b"\xff").job is None


def test_d1_everything_that_is_wrong_is_said_at_once(world):
    said = spec(
        run_name="a b",
        backend={"type": "endpoint_litellm", "model_name": "/models/x", "model_path": "m", "options": {"timeot": 3}},
        generation={"top_k": 5, "temperature": 9},
        tasks=[{"id": "gsm9k"}, {"id": "arc:easy"}, {"id": "gsm8k", "params": {"generation_size": 0}}],
        custom_plugins=[],
        scoring_mode="judge",
    )
    found = world.check(said)
    assert set(found.errors) == {
        ("string_pattern_mismatch", "/run_name"),
        ("model_name_is_path", "/backend/model_name"),
        ("field_unsupported", "/backend/model_path"),
        ("unknown_option", "/backend/options/timeot"),
        ("out_of_range", "/generation/temperature"),
        ("unknown_task", "/tasks/0/id"),
        ("metric_needs_logprobs", "/tasks/1/id"),
        ("scoring_conflict", "/tasks/1/id"),
        ("wrong_type", "/tasks/2/params/generation_size"),
        ("scoring_conflict", "/scoring_mode"),
    }


def test_d2_a_jobspec_survives_the_round_trip_with_the_same_bytes():
    first = JobSpec.model_validate_json(json.dumps(FULL))
    text = first.model_dump_json()
    again = JobSpec.model_validate_json(text)
    assert again == first
    assert again.model_dump_json() == text
    other = JobSpec.model_validate_json(json.dumps(dict(reversed(FULL.items()))))
    assert other.model_dump_json() == text


@pytest.mark.parametrize("version", [None, "1"])
def test_d3_version_1_is_read_and_is_what_no_version_means(world, version):
    assert world.check(spec(jobspec_version=version)).said == []


@pytest.mark.parametrize("version", ["2", "1.1", 1, 1.0, 2, True, [], {"a": 1}, ""])
def test_d3_another_version_is_refused_and_nothing_else_is_said_of_it(world, version):
    found = world.check({"jobspec_version": version, "tasks": 5, "new": True})
    assert found.errors == found.said == [("unsupported_jobspec_version", "/jobspec_version")]


def test_d3_a_version_that_is_a_number_is_told_how_to_be_written(world):
    assert world.check(spec(jobspec_version=1)).hints == 'write "1", in quotes'


def test_d3_version_1_with_an_unknown_key_is_refused(world):
    found = world.check(spec(jobspec_version="1", max_sample=3))
    assert found.errors == [("unknown_key", "/max_sample")]
    assert "max_samples" in found.hints


def test_a_check_imports_nothing_of_lighteval(world):
    program = """
import json, sys
from pathlib import Path
from agentics.config import Config
from agentics.lighteval.catalogue import catalogue_of
from agentics.lighteval.check import check, surroundings
around = surroundings(Path(), Config(), {}, catalogue=catalogue_of(json.loads(Path(sys.argv[1]).read_bytes())))
assert check(Path("job.json").read_bytes(), "job.json", around).job is not None
heavy = {"lighteval", "torch", "transformers", "datasets", "litellm", "jsonschema", "fsspec", "docker"}
print(sorted(heavy & {name.partition(".")[0] for name in sys.modules}))
"""
    (world.root / "job.json").write_text(json.dumps(spec()))
    catalogue = Path(__file__).with_name("catalogue.json")
    environment = {**os.environ, "PYTHONPATH": str(Path(agentics.__file__).parents[1])}
    ran = subprocess.run(
        [sys.executable, "-c", program, catalogue],
        check=False, cwd=world.root, env=environment, capture_output=True, text=True, timeout=60,
    )  # fmt: skip
    assert (ran.stderr, ran.stdout.strip()) == ("", "[]")
