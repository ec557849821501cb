"""How answers are scored: one mode for a job, with what it needs; and for which suite."""

from __future__ import annotations

import json

import pytest

from agentics.config import Config, Lighteval
from tests.lighteval.conftest import CAPITALS, JUDGE, LOCAL, spec

OTHER = {"judge_model_name": "other", "judge_template_id": "helpfulness"}


def judged(mode, *judges, tasks=("gsm8k",), **config):
    entries = [{"id": name} for name in tasks]
    return spec(tasks=entries, scoring_mode=mode, scoring_config={"judges": list(judges), **config})


def test_one_judge_and_a_jury_are_in_order(world):
    found = world.check(judged("judge", JUDGE))
    assert (found.said, found.job.network) == ([], True)
    found = world.check(judged("jury", JUDGE, OTHER))
    assert [judge.name for judge in found.job.judges] == ["gpt-judge", "other"]


def test_judges_of_one_name_get_numbers_and_no_two_the_same(world):
    names = ["a", "a#2", "a", "a"]
    judges = [{"judge_model_name": name, "judge_template_id": "correctness"} for name in names]
    found = world.check(judged("jury", *judges))
    assert [judge.name for judge in found.job.judges] == ["a", "a#2", "a#3", "a#4"]


def test_a_judge_reaches_its_server_also_for_a_local_model(world):
    found = world.check({**judged("judge", JUDGE, tasks=["gsm8k"]), "backend": LOCAL})
    assert (found.said, found.job.network) == ([], True)


@pytest.mark.parametrize(
    ("said", "pointer"),
    [
        (spec(scoring_config={"judges": [JUDGE]}), "/scoring_config"),
        (spec(scoring_mode="deterministic", scoring_config={"judges": [JUDGE]}), "/scoring_config"),
        (spec(scoring_mode="judge"), "/scoring_mode"),
        (spec(scoring_mode="jury"), "/scoring_mode"),
        (judged("judge", JUDGE, OTHER), "/scoring_config/judges"),
        (judged("jury", JUDGE), "/scoring_config/judges"),
        (judged("jury", JUDGE, OTHER, aggregation="majority"), "/scoring_config/aggregation"),
        (judged("judge", JUDGE, tasks=["arc:easy"]), "/tasks/0/id"),
        (spec(tasks=[{"id": "mt_bench"}]), "/tasks/0/id"),
    ],
)
def test_what_cannot_go_together_is_a_conflict(world, said, pointer):
    assert ("scoring_conflict", pointer) in world.check(said).errors


def test_a_majority_needs_an_odd_number_or_unequal_weights(world):
    third = {**OTHER, "judge_model_name": "third"}
    assert world.check(judged("jury", JUDGE, OTHER, third, aggregation="majority")).said == []
    assert world.check(judged("jury", JUDGE, {**OTHER, "weight": 2}, aggregation="majority")).said == []


def test_a_task_of_judge_metrics_is_scored_by_the_jobs_judge_or_by_other_metrics(world):
    assert world.check(judged("judge", JUDGE, tasks=["mt_bench"])).said == []


def test_every_judge_has_a_template_that_is_here(world):
    bare = {"judge_model_name": "gpt-judge"}
    found = world.check(judged("judge", bare))
    assert found.errors == [("template_missing", "/scoring_config/judges/0")]
    assert "correctness, helpfulness" in found.hints
    assert world.check(judged("judge", bare, judge_template_id="helpfulness")).said == []
    found = world.check(judged("jury", JUDGE, {**bare, "judge_template_id": "corectness"}))
    assert found.errors == [("unknown_template", "/scoring_config/judges/1/judge_template_id")]
    assert found.hints == "did you mean 'correctness'?"
    assert world.check(judged("judge", JUDGE, judge_template_id="x"), templates=None).said == []


def test_a_quorum_is_of_the_judges_that_there_are(world):
    assert world.check(judged("jury", JUDGE, OTHER, min_judges=1)).said == []
    assert world.check(judged("jury", JUDGE, OTHER, min_judges=2)).said == []
    found = world.check(judged("jury", JUDGE, OTHER, min_judges=3))
    assert found.errors == [("scoring_conflict", "/scoring_config/min_judges")]


@pytest.mark.parametrize(("key", "value"), [("aggregation", "mean"), ("report_disagreement", False), ("min_judges", 1)])
def test_what_only_a_jury_has_is_warned_of_for_one_judge(world, key, value):
    found = world.check(judged("judge", JUDGE, **{key: value}))
    assert (found.said, found.errors) == ([("field_unsupported", f"/scoring_config/{key}")], [])


@pytest.fixture
def pack(world):
    """A suite of the operator's, in two versions, and a check with it."""
    folder = world.root / "suites"
    folder.mkdir()
    tasks = [{"id": "gsm8k", "params": {"generation_size": 9}}, {"id": "mgsm:en", "primary_metric": "em"}]
    said = {"schema_version": 1, "name": "mine", "tasks": tasks, "primary_metric": "extractive_match"}
    (folder / "old.json").write_text(json.dumps({**said, "version": "1.9", "tasks": tasks[:1]}))
    (folder / "new.json").write_text(json.dumps({**said, "version": "1.10"}))
    config = Config(lighteval=Lighteval(suites=(str(folder),), data=world.root / "shared"))
    return lambda said: world.check(said, config=config)


RIGHT = [{"id": "gsm8k", "params": {"generation_size": 9}}, {"id": "mgsm:en"}]


def test_a_suite_without_a_version_is_the_newest_and_is_recorded(pack):
    found = pack(spec(benchmark_pack_id="mine", tasks=RIGHT))
    assert (found.said, found.job.suite.id) == ([], "mine@1.10")
    found = pack(spec(benchmark_pack_id="mine@1.9", tasks=RIGHT[:1]))
    assert found.job.suite.id == "mine@1.9"


@pytest.mark.parametrize(
    ("name", "hint"),
    [("mine@2", "mine@1.9, mine@1.10"), ("mnie", "'mine'"), ("none", "agentics suite list"), ("@1", "suite list")],
)
def test_a_suite_that_is_not_here_is_refused(pack, name, hint):
    found = pack(spec(benchmark_pack_id=name))
    assert found.errors == [("pack_not_found", "/benchmark_pack_id")]
    assert hint in found.hints


def test_a_suite_file_that_is_not_in_order_is_named_where_a_suite_is_missed(pack, world):
    (world.root / "suites/broken.json").write_text("{")
    found = pack(spec(benchmark_pack_id="other"))
    assert "broken.json" in found.hints


@pytest.mark.parametrize(
    ("entry", "hint"),
    [
        ({"id": "hellaswag"}, "take it out"),
        ({"id": "mgsm"}, "take it out"),
        ({"id": "mgsm:en", "fewshot": 1}, "set fewshot to 0"),
        ({"id": "gsm8k"}, "generation_size"),
    ],
)
def test_a_task_that_is_not_the_suites_is_refused(pack, entry, hint):
    found = pack(spec(benchmark_pack_id="mine", tasks=[entry]))
    assert ("task_not_in_pack", "/tasks/0/id") in found.errors
    assert hint in found.hints


def test_a_suite_that_is_not_asked_for_whole_is_warned_of(pack):
    found = pack(spec(benchmark_pack_id="mine", tasks=RIGHT[:1]))
    assert (found.said, found.errors) == ([("pack_incomplete", "/tasks")], [])
    assert "no score" in found.hints


def test_without_a_suite_nobody_reads_the_operators_suites(world):
    config = Config(lighteval=Lighteval(suites=("/nowhere",)))
    assert world.check(spec(custom_plugins=[CAPITALS], tasks=[{"id": "capitals"}]), config=config).said == []
