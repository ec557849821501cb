"""A server that does not answer: how often it is asked, and when nobody is asked any more."""

from __future__ import annotations

import threading

import pytest

from agentics.lighteval.entry.server import Completion, Failure, Server

NEVER = threading.Event()


def failing(code: str = "server_error", status: int | None = 500):
    asked: list[float] = []

    def ask(_messages, _parameters, _key, timeout_s):
        asked.append(timeout_s)
        raise Failure(code, "no", status=status)

    return ask, asked


def codes(server: Server, count: int) -> list[str | None]:
    ended = [server.completion([], {}, NEVER) for _ in range(count)]
    return [one.error["code"] if one.error else None for one in ended]


def test_after_so_many_failures_in_a_row_nobody_is_asked_any_more():
    ask, asked = failing()
    server = Server(ask=ask, retries=1, pause_s=0)
    server.begin({"consecutive_failures": 3})
    assert codes(server, 5) == ["server_error"] * 3 + ["server_down"] * 2
    assert len(asked) == 6  # three requests, each tried twice


def test_a_server_that_was_down_is_not_asked_about_the_next_task_either():
    ask, asked = failing("connection_failed", None)
    server = Server(ask=ask, retries=0)
    server.begin({"consecutive_failures": 2})
    codes(server, 2)
    server.begin({"consecutive_failures": 2})
    assert codes(server, 1) == ["server_down"]
    assert len(asked) == 2


def test_an_answer_between_failures_begins_the_count_anew():
    said = iter([Failure("timeout", "late"), Failure("timeout", "late"), None] * 3)

    def ask(_messages, _parameters, _key, timeout_s):
        failure = next(said)
        if failure is not None:
            raise failure
        return Completion(texts=["yes"], reasonings=[None], finish_reasons=["stop"], refusals=[None], usage={})

    server = Server(ask=ask, retries=0)
    server.begin({"consecutive_failures": 3})
    assert codes(server, 9) == ["timeout", "timeout", None] * 3


def test_requests_that_the_server_refuses_one_by_one_do_not_make_it_dead():
    ask, _ = failing("bad_request", 400)
    server = Server(ask=ask)
    server.begin({"consecutive_failures": 3})
    assert codes(server, 5) == ["bad_request"] * 5


@pytest.mark.parametrize("said", [{}, None])
def test_ten_failures_in_a_row_are_the_default(said):
    ask, asked = failing()
    server = Server(ask=ask, retries=0)
    server.begin(said)
    codes(server, 20)
    assert len(asked) == 10


def test_a_request_with_all_of_its_tries_ends_in_its_time():
    ask, asked = failing()
    server = Server(ask=ask, retries=100, pause_s=0.01, timeout_s=60)
    server.begin({"request_s": 0.2, "consecutive_failures": 10})
    assert codes(server, 1) == ["server_error"]
    assert 1 < len(asked) < 100
    assert all(timeout_s <= 0.2 for timeout_s in asked)
