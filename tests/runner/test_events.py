"""Who tells events: numbers that only grow, lines that are whole, and a listener who may go away."""

from __future__ import annotations

import json
import threading

import pytest

from agentics.errors import StorageError
from agentics.rundir.files.event_log import EventTail, read
from agentics.runner.run_events import RunEvents


@pytest.fixture
def told(tmp_path):
    """Events that are told to a list."""
    lines = []
    return RunEvents(tmp_path / "events.jsonl", run_id="r", run_dir=tmp_path, sink=lines.append), lines


def test_threads_that_tell_at_once_make_whole_lines_in_the_order_of_their_numbers(told):
    events, lines = told
    begin = threading.Barrier(8)

    def tell():
        begin.wait()
        for _ in range(10):
            events.emit("run_paused")

    threads = [threading.Thread(target=tell) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert events.path.read_text().splitlines() == lines
    assert [event.seq for event in read(events.path)] == list(range(1, 81))


def test_a_line_is_in_the_file_before_the_listener_has_it(tmp_path):
    path, seen = tmp_path / "events.jsonl", []
    events = RunEvents(path, run_id="r", run_dir=tmp_path, sink=lambda line: seen.append(path.read_text()))
    events.emit("run_started")
    events.emit("benchmark_finished", benchmark_dir="/b")
    assert [len(text.splitlines()) for text in seen] == [1, 2]


@pytest.mark.parametrize("gone", [BrokenPipeError(), OSError("no space")])
def test_a_listener_who_goes_away_is_not_called_again_and_nothing_else_changes(tmp_path, gone):
    calls = []

    def sink(line):
        calls.append(line)
        raise gone

    events = RunEvents(tmp_path / "events.jsonl", run_id="r", run_dir=tmp_path, sink=sink)
    for _ in range(3):
        events.emit("run_resumed")
    assert (len(calls), [event.seq for event in read(events.path)]) == (1, [1, 2, 3])


@pytest.mark.parametrize(
    ("event", "fields"),
    [
        ("run_finished", {"status": "completed", "score": 1.0}),
        ("run_finished", {"status": "passed"}),
        ("run_finished", {}),
        ("benchmark_started", {"benchmark": "swe"}),
        ("trial_finished", {"trial_id": "t", "status": "completed", "verdict": "pass"}),
        ("scored", {}),
    ],
)
def test_c11_an_event_cannot_say_more_or_less_than_it_may(told, event, fields):
    events, lines = told
    with pytest.raises(ValueError, match="validation error"):
        events.emit(event, **fields)
    assert (lines, read(events.path)) == ([], ())
    events.emit("run_started")
    assert json.loads(lines[0])["seq"] == 1


def test_numbers_go_on_where_another_process_stopped_also_in_the_middle_of_a_line(told, tmp_path):
    events, _ = told
    events.emit("run_started")
    with events.path.open("a") as file:
        file.write('{"seq": 2, "torn')
    again = RunEvents(events.path, run_id="r", run_dir=tmp_path, sink=None)
    again.emit("run_started")
    assert [event.seq for event in read(events.path)] == [1, 2]


def test_events_that_cannot_be_written_are_an_error(tmp_path):
    events = RunEvents(tmp_path / "none" / "events.jsonl", run_id="r", run_dir=tmp_path, sink=None)
    with pytest.raises(StorageError):
        events.emit("run_started")


def test_a_follower_gets_each_event_once_also_when_the_file_is_replaced(told, tmp_path):
    events, lines = told
    tail = EventTail(events.path)
    assert tail.read() == ()
    events.emit("run_started")
    events.emit("run_paused")
    assert [event.seq for event in tail.read()] == [1, 2]
    assert tail.read() == ()
    events.path.write_text(lines[0] + "\n")
    assert tail.read() == ()
    events.emit("run_resumed")
    assert [event.event for event in tail.read()] == ["run_resumed"]
    events.path.unlink()
    assert tail.read() == ()
