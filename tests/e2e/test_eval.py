"""Whole evaluations with a real engine: what people see, several variants, and the same run in other clothes."""

from __future__ import annotations

import os
import pty
import re
import subprocess

import pytest

from tests.runner.lab import solution

pytestmark = pytest.mark.docker


def watched(desk, *words: str) -> tuple[int, str]:
    """A run on a terminal of 100 columns: its exit status, and every byte that the terminal got."""
    ours, theirs = pty.openpty()
    environment = {**{k: v for k, v in os.environ.items() if k not in ("CI", "NO_COLOR")}, "TERM": "xterm-256color"}
    pipes = {"stdin": theirs, "stdout": theirs, "stderr": theirs, "env": {**environment, "COLUMNS": "100"}}
    process = desk.start(*words, **pipes)
    os.close(theirs)
    seen = b""
    try:
        while chunk := os.read(ours, 65536):
            seen += chunk
    except OSError:
        pass  # how a terminal says that its last writer has gone
    finally:
        os.close(ours)
    return process.wait(), seen.decode()


def test_on_a_terminal_a_live_region_shows_stage_cases_and_limit_and_leaves_the_table(desk):
    desk.bundle("one", seconds=2)
    status, seen = watched(desk, "one")
    assert status == 0, seen
    text = re.sub(r"\x1b\[[0-9;?]*[A-Za-z]", "", seen)
    assert "cases" in text
    assert "/3000 s each" in text
    assert "▶" in text
    assert seen.count("\x1b[?25l") == seen.count("\x1b[?25h") >= 1, "the cursor is given back"
    end = text[text.rindex("✓ one.linux-arm64-cpu · mine: passed") :]
    assert "▶" not in end.partition("task ")[2]
    assert re.search(r"one\.linux-arm64-cpu +passed +score 1 ", end)


def test_without_a_terminal_the_same_run_has_no_escape_codes(desk):
    desk.bundle("one")
    said, talk = desk.start("one").communicate(timeout=120)
    assert "\x1b" not in said + talk
    assert "\r" not in said + talk
    assert "evaluating (limit 20 s)" in talk


def test_two_variants_are_evaluated_in_one_run_each_with_its_outcome(desk):
    desk.bundle("one")
    solution(desk.home, "wrong", **{"run.sh": "echo no\n"})
    process = desk.start("one", "--solution", "wrong", "--exit-policy", "strict")
    said, talk = process.communicate(timeout=120)
    assert process.returncode == 1, talk
    assert desk.outcome("mine")["status"] == "passed"
    assert desk.outcome("wrong")["tasks"]["one.linux-arm64-cpu"]["reason"] == "verdict_fail"
    assert desk.outcome("wrong")["tasks"]["one.linux-arm64-cpu"]["primary_metric"]["value"] == 0
    assert [line.split()[1] for line in said.splitlines()[1:3]] == ["mine", "wrong"]
    assert desk.left_behind() == []


def test_a_reader_who_goes_away_leaves_a_whole_run(desk):
    desk.bundle("one")
    command = f"{desk.start('one', '--json').args[0]} -m agentics run show outputs/{desk.run_id} | head -c 10"
    assert desk.started[0].communicate(timeout=120)[1] == ""
    done = subprocess.run(["bash", "-c", command], cwd=desk.home, capture_output=True, text=True, check=False)
    assert (len(done.stdout), done.stderr) == (10, "")
    assert desk.left_behind() == []
