"""C4, C8, C9, C12: stdout is only data, whatever prints; and what becomes of a stdout that cannot be written."""

from __future__ import annotations

import json
import os
import subprocess
import sys

import pytest

from tests.cli.test_processes import PROGRAM, ROOT, home, start

pytestmark = pytest.mark.slow

__all__ = ["home", "start"]

NOISY = """
import ctypes, os, subprocess, sys, threading, time

def noise(when):
    print(f"{when} print")
    os.write(1, f"{when} write\\n".encode())
    subprocess.run(["echo", f"{when} child"])
    libc = ctypes.CDLL(None)
    libc.puts(f"{when} puts".encode())
    sys.__stdout__.write(f"{when} old\\n")
    sys.__stdout__.flush()

noise("import")

def describe(options):
    return {"name": "noisy", "description": "Prints.", "required": [], "optional": [], "types": {}}

def run(context, options):
    noise("run")
    for _ in range(int(os.environ.get("NOISE_MIB", 0))):
        os.write(1, b"x" * (1 << 20))
    def later():
        while True:
            print("late print", flush=True)
            time.sleep(0.001)
    threading.Thread(target=later, daemon=True).start()
    return context
"""
WAYS = ("print", "write", "child", "puts", "old")


@pytest.fixture
def noisy(home):
    """The environment of a process in which a package is installed whose stage prints by every means there is."""
    site = home / "site"
    (site / "noisy-1.dist-info").mkdir(parents=True)
    (site / "noisy.py").write_text(NOISY)
    (site / "noisy-1.dist-info" / "METADATA").write_text("Metadata-Version: 2.1\nName: noisy\nVersion: 1\n")
    (site / "noisy-1.dist-info" / "entry_points.txt").write_text("[agentics.stages]\nnoisy = noisy\n")
    return {**os.environ, "PYTHONPATH": f"{ROOT}:{site}"}


def in_trials(home):
    with (home / "agentics.toml").open("a") as file:
        file.write('\n[[stages]]\nname = "noisy"\nafter = "cases"\n')


@pytest.mark.parametrize("flag", ["--json", "--json-stream"])
def test_c8_c9_what_a_stage_prints_by_any_means_is_in_a_log_and_never_between_the_lines(home, start, noisy, flag):
    in_trials(home)
    process = start(flag, "--exit-policy", "strict", env=noisy)
    said, talk = process.communicate(timeout=60)
    lines = [json.loads(line) for line in said.splitlines()]
    assert (process.returncode, lines[-1]["ok"]) == (0, True), talk
    assert all("event" in line for line in lines[:-1])
    assert len(lines) == (1 if flag == "--json" else 5)
    log = (home / "outputs/r/runtime/stages.log").read_text()
    assert [way for way in WAYS if f"run {way}\n" not in log] == []
    # The stage is found before there is a run.
    assert [way for way in WAYS if f"import {way}\n" not in talk + log] == []
    verify = [sys.executable, "-m", "agentics", "run", "verify", "outputs/r"]
    subprocess.run(verify, cwd=home, env=noisy, capture_output=True, check=True)


def test_c4_a_flood_of_a_stage_is_cut_in_its_log(home, start, noisy):
    in_trials(home)
    process = start("--json", env={**noisy, "NOISE_MIB": "40"})
    said, _ = process.communicate(timeout=60)
    assert json.loads(said)["ok"]
    log = (home / "outputs/r/runtime/stages.log").read_bytes()
    assert log.endswith(b"\n[output cut at the limit]\n")
    assert len(log) == (16 << 20) + len(b"\n[output cut at the limit]\n")


def test_what_a_stage_prints_when_it_is_listed_is_talk(home, noisy):
    words = [sys.executable, "-m", "agentics", "stages", "list", "--json"]
    done = subprocess.run(words, cwd=home, env=noisy, capture_output=True, text=True, check=True)
    assert "noisy" in [stage["name"] for stage in json.loads(done.stdout)["stages"]]
    assert [way for way in WAYS if f"import {way}" not in done.stderr] == []


def test_without_output_of_stages_there_is_no_log(home, start):
    process = start("--json")
    process.communicate(timeout=60)
    assert not (home / "outputs/r/runtime/stages.log").exists()


def shell(home, words, redirection, env=None):
    """The process as a shell starts it."""
    command = f'"$0" -c "$1" {words} {redirection}'
    argv = ["bash", "-c", command, sys.executable, PROGRAM]
    env = env or {**os.environ, "PYTHONPATH": str(ROOT)}
    return subprocess.run(argv, cwd=home, env=env, capture_output=True, text=True, check=False, timeout=60)


EVAL = "eval one --solution mine --run-id r --quiet"
UNWRITABLE = [(">&-", "Bad file descriptor"), (">/dev/full", "No space left on device")]


@pytest.mark.parametrize(("redirection", "why"), UNWRITABLE)
@pytest.mark.parametrize("flag", ["", "--json", "--json-stream"])
def test_c12_a_run_keeps_its_exit_status_where_stdout_cannot_be_written_and_says_so(home, redirection, why, flag):
    done = shell(home, f"{EVAL} {flag}", redirection)
    assert (done.returncode, done.stdout) == (0, "")
    assert done.stderr == f"error stdout_unwritable: stdout cannot be written: {why}\n"
    assert json.loads((home / "outputs/r/mine/run_outcome.json").read_bytes())["exit_code"] == 0
    assert (home / "outputs/r/attestation.json").is_file()


@pytest.mark.parametrize(("redirection", "why"), UNWRITABLE)
@pytest.mark.parametrize("words", ["plan one --solution mine", "--help", "--version", "stages list --json"])
def test_a_command_that_leaves_nothing_but_stdout_fails_where_that_cannot_be_written(home, words, redirection, why):
    done = shell(home, words, redirection)
    assert (done.returncode, done.stderr) == (5, f"error stdout_unwritable: stdout cannot be written: {why}\n")


@pytest.mark.parametrize("redirection", ["2>&-", "2>/dev/full", "<&- 2>&-"])
@pytest.mark.parametrize(("words", "status"), [(f"{EVAL} --json", 0), ("plan missing --solution mine", 2)])
def test_a_talk_that_cannot_be_written_changes_nothing_else(home, redirection, words, status):
    done = shell(home, words, redirection)
    assert (done.returncode, done.stderr) == (status, "")
    assert not done.stdout or json.loads(done.stdout)["ok"]


@pytest.mark.parametrize("redirection", [">&-", "<&- >&- 2>&-"])
def test_c12_a_stage_that_prints_into_a_closed_stdout_is_no_failure_of_the_run(home, noisy, redirection):
    in_trials(home)
    assert shell(home, f"{EVAL} --json", redirection, noisy).returncode == 0
    log = (home / "outputs/r/runtime/stages.log").read_text()
    assert [way for way in WAYS if f"run {way}\n" not in log] == []


def test_with_every_stream_closed_no_file_of_the_run_is_taken_for_one(home):
    done = shell(home, "eval one --solution mine --run-id r", "<&- >&- 2>&-")
    assert done.returncode == 0
    assert shell(home, "run verify outputs/r", "").returncode == 0


@pytest.mark.parametrize("words", ["plan one --solution mine", "--help", f"{EVAL} --json", "run --help"])
def test_c12_a_reader_who_goes_away_is_told_nothing(home, words):
    done = shell(home, words, "| :; exit ${PIPESTATUS[0]}")
    assert (done.returncode, done.stderr) == (0, "")
