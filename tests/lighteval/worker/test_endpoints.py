"""Models and judges behind servers: what is sent, what is retried, and that nobody's silence becomes an answer."""

from __future__ import annotations

import json
import threading

import pytest

from agentics.model.jobwork import Details, Judge, JudgeItem
from tests.lighteval.openai_server import FakeOpenAI
from tests.lighteval.worker.conftest import evaluate

pytestmark = pytest.mark.slow
SECRET = "correct-horse-battery"
QUICKLY = {"api_max_retry": 2, "api_retry_sleep": 0.001}


def endpoint(server, **more):
    options = {**QUICKLY, **more.pop("options", {})}
    about = {"type": "endpoint_litellm", "model_name": "tiny", "base_url": server.url, "options": options}
    return {**about, "api_key_env": "ACME_KEY", **more}


def test_d1_answers_come_with_exactly_the_parameters_that_were_said(worker):
    with FakeOpenAI() as server:
        generation = {"temperature": 0.5, "top_p": 0.9, "seed": 3, "max_new_tokens": 5, "stop": ["END"]}
        told = worker.ask(evaluate(endpoint(server), generation=generation, max_samples=4, fewshot=1))
        body = server.bodies[0]
    assert {key for key in body if key != "messages"} == {
        *("model", "temperature", "top_p", "seed", "max_tokens", "stop"),
    }
    assert (body["max_tokens"], body["stop"], body["seed"]) == (5, ["\n", "END"], 3)
    assert [message["role"] for message in body["messages"]] == ["user", "assistant", "user"]
    assert server.keys[0] == f"Bearer {SECRET}"
    report = told.one("report")
    assert (report.asked, report.answered, report.failed) == (4, 4, 0)
    assert told.of("answer")[0].usage.completion_tokens == 3


@pytest.mark.parametrize(
    ("status", "code", "requests"),
    [(400, "bad_request", 4), (401, "unauthorized", None), (404, "not_found", None), (500, "server_error", 12)],
)
def test_d1_a_server_that_refuses_is_counted_and_never_scored(worker, status, code, requests):
    with FakeOpenAI(always=status) as server:
        told = worker.ask(evaluate(endpoint(server, parallel_calls_count=1), max_samples=4))
    report = told.one("report")
    assert (report.asked, report.answered, report.failed) == (4, 0, 4)
    assert report.seeds[0].metrics == {}
    assert {answer.error.code for answer in told.of("answer")} == {code}
    # After a wrong key nobody is asked again.
    assert len(server.bodies) == (requests or 1)


def test_d1_what_fails_for_a_moment_is_asked_again(worker):
    with FakeOpenAI(failing=[500, 429], retry_after="0") as server:
        told = worker.ask(evaluate(endpoint(server, parallel_calls_count=1), max_samples=2))
    assert told.one("report").answered == 2
    assert len(server.bodies) == 4


def test_d1_some_failures_leave_the_others_their_scores(worker):
    with FakeOpenAI(text="Paris", failing=[400, 400]) as server:
        told = worker.ask(evaluate(endpoint(server, parallel_calls_count=1)))
    report = told.one("report")
    assert (report.answered, report.failed) == (14, 2)
    assert report.seeds[0].metrics["em"].n == 14
    unscored = [sample for sample in told.of("sample") if sample.metrics is None]
    assert len(unscored) == 2


def test_an_empty_answer_is_one_and_is_counted_apart(worker):
    with FakeOpenAI(text="") as server:
        report = worker.ask(evaluate(endpoint(server), max_samples=3)).one("report")
    assert (report.answered, report.empty, report.failed) == (0, 3, 0)


def test_nonsense_from_a_server_is_no_answer(worker):
    with FakeOpenAI(garbage=True) as server:
        told = worker.ask(evaluate(endpoint(server), max_samples=2))
    assert told.one("report").failed == 2


def test_a_server_that_is_not_there_fails_every_request(worker):
    with FakeOpenAI() as server:
        gone = endpoint(server)
    told = worker.ask(evaluate(gone, max_samples=2))
    assert {answer.error.code for answer in told.of("answer")} == {"connection_failed"}


def test_a_key_that_is_not_set_is_said_by_its_name(worker):
    with FakeOpenAI() as server:
        told = worker.ask(evaluate(endpoint(server, api_key_env="NO_SUCH_KEY"), max_samples=2))
        assert server.bodies == []
    assert {answer.error.code for answer in told.of("answer")} == {"secret_missing"}
    assert "NO_SUCH_KEY" in told.of("answer")[0].error.message


def test_d5_a_key_is_in_no_event_whatever_the_server_repeats(worker):
    with FakeOpenAI(always=401) as server:
        told = worker.ask(evaluate(endpoint(server), max_samples=2))
    assert SECRET not in json.dumps([event.model_dump(mode="json") for event in told.events])
    assert SECRET not in (worker.exchange.root.parent / "log").read_text(errors="replace")


def test_so_many_requests_are_in_flight_as_the_job_says(worker):
    with FakeOpenAI(barrier=threading.Barrier(4)) as server:
        told = worker.ask(evaluate(endpoint(server, parallel_calls_count=4), max_samples=8))
    assert told.one("report").answered == 8


def test_c3_every_question_is_asked_once_with_its_own_settings(worker):
    with FakeOpenAI() as server:
        session = worker.session()
        for task in ("quick_capitals", "quick_sums"):
            worker.ask(evaluate(endpoint(server), task), session=session)
    assert sorted({body["max_tokens"] for body in server.bodies}) == [8, 16]
    assert len(server.bodies) == 32


def test_an_option_that_is_not_known_is_refused(worker):
    with FakeOpenAI() as server:
        told = worker.ask(evaluate(endpoint(server, options={"patience": 3})))
    assert (told.one("failed").code, told.one("failed").field) == ("unknown_option", "/backend/options/patience")


def test_inference_providers_are_asked_through_their_client(worker):
    with FakeOpenAI() as server:
        backend = {**endpoint(server, provider="hf-inference"), "type": "endpoint_inference_providers"}
        told = worker.ask(evaluate(backend, max_samples=2, generation={"temperature": 0.0}))
    assert told.one("report").answered == 2
    assert server.bodies[0]["max_tokens"] == 16


ITEM = JudgeItem(key="k1", seed=0, doc_id="1", question="2 {answer} 2?", answer="{gold} 4", gold=("four",))
MESSAGES = ({"role": "user", "content": "Q {question} A {answer} G {gold} C {choices}"},)


def judges(server, *names, **more):
    about = {"base_url": server.url, "max_tokens": 9, "messages": MESSAGES, "api_key_env": "ACME_KEY", **more}
    return tuple({"name": name, "model": name, **about} for name in names)


def test_judges_are_asked_with_the_texts_as_they_are(worker):
    session = worker.session()
    with FakeOpenAI(text="VERDICT: CORRECT") as server:
        items = session.file("items.jsonl", [ITEM])

        def order(number):
            return Judge.model_validate({"order": number, "judges": judges(server, "a", "b"), "items": items})

        told = worker.follow(order, session)
        again = session.file("known.jsonl", told.of("judgement"))
        known = worker.follow(lambda n: order(n).model_copy(update={"known": again}), session)
    said = told.of("judgement")
    assert [one.judge for one in said] == ["a", "b"]
    assert said[0].messages[0]["content"] == "Q 2 {answer} 2? A {gold} 4 G four C "
    assert (said[0].text, server.bodies[0]["max_tokens"], server.bodies[0]["temperature"]) == ("VERDICT: CORRECT", 9, 0)
    assert len(server.bodies) == 2
    assert all(one.known for one in known.of("judgement"))


def test_a_judge_that_fails_is_told_of_for_every_item(worker):
    session = worker.session()
    with FakeOpenAI(always=401) as server:
        items = session.file("items.jsonl", [ITEM, ITEM.model_copy(update={"key": "k2"})])
        told = worker.follow(
            lambda number: Judge.model_validate({"order": number, "judges": judges(server, "a"), "items": items}),
            session,
        )
    assert [one.error.code for one in told.of("judgement")] == ["unauthorized", "unauthorized"]
    assert told.of("done")


def test_details_have_one_schema_whatever_is_in_them(worker):
    from agentics.model.jobplan import ScoreAnswers
    from agentics.policy.details import detail_rows
    from tests.lighteval.worker.conftest import LOOKUP

    session, files = worker.session(), []
    for task in ("quick_capitals", "quick_geo"):
        told = worker.ask(evaluate(LOOKUP, task, max_samples=3), session=session)
        score = ScoreAnswers(
            task=task,
            fewshot=0,
            scoring_mode="deterministic",
            endpoint=False,
            primary_metric=None,
            model_revision=None,
            comparability={},
        )
        rows = list(detail_rows(score, told.of("sample"), told.of("answer"), ()))
        files.append(_details(worker, session, rows))
    files.append(_details(worker, session, []))
    code = (
        "import sys, pyarrow as pa, pyarrow.parquet as pq;"
        "t = pa.concat_tables([pq.read_table(p) for p in sys.argv[1:]]);"
        "print(t.num_rows, len(t.schema))"
    )
    import subprocess

    from tests.lighteval.environment import worker_python

    said = subprocess.run([worker_python(), "-c", code, *files], capture_output=True, text=True, check=True).stdout
    assert said.split() == ["6", "19"]


def _details(worker, session, rows):
    name = session.file("rows.jsonl", rows)
    output = f"{session.number + 1}.parquet"
    told = worker.follow(lambda number: Details(order=number, rows=name, output=output), session)
    assert told.of("done")
    return session.place.path / output
