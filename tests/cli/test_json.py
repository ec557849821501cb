"""Every command speaks JSON to a program: one object, also where it fails."""

from __future__ import annotations

import pytest

from agentics.runner.machine import Cleaned
from tests.cli.walking import COMMANDS, PATH_WORDS, WORDS, as_json, call, shown

RUNS = [word for word in PATH_WORDS if "run directory" in getattr(word.said.parser, "role", "")]


def said_as_json(said):
    """The object of a command that was called for a program: stdout holds it, and nothing else is anywhere."""
    assert said.err == ""
    assert len(said.out.splitlines()) == 1
    return said.json


@pytest.mark.parametrize("command", [command for command, _ in COMMANDS], ids=" ".join)
def test_d3_every_command_takes_json(command):
    assert "--json" in {word.flag for word in WORDS if word.command == command}


@pytest.mark.parametrize("command", [command for command, _ in COMMANDS], ids=" ".join)
def test_d3_what_typer_refuses_is_json_too(lab, command):
    error = said_as_json(lab(*command, "--json", "--no-such-option"))["error"]
    assert (error["code"], error["details"]["exit_status"]) == ("usage", 2)


def test_d3_plans_are_in_one_object_with_the_network_of_each_target(lab):
    lab.bundle("one")
    plain = lab("plan", "one", "--solution", "mine").json
    told = said_as_json(lab("plan", "one", "--solution", "mine", "--json"))
    assert told == {"ok": True, "command": "plan", "plans": [plain], "network": {"linux-arm64-cpu": None}}


def test_d3_the_public_view_of_a_challenge_is_the_same_with_json(lab):
    lab.bundle("one")
    assert said_as_json(lab("challenge", "show", "one", "--json")) == lab("challenge", "show", "one").json
    assert said_as_json(lab("challenge", "show", "absent", "--json"))["error"]["code"] == "invalid_document"


def test_d3_what_was_cleaned_is_counted(lab, monkeypatch):
    cleaned = Cleaned(containers=2, scratch_directories=3, left=())
    monkeypatch.setattr("agentics.cli.machine.clean_machine", lambda *_, **__: cleaned)
    told = said_as_json(lab("clean", "--json"))
    facts = {"containers": 2, "scratch_directories": 3, "left": [], "setups": None}
    assert told == {"ok": True, "command": "clean", **facts}
    assert said_as_json(lab("clean", "--setups", "--json"))["setups"] == {"count": 0, "bytes": 0, "in_use": 0}


def test_d3_schemas_are_written_and_compared(lab):
    written = said_as_json(lab("schema", "export", "s", "--json"))
    assert (written["ok"], written["folder"]) == (True, "s")
    assert sorted(written["files"]) == sorted(path.name for path in (lab.home / "s").iterdir())
    assert said_as_json(lab("schema", "check", "s", "--json"))["stale"] == []
    (lab.home / "s" / "plan.schema.json").write_text("{}")
    checked = lab("schema", "check", "s", "--json")
    assert checked.status == 1
    assert said_as_json(checked)["stale"] == ["plan.schema.json"]
    assert checked.json["error"]["code"] == "stale_schema"


@pytest.mark.parametrize("words", [(), ("--json",)])
def test_d3_errors_of_a_gate_are_json_with_and_without_the_option(lab, words):
    lab.bundle("one")
    lab.eval("one")
    (lab.home / "outputs/r/mine/run_outcome.json").write_text("{}")
    for place, status, code in (("absent", 2, "no_such_run"), ("outputs/r", 5, "damaged_file")):
        said = lab("run", "gate", place, *words)
        assert (said.status, said_as_json(said)["error"]["code"]) == (status, code)
    for wrong in (["--bogus"], ["outputs/r", "--exit-code", "x"], []):
        said = lab("run", "gate", *wrong, *words)
        assert (said.status, said_as_json(said)["error"]["code"]) == (2, "usage")


@pytest.mark.parametrize("word", RUNS, ids=shown)
def test_c5_what_is_no_run_directory_is_no_such_run_for_every_command(lab, word):
    (lab.home / "empty").mkdir()
    (lab.home / "empty" / "thesis.tex").write_text("years of work")
    before = sorted(lab.home.rglob("*"))
    for place in ("absent", "absent/below", "empty", "mine"):
        said = lab(*as_json(call(word, place)))
        assert (said.status, said_as_json(said)["error"]["code"]) == (2, "no_such_run"), said
    assert sorted(lab.home.rglob("*")) == before
