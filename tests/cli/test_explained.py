"""Why a task is not passed, as a person sees it: in 80 columns, and of official data only where a person watches."""

from __future__ import annotations

import fcntl
import json
import os
import pty
import re
import struct
import subprocess
import sys
import termios
from dataclasses import replace

import pytest

from tests.fake_engine import FACTS, conversation, exited, timed_out, writes
from tests.runner.lab import evaluator, solution
from tests.runner.test_exit_codes import gpu_target

COLUMNS = 80
ESCAPES = re.compile(r"\x1b\[[0-9;?]*[A-Za-z]")
SAID = [
    {"case_name": "case-1", "status": "passed", "score": 1.0},
    {"case_name": "case-2", "status": "failed", "score": 0.0, "message": "line 1 is wrong"},
    {"case_name": "case-3", "status": "failed", "score": 0.0, "message": "line 9 is wrong"},
]
SECRET = [{**each, "message": "the secret answer is 7"} for each in SAID]


def wrote(stdout="two\n", stderr="", then=None):
    return writes({"/io/stdout.txt": stdout, "/io/stderr.txt": stderr}, then)


def watched(lab, *words, **environment):
    """What a terminal of 80 columns shows of a command."""
    ours, theirs = pty.openpty()
    fcntl.ioctl(theirs, termios.TIOCSWINSZ, struct.pack("HHHH", 50, COLUMNS, 0, 0))
    left_out = {"CI", "COLUMNS", "LINES", "NO_COLOR"}
    env = {key: value for key, value in os.environ.items() if key not in left_out}
    process = subprocess.Popen(
        [sys.executable, "-m", "agentics", *map(str, words)],
        cwd=lab.home,
        env={**env, "TERM": "xterm", **environment},
        stdin=subprocess.DEVNULL,
        stdout=theirs,
        stderr=theirs,
    )
    os.close(theirs)
    seen = b""
    while chunk := _read(ours):
        seen += chunk
    process.wait(60)
    os.close(ours)
    return ESCAPES.sub("", seen.decode()).replace("\r\n", "\n")


def _read(descriptor):
    try:
        return os.read(descriptor, 1 << 16)
    except OSError:  # the other side is closed: Linux says so with an error
        return b""


def failing(lab, *words, said=SAID, **more):
    lab.bundle("one")
    lab.engine.behaviours |= {
        "run": wrote(**more),
        "separated-evaluator": evaluator(1, public_results=said, logs=["1 of 3 solved"]),
    }
    return lab.eval("one", *words)


def test_a_failure_is_told_with_the_evaluators_words_and_what_the_solution_wrote(lab):
    said = failing(lab, stderr="Traceback\nNameError: x\n").err
    assert "  cases:     2 of 3 not passed\n" in said
    assert "    case-2  line 1 is wrong · ran (0.01 of 3 s)\n    case-3  line 9 is wrong" in said
    assert "  case:      case-2 · ran (0.01 of 3 s), peak 1 of 128 MiB\n" in said
    assert "  stdin:     2 bytes\n    | 2\n  stdout:    4 bytes\n    | two\n" in said
    assert "  stderr:    23 bytes\n    | Traceback\n    | NameError: x\n" in said
    assert "  evaluator: 1 of 3 solved\n" in said
    assert "  more:      agentics run case outputs/r case-2\n" in said
    assert "  files:     outputs/r/trials/trial_1/cases\n" in said
    assert (lab.home / "outputs/r/trials/trial_1/cases/case-2/stdout.txt").read_bytes() == b"two\n"


def test_a_hint_says_what_it_looks_like_and_in_which_cases(lab):
    said = failing(lab, stderr="ModuleNotFoundError: No module named 'numpy'\n", then=exited(1)).err
    assert "hint:      this looks like a Python module that the image does not have" in said
    assert "(every case)" in said


def test_cases_that_could_not_be_matched_with_the_runs_are_said_to_be_so(lab):
    said = failing(lab, said=[{"case_name": "whole", "status": "failed", "score": 0.0, "message": "too slow"}]).err
    assert "not passed; the evaluator's cases could not be matched with the runs" in said
    assert "    whole   too slow\n" in said


def test_a_session_that_stood_still_is_told_with_the_end_of_what_was_said(lab):
    spec = {
        "mode": "piped_stdio",
        "interactive_evaluator": {
            "command": ["python3", "interactive-evaluator/judge.py"],
            "result_file": "result.json",
        },
        "acknowledge_stdio_protocol_framing": True,
        "validation_session": "public/session.json",
        "official_session": None,
        "validation_setup": None,
        "official_evaluation_setup": None,
    }
    root = lab.bundle("one", execution=spec)
    (root / "interactive-evaluator").mkdir()
    (root / "interactive-evaluator" / "judge.py").write_text("")
    (root / "public" / "session.json").write_text('{"session_name": "practice", "input_files": null, "metadata": null}')

    def stands_still(_, judge, __):
        summary = {"score": 0.0, "passed": 0, "total": 1}
        writes({"/output/result.json": json.dumps({"status": "failed", "validation_summary": summary})})(judge)
        idle = timed_out(wall_s=8.0, cpu_s=0.05)
        return conversation(idle, first_to_fail="solution", transcript=conversation().transcript[:1])

    lab.engine.converse = stands_still
    said = lab.eval("one").err
    assert "  session:   practice · timed out (limit" in said
    assert "    |     0.00 s  evaluator> ?\n" in said
    assert "hint:      this looks like an answer that was not flushed" in said


def test_a_target_that_is_skipped_says_why_on_the_terminal_and_in_the_outcome(lab):
    lab.engine.known_facts = replace(FACTS, gpus=False)
    lab.bundle("one", targets=[gpu_target()])
    said = lab.eval("one")
    why = "linux-arm64-cuda needs a GPU, and this engine offers none"
    assert f"  why:       {why}\n" in said.err
    assert "  hint:      --target evaluates on one target only" in said.err
    (task,) = lab.outcome()["tasks"].values()
    assert (task["status"], task["reason"], task["detail"]) == ("skipped", "target_unsupported", why)


@pytest.fixture
def official(lab):
    said = failing(lab, "--mode", "official", said=SECRET)
    assert "secret" not in said.out + said.err
    lab.said = said
    return lab


def test_official_data_is_shown_where_a_person_watches_and_said_to_be_private(official):
    seen = watched(official, "run", "show", "outputs/r")
    assert "the secret answer is 7" in seen
    assert "what follows holds official data: do not pass it on" in seen


@pytest.mark.parametrize("environment", [{"CI": "true"}, {"CI": "1", "FORCE_COLOR": "1"}])
def test_a_terminal_of_ci_is_no_person(official, environment):
    seen = watched(official, "run", "show", "outputs/r", **environment)
    assert "verdict_fail" in seen
    assert "secret" not in seen


def test_without_a_terminal_the_place_of_official_data_is_told_and_not_the_data(official, monkeypatch):
    assert "outputs/r/trials/trial_1/explanation.json" in official.said.err
    # What only asks libraries for colours does not make a terminal.
    done = subprocess.run(
        [sys.executable, "-m", "agentics", "run", "show", "outputs/r"],
        cwd=official.home,
        env={**{k: v for k, v in os.environ.items() if k != "CI"}, "FORCE_COLOR": "1", "TTY_INTERACTIVE": "1"},
        capture_output=True,
        text=True,
        check=True,
        timeout=60,
    )
    assert "secret" not in done.stdout + done.stderr


def test_the_operator_can_ask_for_one_official_case(official):
    said = official("run", "case", "outputs/r", "case-2")
    assert "private:   this holds official data" in said.out
    assert "the secret answer is 7" in said.out
    assert official("run", "case", "outputs/r", "case-2", "--json").json["private"] is True


def test_everything_fits_into_80_columns_with_names_cut_in_the_middle_and_the_status_whole(lab):
    name = "a-challenge-whose-name-is-as-long-as-the-contract-allows-one-to"
    lab.bundle(name)
    solution(lab.home, "a-solution-with-a-long-name-which-ends-in-1")
    solution(lab.home, "a-solution-with-a-long-name-which-ends-in-2")
    text = "a message that is longer than any terminal is wide " * 4
    lab.engine.behaviours |= {
        "run": wrote("x" * 500 + "\n", "\x1b\u202e\x00" * 60 + "\n"),
        "separated-evaluator": evaluator(1, public_results=[{**each, "message": text} for each in SAID], logs=[text]),
    }
    variants = [word for n in (1, 2) for word in ("--solution", f"a-solution-with-a-long-name-which-ends-in-{n}")]
    lab("eval", name, *variants, "--run-id", "r")
    seen = watched(lab, "run", "show", "outputs/r")
    table = seen[: seen.index("\n\n")].splitlines()
    assert [line for line in seen.splitlines() if len(line) > COLUMNS] == []
    rows = [row for row in table if "…" in row]
    assert len(rows) == 2
    for number, row in enumerate(rows, start=1):
        assert len(row) <= COLUMNS
        assert re.search(
            rf"a-ch\S*…\S*-cpu  a-sol\S*…\S*-{number}  failed  score 0\.333333  0\.01/3 s  1/128 MiB$", row
        )
