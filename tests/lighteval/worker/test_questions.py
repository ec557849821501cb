"""What a question rests on: data, prompts, examples and settings; and what of it must not matter."""

from __future__ import annotations

import json
import shutil

import pytest

from tests.lighteval.worker.conftest import DUMMY, LOOKUP, PLUGINS, QUICK, asked, evaluate, keys, plugin

pytestmark = pytest.mark.slow


@pytest.fixture
def copied(tmp_path):
    """The quick tasks in a folder of the test's own, and how to order them."""
    shutil.copytree(PLUGINS / "quick-tasks", tmp_path / "copied")
    return tmp_path / "copied", [plugin(tmp_path / "copied", "task", "tasks.py"), QUICK[1]]


def reported(told):
    report = told.one("report").model_dump()
    return {name: report[name] for name in ("seeds", "asked", "answered", "empty", "failed", "warnings")}


@pytest.mark.parametrize("task", ["quick_sums", "quick_geo"])
def test_b1_where_plugins_and_checkpoints_lie_and_how_many_are_asked_at_once_is_in_no_key(
    worker, checkpoint, tiny, tmp_path, copied, task
):
    shutil.copytree(tiny, tmp_path / "elsewhere")
    there = {**checkpoint, "model_path": str(tmp_path / "elsewhere"), "options": {"dtype": "float32", "batch_size": 1}}
    before = worker.ask(evaluate(checkpoint, task, max_samples=3))
    after = worker.ask(
        {**evaluate(there, task, max_samples=3, chunk=2), "plugins": copied[1]}, known=before.of("answer")
    )
    assert keys(after) == keys(before)
    assert asked(after) == []
    assert reported(after) == reported(before)


def test_b1_other_examples_are_another_question(worker, copied):
    root, plugins = copied
    before = worker.ask({**evaluate(LOOKUP, fewshot=1), "plugins": plugins})
    more = worker.ask({**evaluate(LOOKUP, fewshot=2), "plugins": plugins})
    train = root / "data" / "capitals" / "train.jsonl"
    train.write_text(train.read_text().replace("Santiago", "Valparaiso"))
    other = worker.ask({**evaluate(LOOKUP, fewshot=1), "plugins": plugins})
    assert len(set(keys(before)) | set(keys(more)) | set(keys(other))) == 48
    assert other.one("task").data_sha256 != before.one("task").data_sha256


def test_b1_examples_from_a_split_that_lighteval_chose_are_in_the_data_too(worker, copied):
    root, plugins = copied
    order = {**evaluate(LOOKUP, fewshot=1, params={"few_shots_split": None}, max_samples=2), "plugins": plugins}
    before = worker.ask(order)
    train = root / "data" / "capitals" / "train.jsonl"
    train.write_text(train.read_text().replace("Santiago", "Valparaiso"))
    after = worker.ask(order)
    assert before.of("sample")[0].doc["fewshot"] != after.of("sample")[0].doc["fewshot"]
    assert before.one("task").data_sha256 != after.one("task").data_sha256


def test_b1_the_data_of_examples_that_nobody_sees_is_no_matter(worker, copied):
    root, plugins = copied
    before = worker.ask({**evaluate(LOOKUP, max_samples=2), "plugins": plugins})
    train = root / "data" / "capitals" / "train.jsonl"
    train.write_text(train.read_text().replace("Santiago", "Valparaiso"))
    after = worker.ask({**evaluate(LOOKUP, max_samples=2), "plugins": plugins})
    assert before.one("task").data_sha256 == after.one("task").data_sha256
    assert keys(before) == keys(after)


@pytest.mark.parametrize("task", ["quick_capitals", "quick_geo"])
def test_b4_half_of_the_answers_and_a_new_worker_come_to_the_same_report(worker, task):
    whole = worker.ask(evaluate(DUMMY, task, 1, fewshot_seeds=2))
    half = whole.of("answer")[3:20]
    again = worker.ask(evaluate(DUMMY, task, 1, fewshot_seeds=2), known=half)
    assert reported(again) == reported(whole)
    assert {answer.key for answer in asked(again)} == set(keys(whole)) - {answer.key for answer in half}
    assert again.one("report").known == 17


def test_b4_with_all_answers_known_no_model_is_needed_for_the_same_report(worker, checkpoint):
    whole = worker.ask(evaluate(checkpoint, "quick_geo", 1))
    again = worker.ask(evaluate(checkpoint, "quick_geo", 1), known=whole.of("answer"))
    assert reported(again) == reported(whole)
    assert again.one("report").known == again.one("report").asked == 16
    assert [s.metrics for s in again.of("sample")] == [s.metrics for s in whole.of("sample")]


def test_c1_an_answer_ends_where_the_job_says_stop(worker, checkpoint):
    free = worker.ask(evaluate(checkpoint, "quick_capitals", max_samples=4))
    texts = [answer.response["text"][0] for answer in free.of("answer")]
    word = next(letter for letter in max(texts, key=len)[1:] if letter.strip())
    held = worker.ask(evaluate(checkpoint, "quick_capitals", max_samples=4, generation={"stop": [word]}))
    assert any(word in text for text in texts)
    assert [answer.response["text"][0] for answer in held.of("answer")] == [text.partition(word)[0] for text in texts]
    assert held.one("task").generation["stop"] == ["\n", word]


def test_a_model_that_could_not_be_loaded_does_not_take_the_one_before_with_it(worker):
    session = worker.session()
    nowhere = {"type": "accelerate", "model_name": "m", "model_path": "/nowhere"}
    told = [
        worker.ask(evaluate(backend, "quick_sums", max_samples=1), session=session)
        for backend in (DUMMY, nowhere, DUMMY)
    ]
    assert told[1].one("failed").code == "model_failed"
    assert told[2].one("report").asked == 1


def test_plugins_may_each_have_a_module_of_the_same_name(worker, tmp_path):
    plugins = [QUICK[1]]
    for name in ("one", "two"):
        root = tmp_path / name
        shutil.copytree(PLUGINS / "quick-tasks", root)
        (root / "shared.py").write_text(f"NAME = {name!r}\n")
        code = (root / "tasks.py").read_text()
        made = f'task("{name}:" + shared.NAME, "sums", question, [Metrics.exact_match], 8)'
        code += f"import shared\nTASKS_TABLE = [{made}]\n"
        (root / "tasks.py").write_text(code)
        plugins.append(plugin(root, "task", "tasks.py", name=name))
    for name in ("one:one", "two:two"):
        assert worker.ask({**evaluate(LOOKUP, name, max_samples=1), "plugins": plugins}).one("report").answered == 1


ADDRESSES = """
from functools import partial
from lighteval.metrics.metrics_sample import ExactMatches
from lighteval.metrics.utils.metric_utils import SampleLevelMetric
from lighteval.tasks.requests import SamplingMethod
import numpy as np
class Loud:
    def __call__(self, text):
        return text.upper()
def inner():
    def normalise(text):
        return text.strip()
    return normalise
def named(name):
    return SampleLevelMetric(metric_name=name, sample_level_fn=ExactMatches(), category=SamplingMethod.GENERATIVE,
                             corpus_level_fn=np.mean, higher_is_better=True)
made = task("shown", "sums", partial(question), [
    Metrics.exact_match(sample_params={"normalize_gold": str.strip, "normalize_pred": inner()}),
    named(f"by:{Loud()}"), named(f"with:{inner()}"), named(f"of:{Loud().__call__}"), named(f"and:{partial(inner())}")],
    8)
made.hf_filter = partial(bool)
TASKS_TABLE = [made]
"""


def test_no_name_and_no_setting_shows_where_something_was_in_memory(worker, copied):
    root, plugins = copied
    (root / "tasks.py").write_text((root / "tasks.py").read_text() + ADDRESSES)
    told = worker.ask({**evaluate(LOOKUP, "shown", max_samples=2), "plugins": plugins})
    assert told.of("failed") == []
    assert told.one("report").answered == 2
    said = json.dumps([event.model_dump(mode="json") for event in told.events])
    assert "0x" not in said
    assert set(told.scores) == set(told.one("task").metrics) == set(told.of("sample")[0].metrics)
    assert {name.partition(":")[0] for name in told.scores} >= {"by", "with", "of", "and"}


def test_a_dummy_says_the_same_whatever_was_asked_before(worker):
    first, second = (worker.ask(evaluate({**DUMMY}, "quick_geo", max_samples=n)) for n in (3, 9))
    said = {answer.key: answer.response["logprobs"] for answer in second.of("answer")}
    assert {answer.key: answer.response["logprobs"] for answer in first.of("answer")}.items() <= said.items()
    other = worker.ask(evaluate(DUMMY, "quick_geo", max_samples=3, generation={"seed": 7}))
    assert [a.response["logprobs"] for a in other.of("answer")] != [a.response["logprobs"] for a in first.of("answer")]
