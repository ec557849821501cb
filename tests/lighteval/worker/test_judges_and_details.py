"""Judges and details: orders that need neither LightEval nor a model, so a worker that has not loaded it does them."""

from __future__ import annotations

import json
import subprocess
import threading
from types import SimpleNamespace

import pytest

from agentics.model.jobplan import ScoreAnswers
from agentics.model.jobwork import DetailRow, Details, Judge, JudgeItem
from agentics.policy.details import detail_rows
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
    return worker.follow(lambda n: Judge.model_validate({"order": n, "judges": judges, **more}), session)


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
        order = Judge.model_validate({"order": 1, "judges": [judge(server, parallel_calls_count=2)], "items": name})
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
table = pa.concat_tables(tables, promote_options="none")
print(json.dumps([[each.num_rows for each in tables], table.to_pylist(), [str(field.type) for field in table.schema]]))
"""


def kept(worker, rows):
    session = worker.kept
    name, output = session.file("rows.jsonl", rows), f"{session.number + 1}.parquet"
    told = worker.follow(lambda number: Details(order=number, rows=name, output=output), session)
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
        score = ScoreAnswers(**facts, primary_metric=None, model_revision=None, comparability={})
        found.append(list(detail_rows(score, told.of("sample"), told.of("answer"), ())))
    return found


def test_details_have_one_schema_whatever_is_in_them(light, rows):
    counts, found, types = read(*(kept(light, each) for each in (*rows, [])))
    assert counts == [3, 3, 0]
    assert len(types) == len(DetailRow.model_fields)
    assert "null" not in types
    assert found == [row.model_dump(mode="json") for each in rows for row in each]


def test_the_same_details_are_the_same_bytes(light, rows):
    assert kept(light, rows[0]).read_bytes() == kept(light, rows[0]).read_bytes()


def test_details_of_many_rows_are_all_there(light, rows):
    many = [rows[0][0].model_copy(update={"doc_id": str(n), "query": "ünï\n\x00"}) for n in range(4100)]
    _, found, _ = read(kept(light, many))
    assert [row["doc_id"] for row in found] == [str(n) for n in range(4100)]
    assert found[0]["query"] == "ünï\n\x00"


def test_rows_that_are_not_there_fail_and_leave_no_file(light):
    told = light.follow(lambda number: Details(order=number, rows="none.jsonl", output="x.parquet"))
    assert told.one("failed").stage == "details"
    assert not list(light.kept.place.path.glob("*x.parquet*"))
