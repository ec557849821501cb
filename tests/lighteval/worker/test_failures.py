"""Everything that an order can be refused for has a code, and says where it is."""

from __future__ import annotations

import json
import shutil

import pytest

from tests.lighteval.worker.conftest import DUMMY, LOOKUP, PLUGINS, QUICK, evaluate, plugin

pytestmark = pytest.mark.slow

TASKS = """
from pathlib import Path
from lighteval.metrics.metrics import Metrics
from lighteval.tasks.lighteval_task import LightevalTaskConfig
from lighteval.metrics.metrics_sample import SampleLevelComputation
from lighteval.metrics.utils.metric_utils import SampleLevelMetric
from lighteval.tasks.requests import Doc, SamplingMethod
HERE = Path(__file__).parent
def prompt(line, task_name=None):
    return Doc(task_name=task_name, query=line["question"], choices=[line["answer"]], gold_index=line.get("gold", 0))
def raises(line, task_name=None):
    return line["nothing"]
def nothing(line, task_name=None):
    return None
def task(name, prompt=prompt, data="data", metrics=(Metrics.exact_match,), **more):
    given = dict(hf_subset="default", hf_avail_splits=["train", "test"], evaluation_splits=["test"],
                 few_shots_split="train", few_shots_select="sequential", generation_size=4, stop_sequence=["!"])
    return LightevalTaskConfig(name=name, prompt_function=prompt, hf_repo=str(HERE / data), metrics=list(metrics),
                               **{**given, **more})
class Breaks(SampleLevelComputation):
    def compute(self, doc, model_response, **more):
        raise ZeroDivisionError("a metric of the test's")
BREAKS = SampleLevelMetric(metric_name="breaks", sample_level_fn=Breaks(), category=SamplingMethod.GENERATIVE,
                           corpus_level_fn=min, higher_is_better=True)
TASKS_TABLE = [
    task("good"), task("raises", raises), task("empty", nothing), task("nowhere", data="none"),
    task("gold", data="gold"), task("unlabelled", data="unlabelled"), task("weighs", metrics=[BREAKS]),
    task("subset", hf_subset="other"), task("split", evaluation_splits=["nosplit"]),
    task("both", evaluation_splits=["train", "test"]), task("perplexity", metrics=[Metrics.word_perplexity]),
    task("blank", data="blank", few_shots_select="balanced"),
    task("several", metrics=[Metrics.maj_at_n(sample_params={"n": 3})]),
]
"""


@pytest.fixture(scope="module")
def broken(tmp_path_factory):
    root = tmp_path_factory.mktemp("plugins") / "broken"
    for name, gold in (("data", 0), ("gold", 3), ("unlabelled", -1)):
        (root / name).mkdir(parents=True)
        for split in ("train", "test"):
            rows = [{"question": f"{split} {n}?", "answer": f"{n}", "gold": gold} for n in range(3)]
            (root / name / f"{split}.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    shutil.copytree(root / "data", root / "blank")
    blank = (root / "data" / "train.jsonl").read_text().replace('"answer": "1"', '"answer": ""')
    (root / "blank" / "train.jsonl").write_text(blank)
    (root / "tasks.py").write_text(TASKS)
    return plugin(root, "task", "tasks.py")


@pytest.mark.parametrize(
    ("task", "stage", "code"),
    [
        ("raises", "task", "prompt_failed"),
        ("empty", "dataset", "no_documents"),
        ("nowhere", "dataset", "dataset_missing"),
        ("subset", "dataset", "dataset_subset"),
        ("split", "dataset", "dataset_split"),
        ("gold", "dataset", "gold_out_of_range"),
        ("unlabelled", "dataset", "gold_out_of_range"),
        ("perplexity", "task", "perplexity_unsupported"),
        ("unheard", "task", "unknown_task"),
    ],
)
def test_a_task_that_cannot_be_asked_fails_before_the_model_is_loaded(worker, broken, task, stage, code):
    absent = {**LOOKUP, "model_class": "NotThere"}
    told = worker.ask({**evaluate(absent, task), "plugins": [broken, QUICK[1]]})
    failed = told.one("failed")
    assert (failed.stage, failed.code) == (stage, code)
    assert told.of("answer") == []


@pytest.mark.parametrize(
    ("changes", "code"),
    [
        ({"task": {"id": "good", "fewshot": 9, "params": {}}}, "fewshot_pool"),
        ({"task": {"id": "good", "fewshot": 0, "params": {"stop_sequence": "x"}}}, "unknown_task_param"),
        ({"task": {"id": "good", "fewshot": 0, "params": {"num_fewshots": 1}}}, "unknown_task_param"),
        ({"task": {"id": "good", "fewshot": 0, "params": {"metrics": ["nonsense"]}}}, "unknown_metric"),
        ({"task": {"id": "good", "fewshot": 1, "params": {"few_shots_select": "zzz"}}}, "bad_choice"),
        ({"backend": {**LOOKUP, "model_class": "NotThere"}}, "not_a_lighteval_model"),
        ({"backend": {**LOOKUP, "model_class": "answer"}}, "not_a_lighteval_model"),
        ({"backend": {**LOOKUP, "options": {"colour": "red"}}}, "unknown_option"),
        ({"backend": {"type": "vllm", "model_name": "m", "model_path": "/nowhere"}}, "backend_unavailable"),
        ({"backend": {"type": "accelerate", "model_name": "m", "model_path": "/nowhere"}}, "model_failed"),
    ],
)
def test_what_a_job_says_wrongly_has_a_code(worker, broken, changes, code):
    order = {**evaluate(LOOKUP, "good"), "plugins": [broken, QUICK[1]], **changes}
    assert worker.ask(order).one("failed").code == code


ANOTHER_WAY = "choose examples in another way: params.few_shots_select"


@pytest.mark.parametrize("seeds", [1, 2])
@pytest.mark.parametrize(
    ("wanted", "hint"),
    [
        ({"id": "good", "fewshot": 3, "params": {"few_shots_select": "random_sampling_from_train"}}, None),
        ({"id": "good", "fewshot": 2, "params": {"few_shots_select": "random_sampling"}}, None),
        ({"id": "good", "fewshot": 3, "params": {"few_shots_select": "random_sampling"}}, "at most 2"),
        ({"id": "blank", "fewshot": 3, "params": {}}, ANOTHER_WAY),
        ({"id": "blank", "fewshot": 3, "params": {"few_shots_select": "sequential"}}, None),
    ],
)
def test_every_prompt_has_as_many_examples_as_asked_or_the_task_fails(worker, broken, wanted, hint, seeds):
    told = worker.ask({**evaluate(DUMMY), "plugins": [broken], "task": wanted, "fewshot_seeds": seeds})
    if hint is None:
        assert {len(sample.doc["fewshot"]) for sample in told.of("sample")} == {wanted["fewshot"]}
    else:
        failed = told.one("failed")
        assert (failed.stage, failed.code, failed.hint) == ("dataset", "fewshot_pool", hint)


def test_a_metric_that_fails_is_named_and_the_answers_were_told_before(worker, broken):
    told = worker.ask({**evaluate(DUMMY, "weighs"), "plugins": [broken]})
    failed = told.one("failed")
    assert (failed.stage, failed.code) == ("scoring", "metric_failed")
    assert "ZeroDivisionError: a metric of the test's" in failed.message
    assert "tasks.py" in failed.traceback
    assert len(told.of("answer")) == 3


def test_several_samples_at_temperature_zero_are_refused(worker, broken, checkpoint):
    told = worker.ask({**evaluate(checkpoint, "several"), "plugins": [broken]})
    assert told.one("failed").code == "sampling_needs_temperature"


def test_a_server_is_not_asked_for_log_probabilities(worker):
    backend = {"type": "endpoint_litellm", "model_name": "m", "base_url": "http://127.0.0.1:1/v1"}
    assert worker.ask(evaluate(backend, "quick_geo")).one("failed").code == "metric_needs_logprobs"


@pytest.mark.parametrize(
    ("text", "code"),
    [
        (None, "plugin_not_found"),
        ("def broken(:", "plugin_import"),
        ("raise SystemExit(3)", "plugin_import"),
        ("import nothing_of_that_name", "plugin_import"),
        ("TASKS = []", "plugin_empty"),
    ],
)
def test_a_plugin_that_cannot_be_loaded_says_why(worker, tmp_path, text, code):
    if text is not None:
        (tmp_path / "tasks.py").write_text(text)
    own = plugin(tmp_path, "task", "tasks.py", name="own")
    assert worker.ask({**evaluate(DUMMY), "plugins": [own]}).one("failed").code == code


@pytest.mark.parametrize(
    ("line", "why"), [('{"question": "x", "answer": }', "Expecting value"), ("[1]", "this is a list")]
)
def test_a_line_of_data_that_is_broken_is_named_with_its_file_and_number(worker, tmp_path, line, why):
    (tmp_path / "rows").mkdir()
    rows = [json.dumps({"question": f"{n}?", "answer": f"{n}"}) for n in range(3)]
    for split in ("train", "test"):
        (tmp_path / "rows" / f"{split}.jsonl").write_text("\n".join([*rows[:2], line, rows[2]]) + "\n")
    failed = worker.ask(evaluate(DUMMY, params={"hf_repo": str(tmp_path / "rows")})).one("failed")
    assert (failed.stage, failed.code) == ("dataset", "dataset_failed")
    assert f"{tmp_path}/rows/test.jsonl:3: " in failed.message
    assert why in failed.message


def test_two_plugins_with_one_task_are_refused(worker):
    twice = [QUICK[0], {**QUICK[0], "name": "copy"}]
    assert worker.ask({**evaluate(DUMMY), "plugins": twice}).one("failed").code == "duplicate_task"


def test_two_evaluation_splits_keep_their_documents_apart(worker, broken):
    told = worker.ask({**evaluate(DUMMY, "both"), "plugins": [broken]})
    ids = [sample.doc_id for sample in told.of("sample")]
    assert sorted(ids) == [f"{split}:{n}" for split in ("test", "train") for n in range(3)]


def test_few_shot_examples_from_the_evaluation_data_are_warned_of(worker, broken):
    params = {"few_shots_split": "test"}
    told = worker.ask({**evaluate(DUMMY, "good", 1, params=params), "plugins": [broken]})
    assert "evaluation data" in told.one("report").warnings[0]


def test_a_hub_dataset_without_a_network_says_what_to_do(worker, tmp_path):
    # As in a worker that may not use one: here a hub is only out of reach.
    (tmp_path / "model.py").write_text("import datasets\ndatasets.config.HF_HUB_OFFLINE = True\n")
    own = plugin(tmp_path, "model", "model.py", name="offline")
    order = {**evaluate(DUMMY, "gsm8k", modules=["lighteval.tasks.tasks.gsm8k"]), "plugins": [own]}
    failed = worker.ask(order).one("failed")
    assert (failed.stage, failed.code) == ("dataset", "dataset_offline")
    assert "params.hf_repo" in failed.hint
    failed = worker.ask({**order, "task": {**order["task"], "params": {"hf_repo": "/not/here"}}}).one("failed")
    assert (failed.stage, failed.code) == ("dataset", "dataset_missing")


def test_a_plugin_that_writes_to_stdout_disturbs_nothing(worker, tmp_path):
    code = (PLUGINS / "quick-tasks" / "tasks.py").read_text().replace("Path(__file__).parent", repr(str(PLUGINS)))
    code = code.replace(f"DATA = {str(PLUGINS)!r} / ", f"DATA = Path({str(PLUGINS / 'quick-tasks')!r}) / ")
    (tmp_path / "tasks.py").write_text('print(\'{"type": "done", "order": 1}\')\n' + code)
    told = worker.ask({**evaluate(DUMMY), "plugins": [plugin(tmp_path, "task", "tasks.py", name="own")]})
    assert told.one("report").asked == 16
