"""`agentics job tasks`: what a JobSpec can ask, found without LightEval."""

from __future__ import annotations

import json

import pytest

from tests.lighteval.conftest import task, write_plugin


@pytest.fixture
def tasks(world, agentics):
    """Calls `job tasks`: `tasks.json` gives the tasks by name, in order."""
    (world.root / "agentics.toml").write_text('[lighteval]\nplugins = ["plugins"]\ndata = "shared"\n')

    class Tasks:
        root = world.root

        def __call__(self, *words):
            status, out, err = agentics("job", "tasks", *words)
            assert status == 0, err
            return out

        def json(self, *words):
            said = json.loads(self(*words, "--json"))
            return {one["name"]: one for one in said["tasks"]}

        def refused(self, *words):
            status, out, _ = agentics("job", "tasks", *words, "--json")
            return status, json.loads(out)["error"]

    return Tasks()


def test_every_task_of_the_catalogue_and_of_the_operators_plugins_is_listed_by_name(tasks):
    found = tasks.json("list")
    assert list(found) == sorted(found)
    assert found["gsm8k"]["source"] == "lighteval"
    assert found["capitals:eu"]["source"] == "capitals@1.0"
    assert "loudness" not in found


def test_a_name_that_stands_for_several_is_one_line_unless_all_are_asked_for(tasks):
    lines = [line.split()[0] for line in tasks("list").splitlines()]
    assert {"mgsm", "capitals", "gsm8k"} <= set(lines)
    assert not {"mgsm:de", "capitals:eu"} & set(lines)
    assert {"mgsm:de", "mgsm:en", "capitals:eu"} <= {line.split()[0] for line in tasks("list", "--all").splitlines()}


def test_a_task_runs_offline_where_its_data_are_here(tasks):
    found = tasks.json("list")
    assert {name for name, one in found.items() if one["offline"]} == set(tasks.json("list", "--offline"))
    assert found["gsm8k"]["offline"]
    assert found["capitals:eu"]["offline"]
    assert (found["hellaswag"]["offline"], "Rowan/hellaswag" in found["hellaswag"]["needs"]) == (False, True)
    write_plugin(tasks.root / "plugins/far", tasks=[task("far", needs_network=True)])
    assert not tasks.json("list")["far"]["offline"]


def test_a_plugin_is_looked_into_where_it_lies(tasks):
    write_plugin(tasks.root / "elsewhere/own", tasks=[task("own_task", documents=12, generation_size=7)])
    assert "own_task" not in tasks.json("list")
    own = tasks.json("list", "--plugin", "elsewhere/own")["own_task"]
    assert (own["documents"], own["generation_size"], own["examples_from"], own["fewshot_pool"]) == (12, 7, "train", 4)
    assert tasks.refused("list", "--plugin", "shared") == (2, tasks.refused("list", "--plugin", "shared")[1])
    assert tasks.refused("list", "--plugin", "shared")[1]["code"] == "plugin_not_found"
    (tasks.root / "elsewhere/own/agentics.plugin.json").write_text("{}")
    assert tasks.refused("list", "--plugin", "elsewhere/own")[1]["code"] == "invalid_document"


def test_a_task_is_shown_with_what_decides_whether_to_take_it(tasks):
    (tasks.root / "shared/openai/gsm8k/test.jsonl").write_text('{"question": "a"}\n\n{"question": "b"}\n')
    found = tasks.json("show", "gsm8k")["gsm8k"]
    assert (found["evaluation_splits"], found["examples_from"], found["metrics"]) == (
        ["test"],
        "train",
        ["extractive_match"],
    )
    assert (found["documents"], found["generation_size"], found["samples"]) == (2, 256, 1)
    assert found["languages"] == ["english"]
    text = tasks("show", "gsm8k")
    for words in ("openai/gsm8k (main)", "arithmetic word problems", "at most 256 tokens", "arxiv.org/abs/2110.14168"):
        assert words in text
    assert "they would come from the documents that are asked" in tasks("show", "mt_bench")
    assert "of these ask a judge: judge_score_turn_1" in tasks("show", "mt_bench")


@pytest.mark.parametrize(
    ("name", "lacks"),
    [("arc:easy", {"endpoint_litellm", "endpoint_inference_providers"}), ("gsm8k", set())],
)
def test_a_task_says_which_backends_can_answer_it(tasks, name, lacks):
    backends = set(tasks.json("show", name)[name]["backends"])
    assert not backends & lacks
    assert {"accelerate", "dummy"} <= backends
    assert tasks.json("show", "the_pile:arxiv")["the_pile:arxiv"]["backends"] == []


def test_a_name_of_several_tasks_is_shown_with_all_of_them(tasks):
    assert list(tasks.json("show", "mgsm")) == ["mgsm:de", "mgsm:en"]
    assert "stands for 2 tasks: mgsm:de, mgsm:en" in tasks("show", "mgsm")


def test_an_unknown_task_is_told_the_nearest(tasks):
    status, error = tasks.refused("show", "gms8k")
    assert (status, error["code"], "'gsm8k'" in error["hint"]) == (2, "unknown_task", True)


def test_a_search_takes_every_word_from_anywhere_in_a_task(tasks):
    assert {"gsm8k", "mgsm:de", "aime24_gpassk"} <= set(tasks.json("search", "MATH"))
    assert set(tasks.json("search", "math", "german")) == {"mgsm:de", "mgsm:en"}
    assert next(iter(tasks.json("search", "mgsm"))) == "mgsm:de"
    assert set(tasks.json("search", "f1")) == {"capitals:eu", "capitals:us", "odd"}
    assert tasks.json("search", "zymurgy") == {}
    assert set(tasks.json("search", "math", "--offline")) == {"gsm8k", "mgsm:de", "mgsm:en"}


def test_a_part_of_a_group_that_a_search_finds_is_not_called_by_the_groups_name(tasks):
    assert "mgsm:de" in tasks("search", "mgsm:de")
    assert "mgsm (" not in tasks("search", "mgsm:de")
    assert "mgsm (2)" in tasks("search", "mgsm")
