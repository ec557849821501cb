"""Judges and details: orders that need neither LightEval nor a model, so a worker that has not loaded it does them."""

from __future__ import annotations

import json
import subprocess
import threading
from types import SimpleNamespace

import pytest

from agentics.model.job.stage_options import ScoreAnswers
from agentics.model.job.worker_protocol import DetailRow, DetailsOrder, JudgeItem, JudgeOrder
from agentics.policy.jobs.details import detail_rows
from tests.lighteval.environment import worker_python
from tests.lighteval.openai_server import FakeOpenAI
from tests.lighteval.worker.conftest import LOOKUP, evaluate

pytestmark = pytest.mark.slow
ITEM = JudgeItem(key="k1", seed=0, doc_id="1", question="2 {answer} 2?", answer="{gold} 4", gold=("four", "4"))
MESSAGES = (
    {"role": "system", "content": "Be {fair}, {{question}}."},
    {"role": "user", "content": "Q {question} A {answer} G {gold} C {choices}"},
)


@pytest.fixture(scope="module")
def light(light):
    """The worker with one session for all that is asked here: each would have to load what it asks with."""
    kept = light.session()

    def follow(order, session=None):
        return light.follow(order, session or kept)

    return SimpleNamespace(follow=follow, kept=kept, session=light.session)


def judge(server, name="a", **more):
    about = {"base_url": server.url, "max_tokens": 9, "messages": MESSAGES, "api_key_env": "ACME_KEY"}
    return {"name": name, "model": f"model-{name}", **about, **more}


def judged(worker, judges, items, known=None):
    session = worker.kept
    more = {"items": session.file("items.jsonl", items)}
    if known is not None:
        more["known"] = session.file("judgements.jsonl", known)
    return worker.follow(lambda n: JudgeOrder.model_validate({"order": n, "judges": judges, **more}), session)


def test_judges_are_asked_with_the_texts_as_they_are(light):
    with FakeOpenAI(text="VERDICT: CORRECT") as server:
        told = judged(light, [judge(server), judge(server, "b", temperature=0.5, seed=3)], [ITEM])
    first, second = told.of("judgement")
    assert (first.judge, second.judge, first.text) == ("a", "b", "VERDICT: CORRECT")
    # Only the four places of a template are filled, and what is put there is not looked at again.
    assert [message["content"] for message in first.messages] == [
        "Be {fair}, {2 {answer} 2?}.",
        "Q 2 {answer} 2? A {gold} 4 G four\n4 C ",
    ]
    assert server.bodies == [
        {"model": "model-a", "messages": list(first.messages), "max_tokens": 9, "temperature": 0.0},
        {"model": "model-b", "messages": list(first.messages), "max_tokens": 9, "temperature": 0.5, "seed": 3},
    ]
    assert first.usage.completion_tokens == 3


def test_choices_are_listed_by_letters(light):
    with FakeOpenAI(text="x") as server:
        told = judged(light, [judge(server)], [ITEM.model_copy(update={"choices": ("one", "two")})])
    assert told.one("judgement").messages[1]["content"].endswith(" C A. one\nB. two")


def test_known_judgements_are_not_asked_for_again_and_failed_ones_are(light):
    items = [ITEM, ITEM.model_copy(update={"key": "k2"})]
    with FakeOpenAI(text="x", failing=[400]) as server:
        judges = [judge(server, parallel_calls_count=1)]
        first = judged(light, judges, items)
        again = judged(light, judges, items, known=first.of("judgement"))
    assert [one.error and one.error.code for one in first.of("judgement")] == ["bad_request", None]
    assert sorted((one.item, one.known, one.text, one.error) for one in again.of("judgement")) == [
        ("k1", False, "x", None),
        ("k2", True, "x", None),
    ]
    assert {one.key for one in again.of("judgement")} == {one.key for one in first.of("judgement")}
    assert len(server.bodies) == 3


@pytest.mark.parametrize("change", [{"temperature": 0.7}, {"seed": 1}, {"max_tokens": 8}, {"model": "other"}])
def test_a_judgement_of_other_settings_is_not_known(light, change):
    with FakeOpenAI(text="x") as server:
        first = judged(light, [judge(server)], [ITEM])
        again = judged(light, [judge(server, **change)], [ITEM], known=first.of("judgement"))
        other = judged(light, [judge(server)], [ITEM.model_copy(update={"answer": "5"})], known=first.of("judgement"))
    assert not again.one("judgement").known
    assert not other.one("judgement").known


def test_a_judge_that_fails_is_told_of_for_every_item_and_the_next_one_is_asked(light):
    items = [ITEM.model_copy(update={"key": f"k{n}"}) for n in range(3)]
    with FakeOpenAI(always=401) as refusing, FakeOpenAI(text="x") as server:
        told = judged(light, [judge(refusing, parallel_calls_count=1), judge(server, "b")], items)
    said = [(one.judge, one.item, one.error and one.error.code, one.text) for one in told.of("judgement")]
    assert said[:3] == [("a", f"k{n}", "unauthorized", None) for n in range(3)]
    assert sorted(said[3:]) == [("b", f"k{n}", None, "x") for n in range(3)]
    assert (len(refusing.bodies), told.events[-1].type) == (1, "done")


def test_judges_that_are_told_to_stop_wait_for_no_server(light):
    said, session, stop = threading.Event(), light.session(), threading.Event()
    items = [ITEM.model_copy(update={"key": f"k{n}"}) for n in range(9)]
    name, events = session.file("items.jsonl", items), []
    with FakeOpenAI(silent_until=said) as server:
        order = JudgeOrder.model_validate(
            {"order": 1, "judges": [judge(server, parallel_calls_count=2)], "items": name}
        )
        for batch in session.carry_out(lambda _: order, stop):
            events += batch
            if batch[-1].type == "accepted":
                server.asked.wait(30)
                stop.set()
        said.set()
    assert (events[-1].type, events[-1].code) == ("failed", "stopped")
    assert not any(event.type == "judgement" and event.text is not None for event in events)


def test_a_judge_without_its_key_is_told_of_and_nobody_is_asked(light):
    with FakeOpenAI() as server:
        told = judged(light, [judge(server, api_key_env="NO_SUCH_KEY")], [ITEM])
    assert (told.one("judgement").error.code, server.bodies) == ("secret_missing", [])


def test_nothing_to_judge_is_done_at_once(light):
    with FakeOpenAI() as server:
        told = judged(light, [judge(server)], [])
    assert ([event.type for event in told.events], server.bodies) == (["accepted", "done"], [])


CONCATENATED = """
import json, sys, pyarrow as pa, pyarrow.parquet as pq
tables = [pq.read_table(path) for path in sys.argv[1:]]
table = pa.concat_tables(tables, promote_options="permissive")
types = {each.name: str(each.type) for each in table.schema}
print(json.dumps([[each.num_rows for each in tables], table.to_pylist(), types]))
"""


def kept(worker, rows, metrics=()):
    session = worker.kept
    name, output = session.file("rows.jsonl", rows), f"{session.number + 1}.parquet"
    told = worker.follow(lambda number: DetailsOrder(order=number, rows=name, output=output, metrics=metrics), session)
    assert [event.type for event in told.events] == ["accepted", "done"]
    return session.place.path / output


def read(*files):
    argv = [worker_python(), "-c", CONCATENATED, *files]
    return json.loads(subprocess.run(argv, capture_output=True, text=True, check=True).stdout)


@pytest.fixture(scope="module")
def rows(worker):
    session, found = worker.session(), []
    for task in ("quick_capitals", "quick_geo"):
        told = worker.ask(evaluate(LOOKUP, task, max_samples=3), session=session)
        facts = {"task": task, "fewshot": 0, "scoring_mode": "deterministic", "endpoint": False}
        score = ScoreAnswers(
            **facts, primary_metric=None, model_revision=None, allow_truncated_prompts=False, comparability={}
        )
        found.append(list(detail_rows(score, told.of("sample"), told.of("answer"))))
    return found


OBJECTS = ("doc", "model_response", "metric")


def flat(rows):
    """What rows say beside LightEval's objects."""
    return [{name: value for name, value in row.items() if name not in OBJECTS} for row in rows]


def test_details_of_several_tasks_have_the_same_columns_and_concatenate(light, rows):
    counts, found, types = read(*(kept(light, each) for each in rows))
    assert counts == [3, 3]
    assert list(types) == list(DetailRow.model_fields)
    assert flat(found) == flat(row.model_dump(mode="json") for each in rows for row in each)
    assert {name for row in found for name in row["metric"]} == {"em", "f1", "acc"}
    counts, found, types = read(kept(light, []))
    assert (counts, found, set(types)) == ([0], [], set(DetailRow.model_fields))


def test_an_object_of_lightevals_has_its_values_and_no_type_that_no_reader_knows(light, rows):
    _, found, types = read(kept(light, rows[0]))
    assert "null" not in " ".join(types.values())
    for row, before in zip(found, rows[0], strict=True):
        doc, response = json.loads(before.doc), json.loads(before.model_response)
        assert row["metric"] == json.loads(before.metric)
        assert row["model_response"] == response
        assert {name: row["doc"][name] for name in ("query", "choices", "gold_index", "id", "specific")} == {
            name: doc[name] for name in ("query", "choices", "gold_index", "id", "specific")
        }


HOSTILE = {
    "nothing": ([None, None], [None, None]),
    "a number or a text": ([1, "a"], ["1", "a"]),
    "a list or a number": ([[1], 2], ["[1]", "2"]),
    "an object without a key": ([{}, {}], ["{}", "{}"]),
    "an empty list": ([[], []], [[], []]),
    "other keys": ([{"a": 1}, {"b": [{"c": None}]}], [{"a": 1, "b": None}, {"a": None, "b": [{"c": None}]}]),
    "true or a number": ([True, 0.5], ["true", "0.5"]),
    "a large number": ([1 << 70, 1], [str(1 << 70), "1"]),
}


@pytest.mark.parametrize("name", HOSTILE)
def test_whatever_a_task_keeps_with_its_documents_can_be_written(light, rows, name):
    given, written = HOSTILE[name]
    docs = [{**json.loads(rows[0][0].doc), "specific": value} for value in given]
    _, found, _ = read(kept(light, [rows[0][0].model_copy(update={"doc": json.dumps(doc)}) for doc in docs]))
    assert [row["doc"]["specific"] for row in found] == written


METRICS = {
    "numbers": ([1, 0.5], [1.0, 0.5]),
    "true or a number": ([True, 0.5], [1.0, 0.5]),
    "a number or nothing": ([None, 1], [None, 1.0]),
    "a number or a text": ([1, "a"], ["1.0", "a"]),
    "what a corpus is scored by": ([{"golds": ["a"]}, {"golds": []}], [{"golds": ["a"]}, {"golds": []}]),
    "an object without a key": ([{}, {}], ["{}", "{}"]),
}


@pytest.mark.parametrize("name", METRICS)
def test_whatever_a_metric_gives_can_be_written(light, rows, name):
    given, written = METRICS[name]
    metrics = [json.dumps({"em": 1, "odd": value}) for value in given]
    _, found, _ = read(kept(light, [rows[0][0].model_copy(update={"metric": metric}) for metric in metrics]))
    assert [row["metric"] for row in found] == [{"em": 1.0, "odd": value} for value in written]


def test_what_was_not_answered_or_not_scored_is_null(light, rows):
    failed = rows[0][0].model_copy(update={"status": "failed", "model_response": None, "metric": None, "answer": ()})
    _, found, _ = read(kept(light, [failed, rows[0][1]]))
    assert (found[0]["model_response"], found[0]["metric"]) == (None, None)
    _, found, _ = read(kept(light, [failed]))
    assert (found[0]["model_response"], found[0]["metric"]) == (None, None)


@pytest.mark.parametrize("first", ["without", "with"])
def test_details_without_an_answer_are_read_beside_those_of_others(light, rows, first):
    failed = rows[0][0].model_copy(update={"status": "failed", "model_response": None, "metric": None, "answer": ()})
    files = [kept(light, [failed], ("em", "f1")), kept(light, rows[1])]
    counts, found, _ = read(*(files if first == "without" else reversed(files)))
    assert sorted(counts) == [1, 3]
    (row,) = [row for row in found if row["status"] == "failed"]
    assert (row["model_response"], row["metric"]) == (None, None)


def test_the_same_details_are_the_same_bytes(light, rows):
    assert kept(light, rows[0]).read_bytes() == kept(light, rows[0]).read_bytes()


def test_details_of_many_rows_are_all_there(light, rows):
    many = [rows[0][0].model_copy(update={"doc_id": str(n), "query": "ünï\n\x00"}) for n in range(4100)]
    _, found, _ = read(kept(light, many))
    assert [row["doc_id"] for row in found] == [str(n) for n in range(4100)]
    assert found[0]["query"] == "ünï\n\x00"


def test_rows_that_are_not_there_fail_and_leave_no_file(light):
    told = light.follow(lambda number: DetailsOrder(order=number, rows="none.jsonl", output="x.parquet", metrics=()))
    assert told.one("failed").stage == "details"
    assert not list(light.kept.place.path.glob("*x.parquet*"))
