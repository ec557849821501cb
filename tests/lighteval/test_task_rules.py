"""What is asked: tasks that exist, once each, that can be answered, with data within reach."""

from __future__ import annotations

import pytest

from agentics.config import Config, Lighteval
from tests.lighteval.conftest import CAPITALS, CUSTOM, DUMMY, ECHO, ENDPOINT, LOCAL, SHOUT, spec, task, write_plugin


def job(*tasks, backend=ENDPOINT, plugins=(), **more):
    entries = [{"id": one} if isinstance(one, str) else one for one in tasks]
    return spec(tasks=entries, backend=backend, custom_plugins=list(plugins), **more)


def test_a_name_of_several_tasks_stands_for_all_of_them_in_order(world):
    found = world.check(job("mgsm", {"id": "capitals", "fewshot": 1}, plugins=[CAPITALS]))
    assert [one.ref for one in found.job.tasks] == ["mgsm:de|0", "mgsm:en|0", "capitals:eu|1", "capitals:us|1"]
    assert [one.index for one in found.job.tasks] == [0, 0, 1, 1]
    assert found.job.tasks[0].known.modules == ("lighteval.tasks.tasks.mgsm",)


@pytest.mark.parametrize(("name", "near"), [("gms8k", "gsm8k"), ("mgsm:eng", "mgsm:en"), ("capital:eu", "capitals:eu")])
def test_an_unknown_task_is_refused_and_the_nearest_are_named(world, name, near):
    found = world.check(job(name, plugins=[CAPITALS]))
    assert ("unknown_task", "/tasks/0/id") in found.errors
    assert repr(near) in found.hints


def test_what_a_missing_plugin_might_define_is_not_called_unknown(world):
    found = world.check(job("mystery", plugins=[{"name": "none", "version": "1"}]))
    assert found.errors == [("plugin_not_found", "/custom_plugins/0/name")]


@pytest.mark.parametrize(
    ("name", "hint"),
    [
        ("gsm8k|5", '"id": "gsm8k", "fewshot": 5'),
        ("lighteval|gsm8k|3|0", '"id": "gsm8k", "fewshot": 3'),
        ("gsm8k,piqa", "an entry of its own"),
        ("aime24@k=1", "behind '@'"),
        (" gsm8k", "the name alone"),
        ("gsm 8k", "the name alone"),
        ("|", "the name alone"),
    ],
)
def test_a_task_string_of_lightevals_is_told_how_to_be_written(world, name, hint):
    found = world.check(job(name))
    assert found.errors == [("bad_task_id", "/tasks/0/id")]
    assert hint in found.hints


def test_a_task_is_asked_once_with_the_same_examples(world):
    twice = {"id": "gsm8k", "params": {"generation_size": 5}}
    assert world.check(job("gsm8k", twice)).errors == [("duplicate_task", "/tasks/1")]
    assert world.check(job("mgsm", "mgsm:de")).errors == [("duplicate_task", "/tasks/1")]
    split = {"few_shots_split": "train"}
    assert world.check(job("gsm8k", {"id": "gsm8k", "fewshot": 1, "params": split})).said == []


PARAMS = {
    "generation_size": (5, [0, "5", 1.5, True, None]),
    "stop_sequence": (["\n", "END"], ["\n", [""], [1]]),
    "few_shots_split": ("train", ["", 1, ["train"]]),
    "few_shots_select": ("random", ["best", 1, None]),
    "evaluation_splits": (["test"], ["test", [], [""]]),
    "hf_repo": ("rows", [1, " "]),
    "hf_subset": ("main", [1]),
    "hf_revision": ("abc", [1]),
    "version": (2, [-1, "2", True]),
    "metrics": (["extractive_match"], [[], "extractive_match", [1]]),
}


@pytest.mark.parametrize("name", PARAMS)
def test_a_param_of_the_right_type_is_taken_and_others_are_refused(world, name):
    right, wrong = PARAMS[name]
    # The operator's data are a folder, which has no revision; a server's worker has the hub.
    config = Config() if name == "hf_revision" else None
    found = world.check(job({"id": "gsm8k", "fewshot": 1, "params": {name: right}}), config=config)
    assert found.errors == []
    assert found.job.tasks[0].params == {name: right}
    for value in wrong:
        found = world.check(job({"id": "gsm8k", "params": {name: value}}))
        assert [pointer for _, pointer in found.errors] == [f"/tasks/0/params/{name}"], value
        assert found.errors[0][0] in {"wrong_type", "unknown_value"}


@pytest.mark.parametrize(
    ("entry", "name"),
    [
        ({"params": {"hf_revision": "abc"}}, "hf_revision"),
        ({"params": {"hf_revision": "abc", "hf_repo": "rows"}}, "hf_revision"),
        ({"params": {"few_shots_split": "train"}}, "few_shots_split"),
        ({"params": {"few_shots_select": "random"}}, "few_shots_select"),
    ],
)
def test_a_param_that_would_change_nothing_is_refused(world, entry, name):
    found = world.check(spec(tasks=[{"id": "gsm8k", **entry}]))
    assert found.errors == [("field_unsupported", f"/tasks/0/params/{name}")]


def test_an_unknown_param_is_refused_and_the_nearest_named(world):
    found = world.check(job({"id": "gsm8k", "params": {"generation_sise": 5, "k": 3}}))
    assert found.errors == [
        ("unknown_task_param", "/tasks/0/params/generation_sise"),
        ("unknown_task_param", "/tasks/0/params/k"),
    ]
    assert "'generation_size'" in found.hints


def test_metrics_are_the_tasks_own_or_a_plugins(world):
    found = world.check(job({"id": "gsm8k", "params": {"metrics": ["loudness"]}}, plugins=[SHOUT]))
    assert (found.said, found.job.tasks[0].metrics) == ([], ("loudness",))
    found = world.check(job({"id": "gsm8k", "params": {"metrics": ["extractive_match", "loudnes"]}}, plugins=[SHOUT]))
    assert ("unknown_metric", "/tasks/0/params/metrics/1") in found.errors
    assert "'loudness'" in found.hints


@pytest.mark.parametrize("name", ["arc:easy", "arc", "truthfulqa:mc"])
def test_no_endpoint_tells_log_probabilities(world, name):
    found = world.check(job(name))
    assert found.errors == [("metric_needs_logprobs", "/tasks/0/id")]


def test_a_local_backend_compares_choices(world):
    assert world.check(job("arc", backend=LOCAL)).said == []


def test_a_task_of_both_kinds_is_answerable_by_an_endpoint_for_its_generative_metrics(world):
    write_plugin(world.root / "plugins/both", tasks=[task("both", sampling=["generative", "logprobs"])])
    both = {"name": "both", "version": "1.0", "path": "plugins/both"}
    assert world.check(job("both", plugins=[both])).errors == [("metric_needs_logprobs", "/tasks/0/id")]


@pytest.mark.parametrize("backend", [LOCAL, ENDPOINT, DUMMY])
def test_perplexity_is_refused_everywhere(world, backend):
    found = world.check(job("the_pile:arxiv", backend=backend))
    assert ("perplexity_unsupported", "/tasks/0/id") in found.errors


def test_data_on_the_hub_are_out_of_reach_of_a_worker_without_a_network(world):
    found = world.check(job("hellaswag", backend=LOCAL))
    assert found.errors == [("dataset_needs_network", "/tasks/0/id")]
    assert f"{world.root}/shared/Rowan/hellaswag" in found.hints
    assert world.check(job("hellaswag", backend=DUMMY)).errors == found.errors
    assert world.check(job("hellaswag")).said == []


def test_data_are_taken_from_the_operators_folder_or_from_beside_the_file(world):
    found = world.check(job("gsm8k", backend=LOCAL))
    assert found.job.tasks[0].data == world.root / "shared/openai/gsm8k"
    found = world.check(job({"id": "hellaswag", "params": {"hf_repo": "rows"}}, backend=LOCAL))
    assert found.job.tasks[0].data == world.root / "rows"
    found = world.check(job({"id": "gsm8k", "params": {"hf_repo": "acme/other"}}, backend=LOCAL))
    assert found.errors == [("dataset_needs_network", "/tasks/0/id")]
    assert world.check(job("gsm8k", backend=LOCAL), config=Config()).errors == found.errors


@pytest.mark.parametrize("repo", ["../rows", "a/../../rows"])
def test_no_name_of_a_dataset_leads_out_of_the_operators_folder(world, repo):
    config = Config(lighteval=Lighteval(data=world.root / "shared"))
    (world.root / "elsewhere").mkdir()
    found = world.check(
        job({"id": "gsm8k", "params": {"hf_repo": repo.replace("rows", "elsewhere/x")}}, backend=LOCAL), config=config
    )
    assert found.errors == [("dataset_needs_network", "/tasks/0/id")]


def test_a_plugins_data_are_its_own_unless_it_says_otherwise(world):
    assert world.check(job("capitals", backend=LOCAL, plugins=[CAPITALS])).said == []
    write_plugin(world.root / "plugins/far", tasks=[task("far", needs_network=True)])
    far = {"name": "far", "version": "1.0", "path": "plugins/far"}
    found = world.check(job("far", backend=LOCAL, plugins=[far]))
    assert found.errors == [("dataset_needs_network", "/tasks/0/id")]
    assert world.check(job("far", plugins=[far])).said == []


def test_a_task_cannot_draw_more_examples_than_there_are(world):
    found = world.check(job({"id": "capitals", "fewshot": 5}, plugins=[CAPITALS]))
    assert found.errors == [("fewshot_pool", "/tasks/0/fewshot")]
    assert found.hints == "at most 4"
    assert world.check(job({"id": "capitals", "fewshot": 4}, plugins=[CAPITALS])).said == []


@pytest.mark.parametrize(
    ("name", "params"),
    [
        ("gsm8k", {}),
        ("gsm8k", {"evaluation_splits": ["test", "validation"]}),
        ("gsm8k", {"few_shots_split": "test", "evaluation_splits": ["train"]}),
        ("mmlu:anatomy", {}),
        ("odd", {}),
        ("odd", {"evaluation_splits": ["train"]}),
    ],
)
def test_examples_come_from_a_split_that_lighteval_chooses_among_those_that_nobody_is_asked(world, name, params):
    plugins = [CAPITALS] if name == "odd" else []
    asked = {"id": name, "fewshot": 3, "params": params}
    found = world.check(job(asked, plugins=plugins, generation={"temperature": 0.5}))
    assert found.said == []


@pytest.mark.parametrize(
    ("name", "params"),
    [
        ("gsm8k", {"few_shots_split": "test"}),
        ("gsm8k", {"evaluation_splits": ["train"]}),
        ("simpleqa", {"evaluation_splits": ["few_shot"]}),
        ("mgsm:de", {"evaluation_splits": ["train", "test"]}),
        ("narrow", {}),
    ],
)
def test_examples_from_what_is_asked_are_warned_of(world, name, params):
    write_plugin(world.root / "plugins/narrow", tasks=[task("narrow", few_shots_split=None, hf_avail_splits=["test"])])
    plugins = [{"name": "narrow", "version": "1.0", "path": "plugins/narrow"}] if name == "narrow" else []
    found = world.check(job({"id": name, "fewshot": 2, "params": params}, plugins=plugins))
    assert (found.said, found.errors) == ([("needs_fewshot_split", "/tasks/0/fewshot")], [])
    assert found.job is not None


def test_seeds_without_examples_are_refused(world):
    assert world.check(job("gsm8k", num_fewshot_seeds=2)).errors == [("field_unsupported", "/num_fewshot_seeds")]
    assert world.check(job({"id": "simpleqa", "fewshot": 1}, num_fewshot_seeds=2)).said == []


@pytest.mark.parametrize("generation", [{}, {"temperature": 0}, {"temperature": 0.0, "seed": 3}])
@pytest.mark.parametrize("name", ["aime24_gpassk", "odd"])
def test_several_answers_to_a_question_need_chance(world, generation, name):
    plugins = [CAPITALS] if name == "odd" else []
    found = world.check(job(name, plugins=plugins, generation=generation))
    assert found.errors == [("sampling_needs_temperature", "/tasks/0/id")]
    assert world.check(job(name, plugins=plugins, generation={"temperature": 0.1})).said == []


def test_a_plugin_that_nothing_uses_is_warned_of(world):
    found = world.check(job("gsm8k", plugins=[CAPITALS, ECHO, SHOUT]))
    assert found.said == [("plugin_unused", f"/custom_plugins/{index}") for index in range(3)]
    assert found.errors == []
    used = job("capitals", backend=CUSTOM, plugins=[CAPITALS, ECHO])
    assert world.check(used).said == []
