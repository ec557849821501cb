"""`agentics run case`: one case whole, found by any of its names."""

from __future__ import annotations

import json

import pytest

from tests.cli.test_terminal import HOSTILE, tame
from tests.fake_engine import exited, writes
from tests.runner.lab import evaluator, solution

SAID = [
    {"case_name": "Small", "status": "passed", "score": 1.0},
    {"case_name": "Middle", "status": "failed", "score": 0.0, "message": "line 1 is wrong"},
    {"case_name": "Large", "status": "passed", "score": 1.0},
]


@pytest.fixture
def ran(lab):
    """A run of three cases with files; the second failed."""
    lab.bundle("one")
    files = {"/io/stdout.txt": "out\n" * 5000, "/io/stderr.txt": "warned\n", "/io/output/result.txt": "left"}
    lab.engine.behaviours |= {"run": writes(files), "separated-evaluator": evaluator(2, public_results=SAID)}
    lab.eval("one")
    return lab


@pytest.mark.parametrize("name", ["case-2", "run-0002", "Middle"])
def test_a_case_is_found_by_its_name_its_alias_and_the_evaluators_name(ran, name):
    said = ran("run", "case", "outputs/r", name)
    assert said.status == 0
    assert said.err == ""
    assert "case case-2 (run-0002) one.linux-arm64-cpu · mine · trial_1\n" in said.out
    assert "  evaluator: failed, score 0 (as Middle): line 1 is wrong\n" in said.out
    assert "  ended:     ran (0.01 of 3 s), peak 1 of 128 MiB, 0.01 s of processor time\n" in said.out
    assert (
        "  left:      output/result.txt, 4 bytes, outputs/r/trials/trial_1/cases/case-2/output/result.txt\n" in said.out
    )
    assert "\nstdin 2 bytes\n2\n" in said.out
    assert "\nstdout 20000 bytes\n" + "out\n" * 5000 in said.out
    assert said.out.endswith("\nstderr 7 bytes\nwarned\n")


def test_a_case_that_passed_can_be_looked_at_too(ran):
    found = ran("run", "case", "outputs/r", "case-3", "--json").json
    assert (found["command"], found["case"]["evaluator"]["status"]) == ("run case", "passed")
    assert found["case"]["stdout"]["text"] == "out\n" * 5000
    assert found["case"]["stdout"]["file"] is None
    assert (ran.home / "outputs/r" / found["case"]["stdout"]["whole"]).read_text() == "out\n" * 5000
    assert found["ids"]["trial_id"] == "trial_1"
    assert found["hints"] == []


def test_a_name_that_is_not_there_is_refused_with_those_that_are(ran):
    said = ran("run", "case", "outputs/r", "case-9", "--json")
    assert (said.status, said.json["error"]["code"]) == (2, "case_not_found")
    assert said.json["error"]["hint"].startswith("there is case-1, case-2, case-3, Small, ")


def test_a_name_in_several_trials_has_to_be_narrowed_down(ran):
    solution(ran.home, "other")
    ran("eval", "one", "--solution", "mine", "--solution", "other", "--run-id", "r")
    said = ran("run", "case", "outputs/r", "case-2", "--json")
    assert said.json["error"]["code"] == "case_ambiguous"
    assert "trial_1 (mine on one.linux-arm64-cpu), trial_2 (other on one.linux-arm64-cpu)" in said.json["error"]["hint"]
    for narrowed in (["--trial", "trial_2"], ["--variant", "other"], ["--variant", "other", "--task", "one"]):
        assert ran("run", "case", "outputs/r", "case-2", *narrowed, "--json").json["ids"]["trial_id"] == "trial_2"
    assert (
        ran("run", "case", "outputs/r", "case-2", "--task", "two", "--json").json["error"]["code"] == "case_not_found"
    )


def test_a_replay_is_meant_only_where_it_is_named(ran):
    ran("run", "replay", "outputs/r", "--trial-id", "trial_1")
    assert ran("run", "case", "outputs/r", "case-2", "--json").json["ids"]["trial_id"] == "trial_1"
    (place,) = (ran.home / "outputs/r/replays").iterdir()
    found = ran("run", "case", "outputs/r", "case-2", "--trial", f"trial_1_{place.name}", "--json").json
    assert found["ids"]["trial_id"] == f"trial_1_{place.name}"


def test_a_long_text_is_cut_and_the_place_of_the_whole_is_told(ran):
    ran.engine.behaviours["run"] = writes({"/io/stdout.txt": "x" * 600_000})
    ran.eval("one", "--no-resume")
    said = ran("run", "case", "outputs/r", "case-2")
    assert "stdout the last 262144 of 600000 bytes, outputs/r/artifacts/sha256/" in said.out


def test_what_a_case_wrote_never_steers_the_terminal_unless_that_is_asked_for(lab):
    text = "".join(HOSTILE[name] for name in HOSTILE if name != "surrogate") + "[bold]not markup[/bold]"
    lab.bundle("one", cases=1)
    files = {"/io/stdout.txt": text, "/io/stderr.txt": text, f"/io/output/{'a [red]b'}": "x"}
    said = [{"case_name": f"c{text}", "status": "failed", "score": 0.0, "message": text}]
    lab.engine.behaviours |= {"run": writes(files, exited(1)), "separated-evaluator": evaluator(0, public_results=said)}
    lab.eval("one")
    shown = lab("run", "case", "outputs/r", "case-1").out
    assert tame(shown)
    assert "[bold]not markup[/bold]" in shown
    assert "output/a [red]b" in shown
    assert text in lab("run", "case", "outputs/r", "case-1", "--raw").out
    assert tame(json.dumps(lab("run", "case", "outputs/r", "case-1", "--json").json))
