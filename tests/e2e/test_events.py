"""Events of a run with real containers: live against the disk, and with a reader or a controller that goes away."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

from agentics.client import Client, RunResponse

pytestmark = pytest.mark.docker


def lines(path):
    return [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines()]


def tree(root):
    return sorted(path.relative_to(root).as_posix() for path in root.rglob("*") if "sha256" not in path.parts)


def document(*parts):
    return json.loads(Path(*parts).read_bytes())


def program(desk):
    """`agentics` as a controller finds it: a program on its own."""
    path = desk.home / "agentics"
    path.write_text(f'#!/bin/sh\nexec {sys.executable} -m agentics "$@"\n', encoding="utf-8")
    path.chmod(0o755)
    return str(path)


def follow(desk, *words, **options):
    client = Client(program(desk), cwd=desk.home)
    return client.run_stream("eval", *words, solution=["mine"], run_id=desk.run_id, **options)


def test_c10_what_an_event_names_is_on_disk_when_it_is_told_and_c14_a_client_has_them_typed(desk):
    desk.bundle("one", seconds=0.5)
    desk.bundle("two")
    seen = []
    for item in follow(desk, "one", "two"):
        if isinstance(item, RunResponse):
            assert item.outcomes["mine"].status == "passed"
            continue
        seen.append(item.event)
        root = Path(item.run_dir)
        assert document(root, "manifest.json")["run_id"] == item.run_id == desk.run_id
        log = lines(root / "runtime" / "events.jsonl")
        assert item.model_dump(mode="json") in log
        if item.event == "trial_started":
            state = document(root, "trials", item.trial_id, "trial_state.json")
            ended = [one for one in log if one["event"] == "trial_finished" and one["trial_id"] == item.trial_id]
            assert state["attempt"] == item.attempt
            assert state["status"] == "running" or ended
        elif item.event == "trial_finished":
            assert document(item.trial_dir, "trial_state.json")["status"] == item.status == "completed"
            assert document(item.trial_dir, "result.json")["outcome"] == item.outcome == "success"
        elif item.event == "run_finished":
            assert document(root, "runtime", "run_control.json")["status"] == item.status == "completed"
            assert document(root, "mine", "run_outcome.json")["status"] == "passed"
    assert seen == ["run_started", *["trial_started", "trial_finished"] * 2, "run_finished"]
    assert desk.left_behind() == []


def test_c12_a_reader_who_leaves_after_two_lines_changes_nothing(desk):
    desk.bundle("one", seconds=0.5)
    process = desk.start("one", "--json-stream", "--output-path", "left", "--exit-policy", "strict")
    assert [json.loads(process.stdout.readline())["seq"] for _ in range(2)] == [1, 2]
    process.stdout.close()
    assert (process.wait(timeout=120), process.stderr.read()) == (0, "")
    whole = desk.start("one", "--json-stream", "--output-path", "whole", "--exit-policy", "strict")
    whole.communicate(timeout=120)
    assert tree(desk.home / "left" / desk.run_id) == tree(desk.home / "whole" / desk.run_id)
    names = [event["event"] for event in lines(desk.home / "left" / desk.run_id / "runtime" / "events.jsonl")]
    assert names == ["run_started", "trial_started", "trial_finished", "run_finished"]
    assert desk.left_behind() == []


def test_c14_a_controller_that_leaves_can_come_back_as_a_watcher(desk):
    desk.bundle("one", seconds=0.5)
    stream = follow(desk, "one")
    assert next(stream).event == "run_started"
    stream.close()
    run = f"outputs/{desk.run_id}"
    watch = [program(desk), "run", "watch", run, "--json", "--from", "2", "--timeout", "120"]
    watched = subprocess.run(watch, cwd=desk.home, capture_output=True, text=True, check=True, timeout=180)
    told = [json.loads(line)["event"] for line in watched.stdout.splitlines()]
    assert told == ["trial_started", "trial_finished", "run_finished"]
    assert Client(cwd=desk.home).read_outcome(run).status == "passed"


def test_c14_a_controller_that_is_asked_to_kills_the_run_in_good_order(desk):
    desk.bundle("endless", seconds=2000)
    stream = follow(desk, "endless", kill_on_break=True)
    assert [next(stream).event for _ in range(2)] == ["run_started", "trial_started"]
    desk.wait_for_container("run")
    stream.close()
    assert desk.tasks() == {"endless": ("pending", 1)}
    assert desk.left_behind() == []
