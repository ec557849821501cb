"""What `agentics eval` refuses before anything starts: with a code, a place and a hint, and without a trace."""

from __future__ import annotations

import json

import pytest

from tests.runner.lab import solution


@pytest.fixture
def two(lab):
    lab.bundle("one")
    lab.bundle("two")
    return lab


def refused(lab, *words, run_id="r"):
    """The error's body of a command that must not have started anything."""
    said = lab.eval(*words, "--json", run_id=run_id)
    assert said.status == 2, said
    assert not (lab.home / "outputs").exists()
    assert lab.engine.calls == []
    assert said.err == ""
    assert not said.json["ok"]
    return said.json["error"]


@pytest.mark.parametrize(
    "run_id", ["../../x", "", "a/b", "x" * 300, "..", "-x", ".hidden", "a..b", "a\x1b[31m", "a\n", "/abs", "ä", "a b"]
)
def test_b8_a_run_id_that_could_leave_its_directory_is_refused(two, run_id):
    before = sorted(two.home.parent.rglob("*"))
    said = two("eval", "one", "--solution", "mine", f"--run-id={run_id}", "--json")
    assert (said.status, said.json["error"]["code"]) == (2, "invalid_run_id")
    assert "letters, digits" in said.json["error"]["hint"]
    assert sorted(two.home.parent.rglob("*")) == before


@pytest.mark.parametrize(
    ("words", "code", "hint"),
    [
        (["one", "--target", "linux-amd64-cpu"], "unknown_target", "linux-arm64-cpu"),
        (["one", "--tasks", "three"], "unknown_task", "one.linux-arm64-cpu"),
        (["one", "--overlay", "mine"], "overlay_in_validation", "--mode official"),
        (["one", "--mode", "official", "--overlay", "absent"], "overlay_missing", "directory or a ZIP"),
        (["one", "two", "--mode", "official", "--overlay", "mine"], "ambiguous_overlay", "CHALLENGE=PATH"),
        (["one", "--mode", "official", "--overlay", "three=mine"], "unknown_challenge", "one"),
        (["one", "one"], "task_collision", None),
        (["one", "--image", "nothing"], "bad_image", "ghcr.io"),
        (["one", "--solution", "mine"], "variant_collision", "NAME=PATH"),
        (["one", "--solution", "../home/mine"], "variant_collision", "NAME=PATH"),
        (["one", "--solution", "a/mine=mine"], "variant_collision", "NAME=PATH"),
        (["one", "--solution", "trials=mine"], "invalid_variant", "run directory"),
        (["one", "--solution", "\x1b[2J=mine"], "invalid_variant", "letters"),
        (["one", "--config", "absent"], "invalid_config", "NAME.toml"),
        (["one", "--limit", "-1"], "usage", None),
        (["one", "--jobs", "0"], "usage", None),
        (["one", "--mode", "both"], "usage", None),
        (["one", "--exit-policy", "lenient"], "usage", None),
        (["one", "--bogus"], "usage", None),
    ],
)
def test_a_request_that_makes_no_sense_is_refused(two, words, code, hint):
    error = refused(two, *words)
    assert error["code"] == code
    assert hint is None or hint in error["hint"]
    assert error["details"]["exit_status"] == 2


def test_an_evaluation_of_nothing_is_refused(lab):
    said = lab("eval", "--solution", "mine", "--json")
    assert (said.status, said.json["error"]["code"]) == (2, "no_bundle")
    lab.bundle("one")
    said = lab("eval", "one", "--json")
    assert (said.status, said.json["error"]["code"]) == (2, "no_solution")


@pytest.mark.parametrize("path", ["absent", "mine/run.sh", "."])
def test_a_path_that_is_no_bundle_is_named_in_a_finding(lab, path):
    error = refused(lab, path)
    assert error["code"] == "invalid_document"
    assert any("spec.json" in finding["file"] for finding in error["details"]["findings"])


def test_a_bundle_that_breaks_its_contract_is_refused_with_every_place(lab):
    root = lab.bundle("one")
    spec = json.loads((root / "spec.json").read_text())
    spec |= {"keywords": [], "solution_publicatoin": "public"}
    (root / "spec.json").write_text(json.dumps(spec, indent=2))
    findings = refused(lab, "one")["details"]["findings"]
    by_pointer = {finding["pointer"]: finding for finding in findings}
    assert "/keywords" in by_pointer
    typo = by_pointer["/solution_publicatoin"]
    assert typo["line"] > 1
    assert "solution_publication" in typo["hint"]


@pytest.mark.parametrize("path", ["absent", "one/spec.json", "one"])
def test_a_path_that_is_no_solution_is_refused_with_its_place(lab, path):
    lab.bundle("one")
    said = lab("eval", "one", "--solution", path, "--json")
    assert (said.status, said.json["error"]["code"]) == (2, "invalid_document")
    assert said.json["error"]["details"]["findings"]
    assert not (lab.home / "outputs").exists()


@pytest.mark.parametrize(
    "words", [["--tasks", "one", "two"], ["--tasks", "one,two"], ["--tasks", "one", "--tasks", "two"]]
)
def test_tasks_are_listed_with_spaces_commas_or_one_by_one(two, words):
    two.bundle("three")
    said = two("eval", "one", "two", "three", *words, "--solution", "mine", "--run-id", "r")
    assert said.status == 0
    assert [task.partition(".")[0] for task in two.outcome()["tasks"]] == ["one", "two"]


def test_a_file_holds_the_options_and_the_command_line_wins(two):
    (two.home / "configs").mkdir()
    (two.home / "configs" / "nightly.toml").write_text(
        'bundles = ["../one", "../two"]\nsolutions = ["../mine"]\nrun_id = "filed"\nexit_policy = "strict"\nlimit = 1\n'
    )
    assert two("eval", "--config", "nightly").status == 0
    assert two.cases_run() == 2
    assert two.outcome("filed_LIMITED")["exit_policy"] == "strict"
    assert two("eval", "--config", "configs/nightly.toml", "--run-id", "said", "--limit", "2").status == 0
    assert two.cases_run() == 2 + 4
    assert two.outcome("said_LIMITED")["status"] == "passed"


@pytest.mark.parametrize(
    ("text", "named", "hint"),
    [
        ('solutoins = ["mine"]', "solutoins", "did you mean 'solutions'?"),
        ("limit = -1", "limit", None),
        ('limit = "3"', "limit", None),
        ('exit_policy = "lenient"', "exit_policy", None),
        ("bundles = [", "configs/c.toml", None),
    ],
)
def test_a_file_of_options_that_is_wrong_is_named_with_its_key(lab, text, named, hint):
    (lab.home / "configs").mkdir()
    (lab.home / "configs" / "c.toml").write_text(text)
    error = refused(lab, "--config", "c")
    assert error["code"] == "invalid_config"
    assert named in error["message"]
    assert error["hint"] == hint


def test_a_name_that_stands_for_two_files_is_refused(lab):
    for folder in ("configs/a", "configs/b"):
        (lab.home / folder).mkdir(parents=True)
        (lab.home / folder / "c.toml").write_text("")
    assert "ambiguous" in refused(lab, "--config", "c")["message"]


@pytest.mark.parametrize(
    ("text", "named", "hint"),
    [
        ("[sandbox]\nscrach = '/x'", "sandbox.scrach", "did you mean 'scratch'?"),
        ("[retry]\nattempts = 0", "retry.attempts", None),
        ("[[images.map]]\nreference = 'x'", "image", None),
        ("[retries]\n", "retries", "did you mean 'retry'?"),
        ("[sandbox", "agentics.toml", "the file must be TOML"),
    ],
)
def test_an_operators_file_that_is_wrong_is_named_with_its_key(lab, text, named, hint):
    lab.bundle("one")
    (lab.home / "agentics.toml").write_text(text)
    error = refused(lab, "one")
    assert error["code"] == "invalid_config"
    assert named in error["message"]
    assert hint is None or error["hint"] == hint


def test_a_directory_that_is_no_run_is_left_alone(lab):
    lab.bundle("one")
    place = lab.home / "outputs" / "r"
    place.mkdir(parents=True)
    (place / "thesis.tex").write_text("years of work")
    said = lab.eval("one", "--json")
    assert (said.status, said.json["error"]["code"]) == (2, "not_a_run")
    assert [path.name for path in place.iterdir()] == ["thesis.tex"]


def test_what_people_read_has_the_code_the_place_and_the_hint(lab):
    root = lab.bundle("one")
    (root / "spec.json").write_text("{\n  'a': 1\n}")
    said = lab.eval("one")
    assert (said.status, said.out) == (2, "")
    assert said.err.startswith("error invalid_document: ")
    assert "one/spec.json:2:3: " in said.err


def test_a_solution_of_any_name_can_be_named_otherwise(lab):
    lab.bundle("one")
    solution(lab.home / "odd", "a=b c")
    assert lab("eval", "one", "--solution", "good=odd/a=b c", "--run-id", "r", "--exit-policy", "strict").status == 0
    assert lab.tasks(variant="good") == [("passed", None, 1)]
