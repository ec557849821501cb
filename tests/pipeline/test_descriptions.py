"""A2 to A5, A14, A15: what stages say of themselves, and what is said of their options."""

from __future__ import annotations

import json
import signal
import socket
from importlib.metadata import EntryPoint
from types import SimpleNamespace

import pytest

from agentics import pipeline
from agentics.model.plan.pipeline import experiment
from agentics.pipeline.contract.description import normalise, problems
from agentics.pipeline.contract.option_types import value_problems
from agentics.pipeline.contract.options import option_problems, with_defaults
from agentics.pipeline.contract.registry import Registry, StageUnavailable
from agentics.pipeline.timing import needs
from agentics.stages import BUILT_IN, registry
from tests.runner.lab import lab

__all__ = ["lab"]

GOOD = {"name": "a", "description": "d", "required": ["x"], "optional": ["y"], "types": {"x": "integer", "y": "any"}}
SEED = {"name": "a", "required": ["x"], "optional": [], "types": {"x": "string"}}


@pytest.mark.parametrize("name", registry().names())
def test_a2_every_stage_describes_itself_in_a_way_that_is_accepted_and_is_json(name):
    said = registry().find(name).stage.describe({})
    assert problems(normalise(said)) == []
    json.dumps(normalise(said))


def test_a3_a_description_of_the_first_form_is_accepted():
    assert problems(normalise(SEED)) == []
    older = normalise({"stage": "a", "colour": "red"})
    assert (older["name"], older["required"], older["__extensions__"]) == ("a", [], {"colour": "red"})
    assert problems(older) == []


@pytest.mark.parametrize(
    ("change", "about"),
    [
        ({"optional": ["x"]}, ["x"]),
        ({"types": {}}, ["x"]),
        ({"types": {"x": "number"}}, ["number"]),
        ({"defaults": {"x": 1}}, ["defaults"]),
        ({"name": "Not_A"}, ["name"]),
        ({"description": ""}, ["description"]),
        ({"name": "B", "description": "", "types": {}}, ["name", "description", "x"]),
    ],
)
def test_a4_everything_that_is_wrong_with_a_description_is_named_at_once(change, about):
    found = problems({**GOOD, **change})
    assert len(found) >= len(about)
    assert all(any(word in each for each in found) for word in about), found


@pytest.mark.parametrize("how", ["bogus", "error", None])
def test_a4_an_option_of_the_run_in_a_description_is_refused_and_not_taken_for_an_extension(how):
    (found,) = problems(normalise({**GOOD, "validate_options": how}))
    assert found.startswith("validate_options: ")
    with pytest.raises(StageUnavailable, match="validate_options") as refused:
        Registry.of(
            SimpleNamespace(run=lambda context, _: context, describe=lambda _: {**GOOD, "validate_options": how})
        )
    assert refused.value.code == "bad_stage"


def of(kind, **more):
    return {"kind": kind, **more}


@pytest.mark.parametrize(
    ("spec", "good", "bad", "where"),
    [
        ("string", "a", 1, "X"),
        ("integer", 1, True, "X"),
        ("integer", 1, 1.5, "X"),
        ("float", 1, True, "X"),
        ("float", 1.5, "1.5", "X"),
        ("boolean", True, 1, "X"),
        ("map", {}, [], "X"),
        ("list", [], {}, "X"),
        (of("enum", values=["a", "b"]), "a", "c", "X"),
        (of("list", of="integer"), [1, 2], [1, "2"], "X[1]"),
        (of("map", keys="string", values="integer"), {"a": 1}, {"a": "1"}, "X"),
        (of("union", of=["integer", "string"]), "a", [], "X"),
        (of("tuple", of=["integer", "string"]), [1, "a"], ["a", 1], "X[0]"),
        (of("function", arity=1), lambda x: x, 3, "X"),
    ],
)
def test_a5_every_type_takes_what_it_is_for_and_says_where_it_does_not(spec, good, bad, where):
    assert value_problems(good, spec, "X") == []
    wrong = value_problems(bad, spec, "X")
    assert wrong
    assert wrong[0].startswith(where), wrong


def test_an_option_that_does_not_hold_a_secret_in_its_complaint():
    assert "hunter2" not in "".join(value_problems("hunter2", "integer", "X"))


def test_a14_the_list_is_the_registry_and_one_is_shown_with_types_and_defaults(lab):
    said = lab("stages", "--json").json
    assert [each["name"] for each in said["stages"]] == registry().names()
    assert lab("stages", "list", "--json").json == said
    one = lab("stages", "--name", "bench", "--json").json["stage"]
    assert (one["types"]["alpha"], one["defaults"]["alpha"]) == ("float", 0.05)
    assert lab("stages", "show", "bench", "--json").json["stage"] == one
    told = lab("stages", "show", "bench")
    assert (told.status, "alpha: float" in told.out) == (0, True)
    unknown = lab("stages", "show", "banch", "--json")
    assert (unknown.status, unknown.json["error"]["code"]) == (2, "unknown_stage")
    assert "'banch'" in unknown.json["error"]["message"]
    assert unknown.json["error"]["hint"] == "did you mean 'bench'?"


@pytest.mark.parametrize("raised", ["SystemExit(0)", "KeyboardInterrupt()", "ValueError('no')"])
def test_a8_what_an_added_stage_raises_at_import_is_told_and_ends_nothing(lab, monkeypatch, tmp_path, raised):
    (tmp_path / "broken_stage.py").write_text(f"raise {raised}\n")
    monkeypatch.syspath_prepend(tmp_path)
    before = signal.signal(signal.SIGINT, lambda *_: None)  # as in every command that evaluates
    point = EntryPoint(name="broken", value="broken_stage", group="agentics.stages")
    monkeypatch.setattr("agentics.cli.stages.registry", lambda: Registry(BUILT_IN.stages, lambda: [point]))
    try:
        said = lab("stages", "list", "--json")
    finally:
        signal.signal(signal.SIGINT, before)
    assert (said.status, len(said.json["stages"])) == (0, len(BUILT_IN.stages))
    (told,) = said.json["refused"]
    assert told["code"] == "bad_stage"
    assert told["message"].startswith(f"stage broken is refused: broken_stage: {raised.partition('(')[0]}")


@pytest.mark.parametrize("words", [("--json", "list"), ("--name", "bench", "list", "--json")])
def test_an_option_that_a_command_would_not_hear_is_refused(lab, words):
    said = lab("stages", *words)
    assert (said.status, said.json["error"]["code"]) == (2, "usage")


def test_a15_without_a_network_only_stages_that_need_the_engine_can_fail(monkeypatch, tmp_path):
    def refuse(*_, **__):
        raise AssertionError("a stage opened a socket")

    monkeypatch.setattr(socket, "socket", refuse)
    monkeypatch.chdir(tmp_path)
    options = {"guardrails": {"adapter": len}}
    for name in BUILT_IN.stages:
        description = registry().find(name).description
        given = with_defaults(description, options.get(name, {}))
        ended = pipeline.run(experiment("e", "b", name, **given), persist=False, registry=registry())
        if isinstance(ended, pipeline.StageFailure) and ended.reason not in ("bad_samples",):
            assert needs(description) or ended.reason in ("needs_trial", "stage_exception"), (name, ended.reason)
            assert name not in ("validate", "data_checks", "guardrails", "bench", "report")


@pytest.mark.parametrize("name", ["validate", "data_checks", "guardrails", "bench", "report"])
def test_no_stage_misses_an_option_that_it_did_not_say_it_requires(name, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    description = registry().find(name).description
    least = {"guardrails": {"adapter": len}}.get(name, {})
    assert set(least) == set(description["required"])
    assert option_problems(description, with_defaults(description, least)) == []
    ended = pipeline.run(experiment("e", "b", name, **least), persist=False, registry=registry())
    assert not isinstance(ended, pipeline.StageFailure), ended.trouble


OWN = '\n[[stages]]\nname = "{name}"\nafter = "{after}"\noptions = {options}\n'


@pytest.mark.parametrize(
    ("name", "after", "options", "code", "hint"),
    [
        ("banch", "cases", "{}", "unknown_stage", "did you mean 'bench'?"),
        ("bench", "casse", "{}", "unknown_stage", "did you mean 'cases'?"),
        ("bench", "cases", '{ alpha = "x" }', "invalid_options", "`agentics stages show bench` lists them"),
    ],
)
def test_an_operators_stage_that_cannot_be_is_refused_before_anything_starts(lab, name, after, options, code, hint):
    lab.bundle("one")
    with (lab.home / "agentics.toml").open("a") as file:
        file.write(OWN.format(name=name, after=after, options=options))
    said = lab.eval("one", "--json")
    assert (said.status, said.json["error"]["code"], said.json["error"]["hint"]) == (2, code, hint)
    assert not (lab.home / "outputs").exists()


def test_operators_stages_after_the_same_one_come_in_the_order_of_the_file(lab):
    lab.bundle("one")
    with (lab.home / "agentics.toml").open("a") as file:
        for name, after in (("data_checks", "cases"), ("bench", "data_checks"), ("validate", "cases")):
            file.write(OWN.format(name=name, after=after, options="{}"))
    names = [stage["name"] for stage in lab("plan", "one", "--solution", "mine").json["stages"]]
    assert names == ["prepare", "cases", "data_checks", "bench", "validate", "evaluate", "read_result"]


def test_an_operators_stage_is_in_the_plan_and_runs_where_it_says(lab):
    lab.bundle("one")
    with (lab.home / "agentics.toml").open("a") as file:
        file.write(OWN.format(name="data_checks", after="cases", options="{}"))
    names = [stage["name"] for stage in lab("plan", "one", "--solution", "mine").json["stages"]]
    assert names == ["prepare", "cases", "data_checks", "evaluate", "read_result"]
    assert lab.eval("one").status == 0
    records = lab.lines("trials/trial_1/attempts/1/stages.jsonl")
    assert [record["name"] for record in records] == names
