"""What a worker tells of a task: LightEval's own scores, real few-shot seeds, nothing asked twice."""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess

import pytest

from agentics.errors import EngineError
from agentics.model.job.worker_protocol import Answer, EvaluateOrder
from tests.lighteval.environment import worker_python
from tests.lighteval.worker.conftest import DUMMY, LOOKUP, PLUGINS, QUICK, asked, evaluate, keys, plugin

pytestmark = pytest.mark.slow

PLAIN = """
import json, os, sys, types
for name in ("HF_HUB_OFFLINE", "HF_DATASETS_OFFLINE", "TRANSFORMERS_OFFLINE"):
    os.environ[name] = "1"
os.environ["LITELLM_LOCAL_MODEL_COST_MAP"] = "True"
for module in ("tiny_benchmarks", "mt_bench.main", "mix_eval.main"):
    name = f"lighteval.tasks.tasks.{module}"
    sys.modules[name] = types.ModuleType(name)
from lighteval.logging.evaluation_tracker import EvaluationTracker
from lighteval.models.transformers.transformers_model import TransformersModelConfig
from lighteval.pipeline import ParallelismManager, Pipeline, PipelineParameters
model, tasks, out = sys.argv[1:]
found, prompts = {}, {}
config = TransformersModelConfig(model_name=os.path.relpath(model), dtype="float32", batch_size=4,
                                 cache_dir=out + "/cache")
parameters = PipelineParameters(launcher_type=ParallelismManager.ACCELERATE, custom_tasks_directory=tasks,
                                bootstrap_iters=0)
tracker = EvaluationTracker(output_dir=out, save_details=False)
pipeline = Pipeline(tasks=os.environ["TASKS"], pipeline_parameters=parameters,
                    evaluation_tracker=tracker, model_config=config)
pipeline.evaluate()
for name, metrics in tracker.metrics_logger.metric_aggregated.items():
    found[name] = {key: float(value) for key, value in metrics.items()}
for name, docs in pipeline.documents_dict.items():
    prompts[name] = [[doc.id, doc.query, [shot.query for shot in doc.fewshot_samples]] for doc in docs]
json.dump({"scores": found, "prompts": prompts}, open(out + "/found.json", "w"))
"""


CHOOSING = """
for select in ("balanced", "random", "random_sampling", "random_sampling_from_train"):
    made = task(f"choosing:{select}", "geo", choice, [Metrics.loglikelihood_acc], -1)
    made.few_shots_select = select
    TASKS_TABLE.append(made)
"""
COMPARED = [
    *(("quick_capitals", 2), ("quick_sums", 0), ("quick_geo", 1), ("choosing:balanced", 3), ("choosing:random", 3)),
    *(("choosing:random_sampling", 3), ("choosing:random_sampling_from_train", 3)),
]


@pytest.fixture(scope="module")
def plain(tiny, tmp_path_factory):
    """The same tasks and model through LightEval itself."""
    out = tmp_path_factory.mktemp("plain")
    script = out / "plain.py"
    script.write_text(PLAIN, encoding="utf-8")
    shutil.copytree(PLUGINS / "quick-tasks", out / "quick-tasks")
    tasks = out / "quick-tasks" / "tasks.py"
    tasks.write_text(tasks.read_text() + CHOOSING)
    env = {**os.environ, "HOME": str(out), "PYTHONDONTWRITEBYTECODE": "1"}
    env["TASKS"] = ",".join(f"{task}|{fewshot}" for task, fewshot in COMPARED)
    subprocess.run([worker_python(), script, tiny, tasks, out], check=True, capture_output=True, cwd=out, env=env)
    found = json.loads((out / "found.json").read_text())
    return {**found, "plugins": [plugin(out / "quick-tasks", "task", "tasks.py")]}


@pytest.mark.parametrize(("task", "fewshot"), COMPARED)
def test_scores_are_those_of_plain_lighteval_to_the_last_digit(worker, checkpoint, plain, task, fewshot):
    told = worker.ask({**evaluate(checkpoint, task, fewshot), "plugins": plain["plugins"]})
    assert told.scores == plain["scores"][f"{task}|{fewshot}"]
    samples = [[s.doc_id, s.doc["query"], [shot["query"] for shot in s.doc["fewshot"]]] for s in told.of("sample")]
    assert samples == plain["prompts"][f"{task}|{fewshot}"]


def test_every_seed_draws_other_examples_and_the_first_is_lightevals(worker):
    told = worker.ask(evaluate(LOOKUP, fewshot=2, fewshot_seeds=3))
    shots = {s.seed: [shot["query"] for shot in s.doc["fewshot"]] for s in told.of("sample") if s.doc_id == "3"}
    assert len({tuple(each) for each in shots.values()}) == 3
    report = told.one("report")
    assert [seed.seed for seed in report.seeds] == [0, 1, 2]
    assert (report.asked, report.answered, report.failed) == (48, 48, 0)


def test_a_task_tells_what_it_rests_on(worker):
    task = worker.ask(evaluate(LOOKUP, fewshot=2)).one("task")
    assert (task.documents, task.requests, task.sampling) == (16, 16, ("generative",))
    assert list(task.metrics) == ["em", "f1"]
    assert task.generation["max_new_tokens"] == 16
    assert all(each.startswith("sha256:") for each in (task.config_sha256, task.prompt_sha256, task.data_sha256))


def test_known_answers_are_not_asked_again_and_change_nothing(worker, checkpoint):
    first = worker.ask(evaluate(checkpoint, "quick_capitals", 2, chunk=4))
    known = first.of("answer")[:7]
    second = worker.ask(evaluate(checkpoint, "quick_capitals", 2, chunk=4), known=known)
    assert len(asked(second)) == 9
    assert second.scores == first.scores
    assert sorted(keys(second)) == sorted(keys(first))
    assert second.one("report").known == 7


def test_b4_a_session_killed_at_an_answer_goes_on_with_what_is_missing(worker, tmp_path):
    shutil.copytree(PLUGINS / "quick-model", tmp_path / "quick-model")
    code, go = tmp_path / "quick-model" / "model.py", tmp_path / "go"
    # At the sixth question it waits for good, unless the test has said otherwise.
    waits = (
        "    global calls\n    calls += 1\n"
        f"    if calls > 5 and not __import__('os').path.exists({str(go)!r}):\n        __import__('signal').pause()\n"
    )
    changed = code.read_text().replace("def answer(text):\n", f"calls = 0\n\n\ndef answer(text):\n{waits}")
    code.write_text(changed)
    own = [QUICK[0], plugin(tmp_path / "quick-model", "model", "model.py")]
    order = {**evaluate(LOOKUP, "quick_sums", chunk=1), "plugins": own}
    session, seen = worker.session(), []

    def until_it_dies():
        for batch in session.carry_out(lambda n: EvaluateOrder.model_validate({**order, "order": n}), worker.stop):
            seen.extend(event for event in batch if isinstance(event, Answer))
            if len(seen) == 5:
                _kill_children(worker.process.pid)

    with pytest.raises(EngineError) as died:
        until_it_dies()
    assert died.value.code == "worker_died"
    go.touch()
    again = worker.ask(order, known=seen)
    assert {answer.key for answer in asked(again)} == set(keys(again)) - {answer.key for answer in seen}
    assert len(asked(again)) == 11
    assert again.scores == {"em": 1.0}


def _kill_children(pid):
    tasks = subprocess.run(["pgrep", "-P", str(pid)], capture_output=True, text=True, check=False).stdout.split()
    for child in tasks:
        os.kill(int(child), signal.SIGKILL)


def test_b1_other_data_or_another_prompt_is_another_question(worker, tmp_path):
    shutil.copytree(PLUGINS / "quick-tasks", tmp_path / "quick-tasks")
    own = [plugin(tmp_path / "quick-tasks", "task", "tasks.py"), QUICK[1]]
    before = worker.ask({**evaluate(LOOKUP, "quick_sums"), "plugins": own})
    again = worker.ask({**evaluate(LOOKUP, "quick_sums"), "plugins": own})
    assert keys(again) == keys(before)
    data = tmp_path / "quick-tasks" / "data" / "sums" / "test.jsonl"
    data.write_text(data.read_text().replace(" + ", " +  "))
    other = worker.ask({**evaluate(LOOKUP, "quick_sums"), "plugins": own}, known=before.of("answer"))
    assert not set(keys(other)) & set(keys(before))
    assert len(asked(other)) == 16
    code = tmp_path / "quick-tasks" / "tasks.py"
    code.write_text(code.read_text() + "# a change\n")
    third = worker.ask({**evaluate(LOOKUP, "quick_sums"), "plugins": own})
    assert not set(keys(third)) & set(keys(other))


@pytest.mark.parametrize(
    ("change", "same"),
    [
        ({"backend": {**DUMMY, "model_revision": "2"}}, False),
        ({"backend": {**DUMMY, "system_prompt": "be brief"}}, False),
        ({"generation": {"seed": 4}}, False),
        ({"generation": {"max_new_tokens": 3}}, False),
        ({"generation": {"stop": ["x"]}}, False),
        ({"backend": {**DUMMY, "parallel_calls_count": 9}}, True),
        ({"chunk": 2}, True),
    ],
)
def test_b1_a_key_covers_what_can_change_an_answer_and_nothing_else(worker, change, same):
    before, after = worker.ask(evaluate(DUMMY, "quick_sums")), worker.ask({**evaluate(DUMMY, "quick_sums"), **change})
    assert (keys(before) == keys(after)) is same


def test_c1_the_token_limit_cuts_answers_and_never_the_prompt(worker, checkpoint):
    told = worker.ask(evaluate(checkpoint, "quick_capitals", 2, generation={"max_new_tokens": 4}))
    for answer in told.of("answer"):
        assert len(answer.response["input_tokens"]) > 20
        assert 1 <= len(answer.response["output_tokens"][0]) <= 4


def test_c1_sampling_follows_the_seed(worker, checkpoint):
    def texts(seed):
        generation = {"temperature": 1.5, "seed": seed, "max_new_tokens": 8}
        told = worker.ask(evaluate(checkpoint, "quick_sums", generation=generation))
        return [answer.response["text"] for answer in told.of("answer")]

    assert texts(1) == texts(1)
    assert texts(1) != texts(2)


def test_b2_nothing_is_written_beside_the_checkpoint_or_the_plugins(worker, checkpoint, tiny):
    before = {path: path.stat().st_mtime_ns for root in (tiny, PLUGINS) for path in root.rglob("*")}
    worker.ask(evaluate(checkpoint, "quick_geo"))
    assert {path: path.stat().st_mtime_ns for root in (tiny, PLUGINS) for path in root.rglob("*")} == before


def test_a_model_is_loaded_once_for_all_tasks_of_a_session(worker, tmp_path):
    shutil.copytree(PLUGINS / "quick-model", tmp_path / "quick-model")
    code = tmp_path / "quick-model" / "model.py"
    mark = tmp_path / "made"
    code.write_text(
        code.read_text().replace(
            "        self.config = config\n",
            f"        self.config = config\n        open({str(mark)!r}, 'a').write('x')\n",
        )
    )
    own = [QUICK[0], plugin(tmp_path / "quick-model", "model", "model.py")]
    session = worker.session()
    for task in ("quick_capitals", "quick_sums"):
        worker.ask({**evaluate(LOOKUP, task), "plugins": own}, session=session)
    assert mark.read_text() == "x"
    worker.ask({**evaluate(LOOKUP, "quick_sums", generation={"seed": 1}), "plugins": own}, session=session)
    assert mark.read_text() == "xx"


def test_without_scoring_there_are_answers_and_no_metrics(worker):
    told = worker.ask(evaluate(LOOKUP, score=False))
    assert told.one("report").seeds[0].metrics == {}
    assert all(sample.metrics is None for sample in told.of("sample"))
    assert len(told.of("answer")) == 16


METRIC = """
import numpy as np
from lighteval.metrics.metrics_sample import SampleLevelComputation
from lighteval.metrics.utils.metric_utils import SampleLevelMetric
from lighteval.tasks.requests import SamplingMethod

class Length(SampleLevelComputation):
    def compute(self, doc, model_response, **kwargs):
        return float(len(model_response.final_text[0]))

METRICS = {"length": SampleLevelMetric(metric_name="length", higher_is_better=True, category=SamplingMethod.GENERATIVE,
                                       sample_level_fn=Length(), corpus_level_fn=np.mean)}
"""


def test_a_metric_of_a_plugin_counts_beside_the_tasks_own(worker, tmp_path):
    (tmp_path / "code.py").write_text(METRIC)
    plugins = [*QUICK, plugin(tmp_path, "metric", "code.py", name="mine")]
    told = worker.ask({**evaluate(LOOKUP, params={"metrics": ["length", "em"]}), "plugins": plugins})
    assert list(told.scores) == ["length", "em"]
    assert told.scores["em"] == 0.75
    assert told.scores["length"] > 3


def test_max_samples_is_a_prefix_of_more(worker):
    few = [s.doc_id for s in worker.ask(evaluate(LOOKUP, max_samples=3)).of("sample")]
    more = [s.doc_id for s in worker.ask(evaluate(LOOKUP, max_samples=5)).of("sample")]
    assert few == more[:3]


@pytest.mark.parametrize("task", ["quick_capitals", "quick_geo"])
@pytest.mark.parametrize(("longest", "cut"), [(24, True), (256, False)])
def test_a_prompt_that_was_cut_to_fit_the_model_is_told_as_it_was(worker, checkpoint, task, longest, cut):
    options = {**checkpoint["options"], "max_length": longest}
    generation = {"max_new_tokens": 4}
    told = worker.ask(
        evaluate({**checkpoint, "options": options}, task, fewshot=4, generation=generation, max_samples=3)
    )
    assert [answer.truncated for answer in told.of("answer")] == [cut] * 3
