"""Models in experiments: any of them is a baseline, and they are compared beside a challenge."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from agentics.cli import compare
from agentics.cli.figure import draw
from agentics.errors import EngineError
from agentics.sandbox.images import definitions
from tests.memory_store import MemoryStore
from tests.runner.lab import evaluator

BOTH = "name: both\ntasks: [challenge]\nvariants: [{solution: mine}]\njobspecs: [small.json, large.json]\n"
MODELS = "name: models\njobspecs: [small.json, large.json]\n"


@pytest.fixture
def tools(jobs):
    """Two models on the same two tasks, and a challenge with a solution."""
    jobs.spec("small", tasks=("one", "two"), options={"fails": [0]})
    jobs.spec("large", tasks=("one", "two"))
    jobs.lab.bundle("challenge")
    jobs.lab.engine.behaviours["separated-evaluator"] = evaluator()

    def experiment(text: str, *words: str):
        file = jobs.home / "e.yaml"
        file.write_text(text)
        return jobs.lab("experiment", words[0], file, *words[1:])

    jobs.experiment = experiment
    return jobs


@pytest.mark.parametrize("text", [BOTH, MODELS])
def test_a_model_is_a_baseline(tools, text):
    said = tools.experiment(f"{text}baseline: large\n", "run", "--run-id", "r", "--json")
    assert said.status == 0, said.err
    resolved = tools.lab.read("r/resolved_experiment.json")
    assert resolved["baseline"]["variant_id"] == "large"
    found = tools.lab("run", "compare", "outputs/r", "--json").json
    assert found["baseline"] == "large"
    against = {one["variant"]: one["paired"] for one in found["comparisons"]}
    assert set(against) == {"small", "mine"} if text is BOTH else {"small"}


def test_an_experiment_whose_baseline_is_a_model_is_gone_on_with_and_resolved_again(tools):
    tools.experiment(f"{BOTH}baseline: large\n", "run", "--run-id", "r")
    before = tools.lab.read("r/resolved_experiment.json")
    assert tools.lab("run", "continue", "outputs/r").status == 0
    assert tools.lab.read("r/resolved_experiment.json") == before
    (tools.home / "resolved.json").write_text(json.dumps(before))
    planned = tools.lab("experiment", "plan", tools.home / "resolved.json", "--json")
    assert planned.json["resolved_experiment"]["baseline"]["variant_id"] == "large"


@pytest.mark.parametrize(("text", "names"), [(BOTH, "small, large"), (MODELS, "small, large")])
def test_a_baseline_that_is_no_variant_is_refused_with_the_names_that_there_are(tools, text, names):
    said = tools.experiment(f"{text}baseline: lorge\n", "plan", "--json")
    assert (said.status, said.json["error"]["code"]) == (2, "unknown_variant")
    assert said.json["error"]["hint"] == "did you mean 'large'?"
    said = tools.experiment(f"{text}baseline: zzz\n", "plan", "--json")
    assert names in said.json["error"]["hint"]


def test_a_preflight_of_models_says_what_it_read(tools):
    said = tools.experiment(MODELS, "preflight", "--json")
    told = {one["name"]: one["message"] for one in said.json["checks"]}
    assert "small.json" in told["dataset_task_ids"]
    assert told["variant_runtime_profiles"] == "no solution: the variants are models"


def test_a_slot_that_nobody_planned_is_neither_pending_nor_excluded(tools):
    tools.spec("small", tasks=("one", "two"))
    tools.experiment(BOTH, "run", "--run-id", "r")
    found = tools.lab("run", "compare", "outputs/r", "--baseline", "small", "--json").json
    assert {name: (one["total"], one["valid"]) for name, one in found["variants"].items()} == {
        "mine": (1, 1),
        "small": (2, 2),
        "large": (2, 2),
    }
    against = {one["variant"]: one["paired"] for one in found["comparisons"]}
    assert (against["large"]["pairs"], against["large"]["excluded_pairs"]) == (2, 0)
    assert (against["mine"]["pairs"], against["mine"]["excluded"]) == (
        0,
        {"baseline:not_in_schedule": 1, "variant:not_in_schedule": 2},
    )


def test_two_models_of_one_run_are_compared_by_their_answers(tools):
    tools.spec("small", tasks=("one", "two"))
    tools.experiment(BOTH, "run", "--run-id", "r")
    said = tools.lab("job", "compare", "outputs/r", "outputs/r", "--json")
    assert (said.status, said.json["error"]["code"]) == (2, "ambiguous_variant")
    assert "--baseline-model" in said.json["error"]["hint"]
    assert "small, large" in said.json["error"]["hint"]
    words = ("--baseline-model", "small", "--model", "large", "--json")
    found = tools.lab("job", "compare", "outputs/r", "outputs/r", *words).json
    assert (found["baseline"], found["variant"]) == ("small (r)", "large (r)")
    assert [task["task"] for task in found["tasks"]] == ["one|0", "two|0"]
    said = tools.lab("job", "compare", "outputs/r", "outputs/r", "--model", "lorge", "--json")
    assert said.json["error"]["hint"]


@pytest.mark.parametrize("command", ["job", "experiment"])
def test_the_workers_image_is_built_first_whoever_asks_for_a_model(jobs, command, monkeypatch, tmp_path):
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    text = (jobs.home / "agentics.toml").read_text()
    (jobs.home / "agentics.toml").write_text(text[: text.index("[lighteval]")])
    jobs.lab.engine.store = MemoryStore(failure=EngineError("no archive", code="image_build_failed"))
    jobs.spec("small")
    file = jobs.home / "e.yaml"
    file.write_text("name: e\njobspecs: [small.json]\n")
    words = ("job", "run", jobs.home / "small.json") if command == "job" else ("experiment", "run", file)
    said = jobs.lab(*words, "--run-id", "r")
    assert f"building image {definitions()['lighteval'].reference} once" in said.err
    assert len(jobs.lab.engine.store.jobs) == 1
    assert jobs.result(variant="small")["reason"] == "image_build_failed"


def test_what_lacks_answers_is_seen_wherever_models_are_laid_side_by_side(tools, monkeypatch):
    drawn = []
    monkeypatch.setattr(compare, "draw", lambda *words: drawn.append(words))
    tools.experiment(f"{MODELS}baseline: large\n", "run", "--run-id", "r")
    said = tools.lab("run", "compare", "outputs/r", "--plot", "x.svg")
    assert "over 6/8 against 8/8" in said.out
    assert "small rests on 6 of 8 samples: one|0 lacks 1, two|0 lacks 1" in said.out
    assert "large rests on" not in said.out
    found = tools.lab("run", "compare", "outputs/r", "--json").json
    coverage = {name: one["coverage"] for name, one in found["variants"].items()}
    assert coverage["small"] == {"n": 6, "of": 8, "lacking": {"one|0": 1, "two|0": 1}}
    assert coverage["large"] == {"n": 8, "of": 8, "lacking": {}}
    place = tools.lab.home / "outputs/r/analysis/tables"

    def table(name):
        return [json.loads(line) for line in (place / f"{name}.jsonl").read_text().splitlines()]

    sums = {
        row["variant_id"]: (row["samples"], row["samples_of"], row["partial_tasks"]) for row in table("variant_summary")
    }
    assert sums == {"large": (8, 8, 0), "small": (6, 8, 2)}
    small = [row for row in table("trials") if row["variant_id"] == "small"]
    assert [(row["primary_metric_n"], row["primary_metric_of"]) for row in small] == [(3, 4), (3, 4)]
    small = [row for row in table("metrics_long") if row["variant_id"] == "small"]
    assert [(row["metric_name"], row["metric_n"], row["metric_of"]) for row in small] == [("em", 3, 4), ("em", 3, 4)]
    ((path, title, observations, comparisons),) = drawn
    picture = tools.home / Path(path).name
    draw(picture, title, observations, comparisons)
    assert "6 of 8 samples" in picture.read_text()
    assert "8 of 8 samples" not in picture.read_text()


def test_the_metrics_of_solutions_have_no_samples(tools):
    tools.experiment(BOTH, "run", "--run-id", "r")
    rows = (tools.lab.home / "outputs/r/analysis/tables/metrics_long.jsonl").read_text().splitlines()
    mine = [row for row in map(json.loads, rows) if row["variant_id"] == "mine"]
    assert mine
    assert {row["metric_n"] for row in mine} == {None}
