"""What a slip looks like: the words that images really print, and what must not be taken for a slip."""

from __future__ import annotations

import pytest

from agentics.model.evidence.explanation import Hint
from agentics.model.evidence.trial_evidence import Script
from agentics.policy.verdict.hints import MOST, SLIPS, Symptoms, gathered, hints

SHELL = Script(phase="run", path="run.sh", head="exec python3 solve.py\n")
CRLF = Script(phase="run", path="run.sh", head="#!/bin/sh\r\nexec python3 solve.py\r\n")
PYTHON = Script(phase="run", path="scripts/run.sh", head="# a comment\n\nimport sys\n")


def seen(text="", **more):
    usual = {"phase": "run", "ended": "exited", "exit_code": 1, "clean": False, "wall_s": 1.0, "cpu_s": 0.9}
    return Symptoms(**{**usual, "memory_limit_mib": 128, "script": SHELL, "text": text, **more})


def codes(*args, **more):
    return [hint.code for hint in hints(seen(*args, **more))]


SEEN = {
    "python3: can't open file '/workspace/solve.py\\r': [Errno 2] No such file or directory": ["crlf"],
    "/workspace/run.sh: line 2: set: -\r: invalid option": ["crlf"],
    "/workspace/run.sh: line 1: $'\\r': command not found": ["crlf"],
    "/usr/bin/env: 'python3\\r': No such file or directory": ["crlf"],
    "bash: ./x.sh: /bin/sh^M: bad interpreter: No such file or directory": ["crlf"],
    "/workspace/run.sh: line 1: import: command not found": ["python_as_script"],
    "/workspace/run.sh: 1: import: not found": ["python_as_script"],
    "/workspace/run.sh: line 1: syntax error near unexpected token `('": ["python_as_script"],
    "ERROR: Could not find a version that satisfies the requirement numpy\n"
    "ERROR: No matching distribution found for numpy": ["no_network"],
    "/workspace/setup.sh: line 1: pip: command not found": ["no_network"],
    "urllib.error.URLError: <urlopen error [Errno -3] Temporary failure in name resolution>": ["no_network"],
    "curl: (6) Could not resolve host: example.com": ["no_network"],
    "npm error code EAI_AGAIN": ["no_network"],
    "E: Unable to acquire the dpkg frontend lock (/var/lib/dpkg/lock-frontend), are you root?": ["needs_root"],
    "sudo: command not found": ["needs_root"],
    "OSError: [Errno 30] Read-only file system: 'out.txt'": ["read_only_place"],
    "/workspace/run.sh: line 1: out.txt: Read-only file system": ["read_only_place"],
    "sh: 1: cannot create out.txt: Permission denied": ["read_only_place"],
    "PermissionError: [Errno 13] Permission denied: '/workspace/out.txt'": ["read_only_place"],
    "PermissionError: [Errno 13] Permission denied: 'out.txt'": ["read_only_place"],
    "PermissionError: [Errno 13] Permission denied: '/challenge/private.json'": [],
    "/workspace/run.sh: line 1: /workspace/solve: cannot execute binary file: Exec format error": ["wrong_binary"],
    "./solve: /lib/x86_64-linux-gnu/libc.so.6: version `GLIBC_2.38' not found (required by ./solve)": ["wrong_binary"],
    "ModuleNotFoundError: No module named 'numpy'": ["missing_module"],
    "/workspace/run.sh: line 1: node: command not found": ["missing_command"],
    "FileNotFoundError: [Errno 2] No such file or directory: 'input.txt'": ["missing_file"],
    "python3: can't open file '/workspace/solver.py': [Errno 2] No such file or directory": ["missing_file"],
    "MemoryError": ["memory"],
    "terminate called after throwing an instance of 'std::bad_alloc'": ["memory"],
    "EOFError: EOF when reading a line": ["input_ended"],
    "RecursionError: maximum recursion depth exceeded": ["recursion"],
    "RuntimeError: can't start new thread": ["too_many_processes"],
    "OSError: [Errno 27] File too large": ["disk_limit"],
    "IndexError: list index out of range": [],
    "AssertionError": [],
    "": [],
}


@pytest.mark.parametrize("text", SEEN)
def test_a_slip_is_known_by_what_programs_write(text):
    assert codes(text) == SEEN[text]
    for hint in hints(seen(text)):
        assert hint.seen in text


def test_a_script_with_windows_line_ends_is_known_by_its_first_bytes_where_nothing_is_said():
    found = hints(seen("/workspace/run.sh: line 5: syntax error: unexpected end of file", script=CRLF))
    assert found[0].code == "crlf"
    assert "run.sh" in found[0].text
    assert codes(script=CRLF, clean=True, exit_code=0) == []


def test_a_python_file_as_run_script_is_known_by_its_first_lines():
    (found,) = hints(seen(script=PYTHON))
    assert (found.code, found.seen) == ("python_as_script", "scripts/run.sh: # a comment")
    assert codes(script=SHELL) == []
    assert codes(script=Script(phase="run", path="run.sh", head="#!/usr/bin/env python3\nprint(1)\n")) == [
        "python_as_script"
    ]
    assert codes(script=Script(phase="run", path="run.sh", head="#!/usr/bin/env node\n")) == ["shebang_ignored"]
    for shell in ("#!/bin/sh\n", "#!/usr/bin/env bash\n", "#!/bin/dash -e\n", "# import nothing\nexec ./solve\n"):
        assert codes(script=Script(phase="run", path="run.sh", head=shell)) == []


@pytest.mark.parametrize(
    ("facts", "code"),
    [
        ({"exit_code": 126, "text": "/workspace/run.sh: line 1: ./solve: Permission denied"}, "not_executable"),
        (
            {"exit_code": 127, "text": "/workspace/run.sh: line 1: /tmp/solve: No such file or directory"},
            "missing_command",
        ),
        ({"exit_code": 127, "text": "run.sh: 1: exec: node: not found"}, "missing_command"),
        ({"exit_code": 139}, "crash_signal"),
        ({"exit_code": 134}, "crash_signal"),
        ({"exit_code": 153}, "disk_limit"),
        ({"exit_code": 137, "ended": "out_of_memory"}, "memory"),
        ({"exit_code": 124, "ended": "timed_out", "wall_s": 3.0, "cpu_s": 0.06}, "waited"),
    ],
)
def test_a_slip_is_known_by_how_the_program_ended(facts, code):
    assert codes(**facts) == [code]


def test_a_program_that_computed_until_its_time_was_over_did_not_wait():
    assert codes(ended="timed_out", exit_code=124, wall_s=3.0, cpu_s=2.9) == []
    # A busy machine gives a program a part of its time only.
    assert codes(ended="timed_out", exit_code=124, wall_s=3.0, cpu_s=0.3) == []
    assert codes(ended="timed_out", exit_code=124, wall_s=3.0, cpu_s=None) == []


def test_a_case_that_wrote_nothing_is_told_by_the_interface_that_it_has():
    quiet = {"clean": True, "exit_code": 0, "wrote": False, "left_files": False}
    assert codes(**quiet) == ["no_output"]
    assert codes(**quiet, wants_files=True) == ["no_output_file"]
    assert codes(**{**quiet, "wrote": True}) == []
    assert codes(**{**quiet, "wrote": True}, wants_files=True) == ["no_output_file"]
    assert codes(**{**quiet, "left_files": True}) == []
    assert codes(**{**quiet, "clean": False, "exit_code": 1}) == []


def test_a_session_that_stands_still_is_told_by_who_spoke_last():
    idle = {"phase": "session", "ended": "timed_out", "exit_code": 124, "wall_s": 8.0, "cpu_s": 0.06}
    assert codes(**idle, last_word="evaluator") == ["not_flushed"]
    assert codes(**idle, last_word="solution") == []
    assert codes(**idle, last_word="evaluator", open_line=True) == ["no_line_end"]
    assert codes(**{**idle, "cpu_s": 7.0}, last_word="evaluator") == []
    assert codes(**idle) == []


def test_what_could_not_be_started_is_looked_for_in_a_shared_container_alone():
    said = (
        "agentics: cannot run 'python9' in '/workspace' as the solution: [Errno 2] No such file or directory: 'python9'"
    )
    assert codes(said, phase="shared") == ["cannot_start"]
    assert "cannot_start" not in codes(said, phase="run")


def test_writing_to_the_workspace_is_no_slip_of_setup_and_build():
    said = "OSError: [Errno 30] Read-only file system: '/usr/lib/x'"
    assert codes(said, phase="build") == []


def test_hints_are_few_and_each_is_there_once():
    said = "\n".join(text for text in SEEN if "line 1: import" not in text)
    found = codes(said)
    assert len(found) == MOST == len(set(found))


def test_a_long_hostile_text_costs_no_more_than_a_short_one():
    # Each would take minutes where a pattern tries every way to split it.
    for text in ("\n" * 100_000, " \t" * 50_000, "#" * 100_000, "permission denied: '" * 10_000, "a: " * 50_000):
        assert codes(text, script=Script(phase="run", path="run.sh", head=text[:512])) is not None


def test_no_text_of_a_participant_can_name_a_field_of_a_hint():
    found = hints(seen("ModuleNotFoundError: {script} {0} {memory.__class__}", script=SHELL))
    assert found[0].seen == "ModuleNotFoundError: {script} {0} {memory.__class__}"
    assert hints(seen(script=Script(phase="run", path="{memory}.sh", head="import os\n")))[0].text.startswith(
        "{memory}.sh"
    )


def test_hints_of_several_cases_are_told_once_with_the_cases():
    one, other = Hint(code="crlf", text="a", seen="x"), Hint(code="memory", text="b")
    told = list(gathered([("first", (one,)), ("second", (one, other)), (None, (other,))]))
    assert [(hint.code, hint.cases) for hint in told] == [("crlf", ("first", "second")), ("memory", ("second",))]


def test_every_slip_is_documented_and_speaks_of_looks_only():
    for slip in SLIPS:
        assert slip.looks_like
        assert "looks like" in slip.text or slip.code in {"memory", "no_output", "no_output_file"}
