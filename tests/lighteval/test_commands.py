"""`agentics job check` and `agentics suite`: what people and programs are told."""

from __future__ import annotations

import json

from tests.lighteval.conftest import CAPITALS, spec


def write(world, name, value):
    (world.root / name).write_text(json.dumps(value, indent=2), encoding="utf-8")


def test_a_job_in_order_is_told_to_people_and_programs(agentics, world):
    write(world, "job.json", spec(tasks=[{"id": "capitals", "fewshot": 1}], custom_plugins=[CAPITALS]))
    status, out, err = agentics("job", "check", "job.json")
    assert (status, err) == (0, "")
    assert "in order tiny 2 tasks on endpoint_litellm" in out
    status, out, _ = agentics("job", "check", "job.json", "--json")
    said = json.loads(out)
    assert (status, said["ok"], said["command"], said["findings"]) == (0, True, "job check", [])
    assert [task["task"] for task in said["job"]["tasks"]] == ["capitals:eu|1", "capitals:us|1"]
    assert said["job"]["plugins"][0]["sha256"].startswith("sha256:")


def test_warnings_are_told_of_a_job_that_is_in_order(agentics, world):
    write(world, "job.json", spec(secret_refs=["NOT_SET_ANYWHERE"]))
    status, _, err = agentics("job", "check", "job.json")
    assert status == 0
    assert "secret_missing" in err


def test_every_finding_is_told_with_its_place_and_mend(agentics, world):
    write(world, "job.json", spec(max_samples=0, tasks=[{"id": "gms8k"}, {"id": "arc"}]))
    status, out, err = agentics("job", "check", "job.json")
    assert (status, out) == (2, "")
    for words in ("3 findings", "job.json:", "/max_samples", "unknown_task", "'gsm8k'", "metric_needs_logprobs"):
        assert words in err
    status, out, _ = agentics("job", "check", "job.json", "--json")
    said = json.loads(out)
    assert (status, said["ok"], said["error"]["code"]) == (2, False, "invalid_document")
    found = said["error"]["details"]["findings"]
    assert {finding["pointer"] for finding in found} == {"/max_samples", "/tasks/0/id", "/tasks/1/id"}
    assert all(finding["line"] > 0 for finding in found)


def test_a_jobspec_that_is_not_there_is_an_error_of_use(agentics):
    status, out, _ = agentics("job", "check", "none.json", "--json")
    assert (status, json.loads(out)["error"]["code"]) == (2, "usage")


def test_the_operators_folders_are_relative_to_the_configuration(agentics, world):
    (world.root / "agentics.toml").write_text('[lighteval]\nplugins = ["plugins"]\ndata = "shared"\n')
    backend = {"type": "accelerate", "model_name": "acme/tiny", "model_path": "../models/tiny"}
    (world.root / "jobs").mkdir()
    plugins = [{"name": "capitals", "version": "1.0"}]
    tasks = [{"id": "gsm8k"}, {"id": "capitals"}]
    write(world, "jobs/job.json", spec(backend=backend, tasks=tasks, custom_plugins=plugins))
    status, out, err = agentics("job", "check", "jobs/job.json", "--json")
    assert (status, err) == (0, "")
    assert json.loads(out)["job"]["tasks"][0]["data"] == str(world.root / "shared/openai/gsm8k")


def test_a_word_of_the_configuration_that_is_not_known_is_refused(agentics, world):
    (world.root / "agentics.toml").write_text('[lighteval]\nplugin = ["plugins"]\n')
    write(world, "job.json", spec())
    status, out, _ = agentics("job", "check", "job.json", "--json")
    said = json.loads(out)["error"]
    assert (status, said["code"]) == (2, "invalid_config")
    assert "'plugins'" in said["hint"]


def test_suites_are_listed_and_shown(agentics, world):
    (world.root / "suites").mkdir()
    (world.root / "agentics.toml").write_text('[lighteval]\nsuites = ["suites"]\n')
    mine = {"schema_version": 1, "name": "mine", "version": "3", "primary_metric": "em", "tasks": [{"id": "hellaswag"}]}
    write(world, "suites/mine.json", mine)
    write(world, "suites/bad.json", {"name": "bad"})
    status, out, err = agentics("suite", "list")
    assert status == 0
    assert "short-answers@1" in out
    assert "mine@3" in out
    assert "bad.json" in err
    said = json.loads(agentics("suite", "list", "--json")[1])
    assert said["command"] == "suite list"
    assert {suite["name"] for suite in said["suites"]} == {"short-answers", "multiple-choice", "mine"}
    assert {finding["code"] for finding in said["findings"]} == {"missing_key"}
    status, out, _ = agentics("suite", "show", "mine")
    assert (status, "hellaswag|0: em" in out) == (0, True)
    assert json.loads(agentics("suite", "show", "mine@3", "--json")[1])["suite"]["version"] == "3"
    status, out, _ = agentics("suite", "show", "mine@4", "--json")
    assert (status, json.loads(out)["error"]["code"]) == (2, "pack_not_found")


def test_a_suite_is_checked(agentics, world):
    said = {"schema_version": 1, "name": "mine", "version": "3", "primary_metric": "em", "tasks": [{"id": "hellaswag"}]}
    write(world, "mine.json", said)
    assert agentics("suite", "check", "mine.json")[0] == 0
    assert json.loads(agentics("suite", "check", "mine.json", "--json")[1]) == {
        "ok": True,
        "command": "suite check",
        "suite": "mine@3",
        "findings": [],
    }
    write(world, "mine.json", {**said, "tasks": [{"id": "helaswag"}, {"id": "gsm8k", "weight": 3}]})
    status, out, _ = agentics("suite", "check", "mine.json", "--json")
    found = json.loads(out)["error"]["details"]["findings"]
    assert status == 2
    assert [finding["code"] for finding in found] == ["unknown_task", "unknown_metric", "weight_unused"]
    assert agentics("suite", "check", "none.json")[0] == 2
