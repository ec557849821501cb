"""What reaches a terminal: data on stdout, talk on stderr, and no text of a stranger in a form that it would obey."""

from __future__ import annotations

import io
import json
import re

import pytest
from rich.table import Table
from rich.text import Text

from agentics.cli.console import PlainConsole, one_line, plain
from tests.fake_engine import exited
from tests.runner.lab import evaluator, solution

HOSTILE = {
    "colour": "\x1b[31m",
    "erase": "\x1b[2J",
    "title": "\x1b]0;owned\x07",
    "link": "\x1b]8;;http://evil\x1b\\",
    "c1": "\x9b31m",
    "backspace": "\b\b\b",
    "return": "\r",
    "bell": "\a",
    "override": "\u202e",
    "isolate": "\u2066",
    "zero width": "\u200b",
    "byte order": "\ufeff",
    "tag": "\U000e0041",
    "line separator": "\u2028",
    "surrogate": "\udcff",
}
ALLOWED = set("\n\t")


def tame(text: str) -> bool:
    return all(character in ALLOWED or character.isprintable() for character in text)


@pytest.mark.parametrize("name", HOSTILE)
def test_text_of_a_stranger_is_shown_and_not_obeyed(name):
    text = f"before{HOSTILE[name]}after"
    for shown in (plain(text), one_line(text)):
        assert tame(shown)
        assert shown.startswith("before")
        assert shown.endswith("after")


def test_text_of_a_stranger_is_cut():
    assert len(one_line("x" * 10_000)) <= 301
    assert plain("für 世界\tok\n") == "für 世界\tok\n"


def test_f55_what_a_solution_and_an_evaluator_say_never_steers_the_terminal(lab):
    text = "".join(HOSTILE[name] for name in HOSTILE if name != "surrogate") + "[bold]not markup[/bold] :boom:"
    lab.bundle("one")
    case = {"case_name": f"c{text}", "status": "failed", "score": 0.0, "message": text}
    said = evaluator(0, status="failed", logs=[text], public_results=[case])

    def loud(container):
        said(container)
        return exited(log=text.encode())

    lab.engine.behaviours |= {
        "separated-evaluator": loud,
        "run": lambda _: exited(1, log=text.encode()),
    }
    seen = lab.eval("one", "-v")
    assert tame(seen.out + seen.err)
    assert "[bold]not markup[/bold] :boom:" in seen.err


@pytest.mark.parametrize("name", ["colour", "title", "override", "return"])
def test_f55_names_of_files_in_an_error_never_steer_the_terminal(lab, name):
    bad = solution(lab.home / "x", f"s{HOSTILE[name]}")
    (bad / "agentics.solution.json").write_text('{"' + json.dumps(HOSTILE[name])[1:-1] + '": 1}')
    lab.bundle("one")
    for words in (["eval", "one", "--solution", bad], ["eval", bad / "absent", "--solution", "mine"]):
        said = lab(*words)
        assert said.status == 2
        assert said.out == ""
        assert tame(said.err)
        as_json = lab(*words, "--json")
        assert tame(as_json.out)
        assert as_json.json["error"]["code"] == "invalid_document"


def test_without_a_terminal_there_are_no_escape_codes_and_one_line_for_each_change(lab):
    lab.bundle("one")
    said = lab.eval("one")
    assert "\x1b" not in said.out + said.err
    assert tame(said.out + said.err)
    lines = said.err.splitlines()
    assert lines[0].startswith("run r in ")
    assert [line for line in lines if "case " in line and "/3 " in line] == [
        line for line in lines if ": case " in line
    ]
    assert lines[-1].startswith("✓ one.linux-arm64-cpu · mine: passed")


def test_stdout_has_the_table_and_nothing_of_the_talk(lab):
    lab.bundle("one")
    lab.engine.behaviours["separated-evaluator"] = evaluator(1)
    said = lab.eval("one")
    head, row, where = said.out.splitlines()
    assert head.split() == ["task", "status", "metric", "time", "memory"]
    assert row.split()[:5] == ["one.linux-arm64-cpu", "failed", "verdict_fail", "score", "0.333333"]
    assert where == f"run {lab.home}/outputs/r"
    assert "verdict_fail" in said.err


def test_quiet_leaves_the_table_and_the_failures(lab):
    lab.bundle("one")
    said = lab.eval("one", "--quiet")
    assert said.err == ""
    assert "passed" in said.out


def test_a_failure_is_told_with_code_facts_hint_and_log(lab):
    lab.bundle("one")
    lab.engine.behaviours |= {
        "separated-evaluator": lambda _: exited(
            137, ended="out_of_memory", wall_s=4.5, memory_peak_bytes=256 << 20, log=b"Killed: \x1b[31mno memory\n"
        )
    }
    said = lab.eval("one").err
    assert "error evaluator_out_of_memory one.linux-arm64-cpu · mine" in said
    assert "fault: challenge" in said
    assert "separated evaluator: out of memory (limit 256 MiB, after 4.50 of 20 s), peak 256 of 256 MiB" in said
    assert "log:       outputs/r/trials/trial_1/harness_stdout.log" in said
    assert "| Killed: \\u001b[31mno memory" in said
    assert (lab.home / "outputs/r/trials/trial_1/harness_stdout.log").is_file()


def test_of_an_official_evaluation_only_codes_and_figures_are_shown(lab):
    lab.bundle("one")
    lab.engine.behaviours |= {"separated-evaluator": lambda _: exited(3, log=b"the secret seed is 7\n")}
    said = lab.eval("one", "--mode", "official")
    assert "evaluator_crashed" in said.err
    assert "exit code 3" in said.err
    assert "secret seed" not in said.out + said.err
    assert "case-1" not in said.out + said.err
    as_json = lab.eval("one", "--mode", "official", "--json", run_id="j")
    assert "secret seed" not in as_json.out
    assert "case-1" not in as_json.out


def test_json_is_one_object_on_stdout_and_nothing_else(lab):
    lab.bundle("one")
    for words, status in ((["one"], 0), (["absent"], 2), (["one", "--limit", "x"], 2), ([], 2)):
        said = lab.eval(*words, "--json")
        assert said.status == status
        assert said.err == ""
        assert said.out.count("\n") == 1
        assert said.json["ok"] == (status == 0)


def test_the_json_of_a_run_has_what_its_files_have(lab):
    lab.bundle("one")
    said = lab.eval("one", "--json")
    assert said.json["run"] == {"run_id": "r", "run_dir": str(lab.home / "outputs/r")}
    assert said.json["exit_code"] == 0
    assert said.json["outcomes"] == {"mine": lab.outcome()}


@pytest.mark.parametrize("name", HOSTILE)
def test_the_console_itself_shows_what_nobody_made_fit_for_it(name):
    screen = PlainConsole(file=io.StringIO(), force_terminal=True, color_system="truecolor", width=200)
    table = Table("head")
    table.add_row(Text(HOSTILE[name]))
    for shown in (Text(HOSTILE[name]), table, "[link=http://evil.example]x[/link]"):
        screen.print(shown)
    screen.out(f"before{HOSTILE[name]}after")
    styles = re.compile(r"\x1b\[[0-9;]*m")
    assert tame(styles.sub("", screen.file.getvalue()))
