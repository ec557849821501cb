"""The other commands: plan, run, challenge, schema; version, help, completion; and what an import brings."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

from agentics import __version__
from agentics.cli import COMMANDS, command_tree
from tests.conftest import BUNDLES
from tests.runner.lab import evaluator

ROOT = Path(__file__).parents[2]
GOLDEN = ROOT / "tests" / "policy" / "golden"


def process(*words, **more):
    return subprocess.run(
        [sys.executable, *map(str, words)], capture_output=True, text=True, check=False, timeout=60, **more
    )


@pytest.mark.parametrize("mode", ["validation", "official"])
def test_a_plan_is_printed_without_an_engine_and_is_the_golden_one(lab, mode):
    said = lab(
        "plan", BUNDLES / "range-sums", "--solution", BUNDLES / "range-sums/solutions/build-fails", "--mode", mode
    )
    golden = json.loads((GOLDEN / f"range-sums.{mode}.json").read_text(encoding="utf-8"))
    # The golden plan is that of a solution with every script; this one has no setup.
    golden["stages"] = [stage for stage in golden["stages"] if stage["name"] != "solution_setup"]
    assert said.status == 0
    assert said.err == ""
    assert said.json == golden
    assert lab.engine.calls == []


def test_a_plan_with_a_limit_says_so(lab):
    lab.bundle("one")
    said = lab("plan", "one", "--solution", "mine", "--limit", "1")
    assert [stage["options"]["limit"] for stage in said.json["stages"] if stage["name"] == "cases"] == [1]


@pytest.mark.parametrize(
    ("passed", "cases", "gate"),
    [(3, 3, True), (2, 3, False), (0, 3, False)],
)
def test_b10_the_gate_of_a_run_follows_its_outcome(lab, passed, cases, gate):
    lab.bundle("one", cases=cases)
    lab.engine.behaviours["separated-evaluator"] = evaluator(passed)
    lab.eval("one", "--exit-policy", "smoke")
    for path in ("outputs/r", "outputs/r/mine/run_outcome.json"):
        said = lab("run", "gate", path)
        assert (said.status, said.json["gate"]) == (0 if gate else 1, gate)


def test_b10_the_gate_stays_shut_for_another_exit_code_and_for_what_is_no_outcome(lab):
    lab.bundle("one")
    lab.eval("one")
    assert lab("run", "gate", "outputs/r", "--exit-code", "5").status == 1
    assert lab("run", "gate", "outputs/absent").status == 2
    outcome = lab.home / "outputs/r/mine/run_outcome.json"
    outcome.write_text("{}")
    assert lab("run", "gate", "outputs/r").status == 5
    outcome.unlink()
    assert lab("run", "gate", "outputs/r").status == 2


def test_a_run_is_shown_as_it_was_and_in_public_without_paths(lab):
    lab.bundle("one")
    lab.eval("one")
    shown = lab("run", "show", "outputs/r")
    assert shown.status == 0
    assert "one.linux-arm64-cpu" in shown.out
    assert "run r: completed" in shown.out
    as_json = lab("run", "show", "outputs/r", "--json").json["mine"]
    assert as_json["tasks"] == lab.outcome()["tasks"]
    public = lab("run", "show", "outputs/r", "--public")
    assert public.json["run_id"] == "r"
    assert str(lab.home) not in public.out
    assert lab("run", "show", "mine", "--json").json["error"]["code"] == "no_such_run"


def test_a_challenge_is_checked_and_shown(lab):
    lab.bundle("one")
    good = lab("challenge", "check", "one", "--json")
    assert (good.status, good.json["checked_count"], good.json["failed_count"]) == (0, 1, 0)
    assert lab("challenge", "show", "one").json["challenge_name"] == "one"
    (lab.home / "one" / "statement.md").unlink()
    bad = lab("challenge", "check", "one")
    assert bad.status == 1
    assert "statement.md" in bad.err


def test_schemas_are_exported_and_compared(lab):
    assert lab("schema", "export", "s").status == 0
    assert lab("schema", "check", "s").status == 0
    (lab.home / "s" / sorted(p.name for p in (lab.home / "s").iterdir())[0]).write_text("{}")
    assert lab("schema", "check", "s").status == 1


def test_the_version_is_data(lab):
    assert lab("--version").out == f"agentics {__version__}\n"
    assert process("-m", "agentics", "--version").stdout == f"agentics {__version__}\n"


@pytest.mark.parametrize("command", COMMANDS)
def test_every_command_explains_itself_with_an_example(lab, command):
    said = lab(command, "--help")
    assert said.status == 0
    assert "Usage: agentics " + command in said.out
    assert said.err == ""


def test_help_lists_every_command_and_has_examples(lab):
    said = lab("-h")
    assert said.status == 0
    assert all(command in said.out for command in COMMANDS)
    assert "agentics eval bundles/range-sums" in said.out


def test_the_list_of_commands_says_of_each_what_the_command_says_of_itself(lab, monkeypatch):
    listed = lab("--help").out
    monkeypatch.setattr("agentics.cli.command_tree", lambda _: command_tree())
    assert lab("--help").out == listed


def test_a_command_that_is_misspelt_is_answered_with_the_right_one(lab):
    said = lab("evl")
    assert said.status == 2
    assert "'eval'" in said.err


@pytest.mark.parametrize("shell", ["bash", "zsh", "fish"])
def test_a_shell_is_given_a_completion_script(lab, monkeypatch, shell):
    monkeypatch.setenv("_AGENTICS_COMPLETE", f"source_{shell}")
    script = lab()
    assert script.status == 0
    assert "_AGENTICS_COMPLETE" in script.out


@pytest.mark.parametrize(
    ("words", "known"), [("agentics ", set(COMMANDS)), ("agentics eval --exit", {"--exit-policy"})]
)
def test_completion_knows_commands_and_options(lab, monkeypatch, words, known):
    monkeypatch.setenv("_AGENTICS_COMPLETE", "complete_bash")
    monkeypatch.setenv("COMP_WORDS", words)
    monkeypatch.setenv("COMP_CWORD", str(len(words.split(" ")) - 1))
    assert known <= set(lab().out.split())


HEAVY = {"docker", "requests", "urllib3", "tenacity", "jsonschema", "pydantic", "agentics.model.plan.trial_plan"}


@pytest.mark.parametrize(
    ("source", "spared"),
    [
        ("import agentics.cli", HEAVY),
        ("from agentics.cli import main; main(['--version'])", HEAVY),
        ("from agentics.cli import main; main(['--help'])", HEAVY),
        ("from agentics.cli import main; main(['eval', '--help'])", {"docker", "requests", "urllib3", "jsonschema"}),
    ],
)
def test_an_import_brings_no_module_that_its_command_does_not_need(source, spared):
    report = "import atexit, sys; atexit.register(lambda: print('\\n'.join(sys.modules), file=sys.stderr))\n"
    done = process("-c", report + source, cwd=ROOT)
    loaded = set(done.stderr.split())
    assert "agentics.cli" in loaded, done.stderr
    assert spared & loaded == set()


@pytest.mark.parametrize("words", ["plan {b} --solution {b}/solutions/accepted-python", "--help", "challenge show {b}"])
def test_a_reader_who_goes_away_is_no_accident(words):
    command = words.format(b=BUNDLES / "range-sums")
    done = subprocess.run(
        ["bash", "-c", f"{sys.executable} -m agentics {command} | head -c 10"],
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
    )
    assert len(done.stdout) == 10
    assert done.stderr == ""
