"""A worker runs plugins, as a user that may write where we write: nothing that it plants leads us elsewhere."""

from __future__ import annotations

import os
import threading
from pathlib import Path

import pytest

from agentics.errors import EngineError
from agentics.lighteval.exchange import Exchange
from agentics.model.job.worker_protocol import DetailsOrder

ELSEWHERE = "what is elsewhere stays as it is"


@pytest.fixture
def elsewhere(tmp_path) -> Path:
    path = tmp_path / "elsewhere"
    path.write_text(ELSEWHERE)
    return path


@pytest.fixture
def exchange(tmp_path):
    made = Exchange.make(tmp_path / "exchange")
    yield made
    made.close()


def plant(kind: str, path: Path, elsewhere: Path) -> None:
    match kind:
        case "link":
            path.symlink_to(elsewhere)
        case "dangling link":
            path.symlink_to(elsewhere.with_name("nothing-yet"))
        case "hard link":
            path.hardlink_to(elsewhere)
        case "pipe":
            os.mkfifo(path)
        case "folder":
            path.mkdir()


def order(number: int) -> DetailsOrder:
    return DetailsOrder(order=number, rows="1-rows.jsonl", output="1-details.parquet", metrics=())


KINDS = pytest.mark.parametrize("kind", ["link", "dangling link", "hard link", "pipe", "folder"])
SPECIAL = pytest.mark.parametrize("kind", ["link", "dangling link", "pipe", "folder"])


def refused(action) -> None:
    with pytest.raises(EngineError) as caught:
        action()
    assert caught.value.code == "worker_protocol"


def unharmed(elsewhere: Path) -> None:
    assert elsewhere.read_text() == ELSEWHERE
    assert not elsewhere.with_name("nothing-yet").exists()


@KINDS
@pytest.mark.parametrize("name", ["1-rows.jsonl", ".order-1.json.half"])
def test_a_file_of_ours_is_not_written_through_what_a_worker_planted_under_its_name(kind, name, exchange, elsewhere):
    session = exchange.session("one")
    plant(kind, session.place.path / name, elsewhere)
    refused(lambda: (session.file("rows.jsonl", []), session.send(order)))
    unharmed(elsewhere)


@KINDS
def test_an_order_replaces_what_a_worker_planted_under_its_name_or_is_refused(kind, exchange, elsewhere):
    session = exchange.session("one")
    plant(kind, session.place.path / "order-1.json", elsewhere)
    if kind == "folder":
        refused(lambda: session.send(order))
    else:
        session.send(order)
        assert not (session.place.path / "order-1.json").is_symlink()
    unharmed(elsewhere)


@KINDS
def test_telling_a_worker_to_stop_touches_nothing_elsewhere(kind, exchange, elsewhere):
    session = exchange.session("one")
    plant(kind, session.place.path / "stop", elsewhere)
    plant(kind, exchange.root / "shutdown", elsewhere)
    before = elsewhere.stat().st_mtime_ns
    session.stop()
    exchange.shut_down()
    unharmed(elsewhere)
    assert elsewhere.stat().st_mtime_ns == before


@SPECIAL
@pytest.mark.parametrize("name", ["events.jsonl", "ended.json"])
def test_what_a_worker_says_is_read_from_a_regular_file_only(kind, name, exchange, elsewhere):
    session = exchange.session("one")
    plant(kind, session.place.path / name, elsewhere)
    refused(lambda: list(session.carry_out(order, threading.Event())))


@SPECIAL
def test_a_worker_that_starts_with_something_else_is_refused(kind, exchange, elsewhere):
    plant(kind, exchange.root / "ready.json", elsewhere)
    refused(lambda: exchange.wait_ready(threading.Event()))


@SPECIAL
def test_a_file_that_a_worker_made_is_a_regular_one_or_refused(kind, exchange, elsewhere):
    session = exchange.session("one")
    plant(kind, session.place.path / "1-details.parquet", elsewhere)
    refused(lambda: session.read("1-details.parquet", 1000))


def test_a_file_beyond_its_most_is_refused_and_one_that_is_missing_is_none(exchange):
    session = exchange.session("one")
    (session.place.path / "large").write_bytes(b"x" * 11)
    refused(lambda: session.read("large", 10))
    assert session.read("large", 11) == b"x" * 11
    assert session.read("none", 10) is None


def test_a_folder_moved_away_by_a_worker_is_still_the_one_we_write_to(exchange, tmp_path, elsewhere):
    session = exchange.session("one")
    (exchange.root / "sessions").rename(tmp_path / "moved")
    (exchange.root / "sessions").symlink_to(tmp_path)
    session.file("rows.jsonl", [])
    assert (tmp_path / "moved" / "one" / "1-rows.jsonl").exists()
    unharmed(elsewhere)
