"""`agentics run watch`: from the beginning or from any event, while a run goes on and after it; it writes nothing."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys

import pytest

from tests.cli.test_processes import ROOT, home, start

pytestmark = pytest.mark.slow

__all__ = ["home", "start"]


@pytest.fixture
def watch(home):
    started = []

    def through(*words):
        argv = [sys.executable, "-m", "agentics", "run", "watch", "outputs/r", "--timeout", "60", *words]
        environment = {**os.environ, "PYTHONPATH": str(ROOT)}
        pipes = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE, "text": True}
        started.append(subprocess.Popen(argv, cwd=home, env=environment, **pipes))
        return started[-1]

    yield through
    for process in started:
        process.kill()
        process.communicate()


def test_a_finished_run_is_told_from_its_first_event_or_from_any(lab):
    lab.bundle("one")
    lab.eval("one")
    log = (lab.home / "outputs/r/runtime/events.jsonl").read_text()
    before = lab.files()
    said = lab("run", "watch", "outputs/r", "--json")
    assert (said.status, said.out, said.err) == (0, log, "")
    said = lab("run", "watch", "outputs/r", "--json", "--from", "3", "--no-follow")
    assert [json.loads(line)["seq"] for line in said.out.splitlines()] == [3, 4]
    lines = lab("run", "watch", "outputs/r").out.splitlines()
    assert [line.split()[2] for line in lines] == ["run_started", "trial_started", "trial_finished", "run_finished"]
    assert "trial_id=trial_1 status=completed outcome=success" in lines[2]
    assert lab.files() == before


def test_a_run_that_has_no_events_has_nothing_to_show(lab):
    lab.bundle("one")
    lab.eval("one")
    (lab.home / "outputs/r/runtime/events.jsonl").unlink()
    said = lab("run", "watch", "outputs/r", "--json")
    assert (said.status, said.out) == (0, "")


def test_a_line_that_is_not_whole_yet_is_not_shown_and_a_damaged_one_is_an_error(lab):
    lab.bundle("one")
    lab.eval("one")
    log = lab.home / "outputs/r/runtime/events.jsonl"
    whole = log.read_text()
    log.write_text(whole + '{"schema_version":')
    assert lab("run", "watch", "outputs/r", "--json").out == whole
    log.write_text(whole + '{"schema_version":"runner_event_v1"}\n')
    said = lab("run", "watch", "outputs/r", "--json")
    assert (said.status, json.loads(said.out.splitlines()[-1])["error"]["code"]) == (5, "damaged_file")


@pytest.mark.parametrize(
    ("words", "status", "code"),
    [((), 2, "no_such_run"), (("--wait", "--timeout", "0"), 1, "watch_timeout"), (("--from", "0"), 2, "usage")],
)
def test_without_a_run_there_is_an_error(lab, words, status, code):
    said = lab("run", "watch", "outputs/none", "--json", *words)
    assert (said.status, said.json["error"]["code"]) == (status, code)
    assert not (lab.home / "outputs").exists()


def test_a_watcher_who_comes_first_sees_everything_and_leaves_when_the_run_has_ended(home, start, watch):
    os.mkfifo(home / "held")
    watcher = watch("--json", "--wait")
    process = start()
    assert [json.loads(watcher.stdout.readline())["event"] for _ in range(2)] == ["run_started", "trial_started"]
    late = watch("--json", "--from", "2")
    assert json.loads(late.stdout.readline())["seq"] == 2
    with (home / "held").open("w"):
        pass
    assert process.wait(timeout=60) == 0
    for one in (watcher, late):
        said, talk = one.communicate(timeout=60)
        assert [json.loads(line)["event"] for line in said.splitlines()] == ["trial_finished", "run_finished"]
        assert (one.returncode, talk) == (0, "")


def test_a_watcher_leaves_when_the_runner_was_killed_and_says_so(home, start, watch):
    os.mkfifo(home / "held")
    process = start()
    with (home / "held").open("w"):
        watcher = watch("--json")
        told = [json.loads(watcher.stdout.readline())["event"] for _ in range(2)]
        process.send_signal(signal.SIGKILL)
        process.wait(timeout=60)
    said, talk = watcher.communicate(timeout=60)
    assert (told, said) == (["run_started", "trial_started"], "")
    assert (watcher.returncode, "did not say how it ended" in talk) == (0, True)


def test_a_watcher_whose_reader_goes_away_ends(home, start, watch):
    assert start().wait(timeout=60) == 0
    watcher = watch("--json", "--wait")
    watcher.stdout.close()
    assert (watcher.wait(timeout=60), watcher.stderr.read()) == (0, "")
