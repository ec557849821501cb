"""Models behind servers: what is sent, what is retried, and that nobody's silence becomes an answer."""

from __future__ import annotations

import json
import threading
from types import SimpleNamespace

import pytest

from agentics.model.job.worker_protocol import EvaluateOrder
from tests.lighteval.openai_server import FakeOpenAI
from tests.lighteval.worker.conftest import PLUGINS, QUICK, evaluate, plugin

pytestmark = pytest.mark.slow
SECRET = "correct-horse-battery"
QUICKLY = {"api_max_retry": 2, "api_retry_sleep": 0.001}


@pytest.fixture(scope="module")
def worker(worker):
    """The worker with one session for all that is asked here: each has to make its first connection."""
    kept = worker.session()

    def ask(order, known=None, session=kept):
        return worker.ask(order, known, session)

    return SimpleNamespace(ask=ask, session=worker.session, exchange=worker.exchange)


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


def test_why_a_text_ended_and_a_refusal_are_kept_also_of_a_known_answer(worker):
    message = {"role": "assistant", "content": None, "refusal": "I cannot say that"}
    choices = [{"index": 0, "finish_reason": "content_filter", "message": message}]
    reply = {"id": "1", "object": "chat.completion", "created": 1, "model": "tiny", "choices": choices}
    with FakeOpenAI(reply=json.dumps(reply).encode()) as server:
        first = worker.ask(evaluate(endpoint(server), max_samples=1))
        again = worker.ask(evaluate(endpoint(server), max_samples=1), known=first.of("answer"))
    for told, known in ((first, False), (again, True)):
        answer = told.one("answer")
        assert (answer.finish_reasons, answer.refusals) == (("content_filter",), ("I cannot say that",))
        assert (answer.status, answer.refused, answer.truncated, answer.known) == ("empty", True, None, known)


def test_an_empty_answer_is_one_and_is_counted_apart(worker):
    with FakeOpenAI(text="") as server:
        report = worker.ask(evaluate(endpoint(server), max_samples=3)).one("report")
    assert (report.answered, report.empty, report.failed) == (0, 3, 0)


@pytest.mark.parametrize(
    "reply", [b"<html>not json</html>", b"", b"{}", b"[1]", b'{"choices": []}', b'{"choices": [{"index": 0}]}']
)
def test_nonsense_from_a_server_is_no_answer(worker, reply):
    with FakeOpenAI(reply=reply) as server:
        told = worker.ask(evaluate(endpoint(server), max_samples=2))
    assert told.one("report").failed == 2
    assert {answer.error.code for answer in told.of("answer")} == {"malformed_response"}
    assert told.one("report").seeds[0].metrics == {}


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


def test_a_key_that_a_server_answers_with_is_neither_told_nor_scored(worker):
    with FakeOpenAI(repeats=True) as server:
        told = worker.ask(evaluate(endpoint(server), max_samples=2))
        again = worker.ask(evaluate(endpoint(server), max_samples=2), known=told.of("answer"))
    assert [answer.response["text"] for answer in told.of("answer")] == [["You sent Bearer ***."]] * 2
    assert SECRET not in json.dumps([event.model_dump(mode="json") for event in told.events])
    # What is kept and what was scored are the same: hashes of answers are those of a run that goes on.
    assert told.one("report").seeds == again.one("report").seeds


def test_a_secret_that_a_model_answers_with_is_neither_told_nor_scored(worker, tmp_path):
    code = (PLUGINS / "quick-model" / "model.py").read_text()
    code += """
class Repeats(Lookup):
    def greedy_until(self, docs):
        import os

        return [ModelResponse(text=[os.environ["ACME_KEY"]], reasonings=[repr(os.environ["ACME_KEY"])]) for _ in docs]
"""
    (tmp_path / "model.py").write_text(code)
    own = plugin(tmp_path, "model", "model.py", name="repeats")
    backend = {"type": "custom", "model_name": "m", "model_plugin": "repeats", "model_class": "Repeats"}
    order = {**evaluate(backend, max_samples=1), "plugins": [QUICK[0], own]}
    told = worker.ask(order)
    (answer,) = told.of("answer")
    assert (answer.response["text"], answer.response["reasonings"]) == (["***"], ["'***'"])
    assert SECRET not in json.dumps([event.model_dump(mode="json") for event in told.events])


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


def test_a_server_that_hangs_up_is_asked_again_and_then_given_up(worker):
    with FakeOpenAI(drops=True) as server:
        told = worker.ask(evaluate(endpoint(server, parallel_calls_count=1), max_samples=1))
    (answer,) = told.of("answer")
    assert (answer.error.code, answer.error.retries) == ("connection_failed", 2)
    assert len(server.bodies) == 3


def test_a_server_that_says_nothing_in_time_has_timed_out(worker):
    said = threading.Event()
    with FakeOpenAI(silent_until=said) as server:
        options = {"timeout": 0.2, "api_max_retry": 0}
        (answer,) = worker.ask(evaluate(endpoint(server, options=options), max_samples=1)).of("answer")
        said.set()
    assert answer.error.code == "timeout"


def test_a_server_that_has_had_enough_is_asked_again_and_then_given_up(worker):
    with FakeOpenAI(always=429, retry_after="0.01") as server:
        (answer,) = worker.ask(evaluate(endpoint(server, parallel_calls_count=1), max_samples=1)).of("answer")
    assert (answer.error.code, answer.error.http_status, answer.error.retries) == ("rate_limited", 429, 2)


def test_told_to_stop_it_waits_for_no_server(worker):
    said, session, stop = threading.Event(), worker.session(), threading.Event()
    with FakeOpenAI(silent_until=said) as server:
        order = EvaluateOrder.model_validate({**evaluate(endpoint(server, parallel_calls_count=2)), "order": 1})
        events = []
        for batch in session.carry_out(lambda _: order, stop):
            events += batch
            if any(event.type == "task" for event in batch):
                server.asked.wait(30)
                stop.set()
        said.set()
    assert (events[-1].type, events[-1].code) == ("failed", "stopped")
    assert not any(event.type == "answer" and event.status == "answered" for event in events)
    assert len(server.bodies) <= 2


def test_a_wrong_key_is_not_held_against_the_next_task(worker):
    session = worker.session()
    with FakeOpenAI(failing=[401]) as server:
        order = evaluate(endpoint(server, parallel_calls_count=1), max_samples=3)
        first, second = worker.ask(order, session=session), worker.ask(order, session=session)
    assert (first.one("report").failed, second.one("report").answered) == (3, 3)


def test_a_dead_server_is_given_up_for_all_tasks_of_a_session_and_what_is_left_is_told_apart(worker):
    session = worker.session()
    with FakeOpenAI(always=500) as server:
        limits = {"request_s": 300, "consecutive_failures": 3}
        order = evaluate(endpoint(server, parallel_calls_count=1, options={"api_max_retry": 0}), limits=limits)
        first, second = worker.ask(order, session=session), worker.ask(order, session=session)
    assert len(server.bodies) == 3
    codes = [answer.error.code for answer in first.of("answer")]
    assert (codes.count("server_error"), codes.count("server_down")) == (3, 13)
    assert {answer.error.code for answer in second.of("answer")} == {"server_down"}
    assert "3 requests in a row failed" in second.of("answer")[0].error.message


def test_d1_failed_answers_are_asked_again_and_the_others_are_not(worker):
    with FakeOpenAI(text="Paris", failing=[400, 400]) as server:
        order = evaluate(endpoint(server, parallel_calls_count=1), max_samples=5)
        first = worker.ask(order)
        second = worker.ask(order, known=first.of("answer"))
    assert len(server.bodies) == 7
    assert (second.one("report").known, second.one("report").answered) == (3, 5)
    failed = {answer.key for answer in first.of("answer") if answer.status == "failed"}
    assert {answer.key for answer in second.of("answer") if not answer.known} == failed


def test_the_same_question_under_several_seeds_is_asked_once(worker):
    with FakeOpenAI() as server:
        told = worker.ask(evaluate(endpoint(server), fewshot_seeds=3, max_samples=4))
    report = told.one("report")
    assert len(server.bodies) == 4
    assert (report.asked, report.answered, report.known) == (12, 12, 0)
    first, *others = [seed.metrics for seed in report.seeds]
    assert others == [first, first]


def test_several_samples_are_one_request(worker, several):
    with FakeOpenAI() as server:
        order = evaluate(endpoint(server), "several", generation={"temperature": 1.0}, max_samples=1)
        told = worker.ask({**order, "plugins": [several]})
    assert [body["n"] for body in server.bodies] == [3]
    assert len(told.of("answer")[0].response["text"]) == 3


def test_a_server_that_gives_fewer_samples_than_asked_has_not_answered(worker, several):
    one = {"index": 0, "finish_reason": "stop", "message": {"role": "assistant", "content": "x"}}
    said = {"id": "1", "object": "chat.completion", "created": 1, "model": "m", "choices": [one]}
    with FakeOpenAI(reply=json.dumps(said).encode()) as server:
        order = evaluate(endpoint(server), "several", generation={"temperature": 1.0}, max_samples=1)
        (answer,) = worker.ask({**order, "plugins": [several]}).of("answer")
    assert (answer.status, answer.error.code) == ("failed", "malformed_response")


@pytest.fixture
def several(tmp_path):
    code = (PLUGINS / "quick-tasks" / "tasks.py").read_text()
    code = code.replace("Path(__file__).parent", f"Path({str(PLUGINS / 'quick-tasks')!r})")
    code += 'TASKS_TABLE = [task("several", "sums", question, [Metrics.maj_at_n(sample_params={"n": 3})], 8)]\n'
    (tmp_path / "tasks.py").write_text(code)
    return plugin(tmp_path, "task", "tasks.py", name="several")
