"""A1, A6 to A13, A16: the one loop. Stages here are small and need nothing."""

from __future__ import annotations

import ast
import json
import logging
import signal
import subprocess
import sys
import threading
from pathlib import Path
from types import SimpleNamespace

import pytest

from agentics import pipeline
from agentics.errors import UsageError
from agentics.model.plan.pipeline import Experiment, experiment, problems, to_json
from agentics.pipeline.contract.registry import Registry
from agentics.pipeline.contract.stage import Context, StageFailure
from agentics.pipeline.run_store import DirectoryStore

ROOT = Path(__file__).parents[2]


def stage(name, act=None, **description):
    """A stage that puts a metric of its name, or does what it is told; `calls` counts."""
    made = SimpleNamespace(calls=0)

    def run(context, options):
        made.calls += 1
        return act(context, options) if act is not None else context.put_metric(name, dict(options))

    said = {"name": name, "description": "d", "required": [], "optional": [], "types": {}, **description}
    made.run, made.describe = run, lambda _: said
    return made


def carry_out(*stages, root=None, plan=None, **wanted):
    names = [each.describe({})["name"] for each in stages]
    wanted.setdefault("registry", Registry.of(*stages))
    asked = plan or experiment("e", "b", names[0])
    for name in [] if plan else names[1:]:
        asked = asked.with_stage(name)
    keep = {"store": DirectoryStore(root)} if root is not None else {"persist": False}
    return pipeline.run(asked, **keep, **wanted)


def kept(root, run_id="r"):
    return json.loads((root / "e" / run_id / "run.json").read_bytes())


def raises(error):
    def act(*_):
        raise error

    return act


def test_a1_plans_are_read_without_the_runner_the_engine_or_the_network():
    blocked = "import sys\nfor name in ('docker', 'requests', 'httpx'): sys.modules[name] = None\n"
    looks = (
        "import agentics.pipeline.ir\nassert not any('loop' in name or name == 'docker.api' for name in sys.modules)"
    )
    done = subprocess.run(
        [sys.executable, "-c", blocked + looks], capture_output=True, text=True, check=False, cwd=ROOT
    )
    assert done.returncode == 0, done.stderr


def test_a1_nothing_but_the_loop_goes_over_the_stages_of_a_pipeline_and_runs_them():
    found = []
    for path in (ROOT / "agentics").rglob("*.py"):
        tree = ast.parse(path.read_text())
        loops = [node for node in ast.walk(tree) if isinstance(node, ast.For) and "pipeline" in ast.unparse(node.iter)]
        if any("_recorded(" in ast.unparse(loop) or ".run(" in ast.unparse(loop) for loop in loops):
            found.append(path.relative_to(ROOT).as_posix())
    assert found == ["agentics/pipeline/loop.py"]


def test_a6_a_named_module_is_taken_before_the_registry_and_the_three_ways_to_find_none_differ():
    same = stage("data_checks")
    plan = experiment("e", "b", "data_checks")
    named = plan.model_copy(
        update={"pipeline": (plan.pipeline[0].model_copy(update={"module": "agentics.stages.generic.data_checks"}),)}
    )
    ended = carry_out(same, plan=named)
    assert (same.calls, ended.get_metric("data_checks")["total"]) == (0, 0)
    unknown = carry_out(stage("one"), plan=experiment("e", "b", "ona"))
    assert (unknown.reason, unknown.stage) == ("unknown_stage", "ona")
    nothing = pipeline.run(experiment("e", "b", "one"), persist=False)
    assert nothing.reason == "no_stage_registry"


def test_a7_the_first_failure_stops_the_run_with_everything_known_until_then():
    third = stage("three")
    failed = carry_out(
        stage("one"), stage("two", lambda context, _: context.put_metric("half", 1).fail("two", "no", "why")), third
    )
    assert isinstance(failed, StageFailure)
    assert (failed.stage, failed.reason, third.calls) == ("two", "no", 0)
    assert (failed.context.get_metric("one"), failed.context.get_metric("half")) == ({}, 1)
    assert failed.context.completed_stages == ("one",)


@pytest.mark.parametrize(
    ("act", "reason"),
    [
        (raises(ZeroDivisionError("a bug")), "stage_exception"),
        (raises(SystemExit(0)), "stage_exception"),
        (raises(GeneratorExit()), "stage_exception"),
        (lambda *_: None, "invalid_return"),
        (lambda *_: {"metrics": {}}, "invalid_return"),
        (
            lambda context, _: pipeline.Context(experiment_id="e", run_id="other", experiment=context.experiment),
            "invalid_return",
        ),
    ],
)
def test_a8_a_stage_that_raises_or_returns_something_else_is_a_failure_and_no_run_stays_running(tmp_path, act, reason):
    failed = carry_out(stage("one", act), root=tmp_path, run_id="r")
    assert (failed.reason, kept(tmp_path)["status"]) == (reason, "failed")
    assert kept(tmp_path)["metadata"]["failure"] == {"stage": "one", "reason": reason}


@pytest.mark.parametrize(("how", "calls", "warned"), [("off", 1, False), ("warn", 1, True), ("error", 0, False)])
def test_a9_options_are_checked_as_far_as_one_asks_for(caplog, how, calls, warned):
    picky = stage("one", required=["limit"], types={"limit": "integer"})
    plan = experiment("e", "b", "one", limt=3)
    with caplog.at_level(logging.WARNING):
        ended = carry_out(picky, plan=plan, validate_options=how)
    assert (picky.calls, bool(caplog.records)) == (calls, warned)
    if how == "error":
        assert ended.reason == "invalid_options"
        assert "limit: required, and missing" in ended.details
        assert "limt: unknown option; did you mean 'limit'?" in ended.details


def test_defaults_are_there_before_options_are_checked():
    given = stage("one", optional=["limit"], types={"limit": "integer"}, defaults={"limit": 7})
    assert carry_out(given, validate_options="error").get_metric("one") == {"limit": 7}


def test_a10_a_disabled_stage_does_not_run_and_is_recorded(tmp_path):
    one, two = stage("one"), stage("two")
    plan = experiment("e", "b", "one").with_stage("two")
    off = plan.pipeline[0].model_copy(update={"enabled": False})
    carry_out(one, two, plan=plan.model_copy(update={"pipeline": (off, plan.pipeline[1])}), root=tmp_path, run_id="r")
    assert (one.calls, two.calls) == (0, 1)
    lines = (tmp_path / "e/r/stages.jsonl").read_text().splitlines()
    assert [(json.loads(line)["name"], json.loads(line)["status"]) for line in lines] == [
        ("one", "skipped"),
        ("two", "completed"),
    ]


def test_a11_the_context_that_a_stage_was_given_never_changes():
    seen = []

    def looks(context, _):
        seen.append((context, dict(context.metrics), dict(context.assigns)))
        return context.put_metric("one", 1).assign(x=2).add_output("o").put_artifact("a", 1)

    carry_out(stage("one", looks), stage("two"), assigns={"y": 1})
    context, metrics, assigns = seen[0]
    assert (dict(context.metrics), dict(context.assigns), context.outputs) == (metrics, assigns, ())
    with pytest.raises(TypeError):
        context.metrics["x"] = 1


def test_a11_what_a_stage_changes_in_place_stays_as_it_was_before_it_and_with_the_caller():
    given, seen = {"notes": ["one"], "deep": {"set": {1}}}, []

    def changes(context, options):
        context.assigns["notes"].append("two")
        context.assigns["deep"]["set"].add(2)
        context.metrics["figures"].append(2)
        options["list"].append(2)
        return context.put_metric("notes", list(context.assigns["notes"]))

    def looks(context, _):
        seen.append(context)
        return context.put_metric("figures", [1])

    plan = experiment("e", "b", "one").with_stage("two", list=[1])
    ended = carry_out(stage("one", looks), stage("two", changes), plan=plan, assigns=given)
    assert isinstance(ended, pipeline.Context), ended.trouble
    assert ended.get_metric("notes") == ["one", "two"]
    assert given == {"notes": ["one"], "deep": {"set": {1}}}
    assert (seen[0].assigns["notes"], seen[0].assigns["deep"]) == (["one"], {"set": {1}})
    assert plan.pipeline[1].options == {"list": [1]}


def test_a8_a_persons_ctrl_c_ends_the_program_and_the_run_says_that_it_was_broken_off(tmp_path):
    with pytest.raises(KeyboardInterrupt):
        carry_out(stage("one", raises(KeyboardInterrupt())), root=tmp_path, run_id="r")
    assert (kept(tmp_path)["status"], kept(tmp_path)["metadata"]["failure"]["reason"]) == ("failed", "interrupted")


def test_a8_where_signals_are_handled_a_keyboard_interrupt_is_the_stages_own():
    before = signal.signal(signal.SIGINT, lambda *_: None)
    try:
        assert carry_out(stage("one", raises(KeyboardInterrupt()))).reason == "stage_exception"
    finally:
        signal.signal(signal.SIGINT, before)


def test_a12_a_pipeline_survives_its_json_and_every_mistake_is_reported_at_once():
    plan = experiment("e", "b", "one", limit=1).with_stage("two").with_output("table", "json", "markdown")
    assert Experiment.model_validate_json(to_json(plan)) == plan
    newer = {**json.loads(to_json(plan)), "from_a_newer_version": 1}
    assert Experiment.model_validate(newer) == plan
    wrong = problems({"description": "no id, no backend, no pipeline"})
    assert [each.partition(":")[0] for each in wrong] == ["id", "backend", "pipeline"]
    assert problems(json.loads(to_json(plan))) == []


def test_a13_what_is_not_to_be_kept_touches_no_file(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    carry_out(stage("one"), enable_trace=True)
    assert list(tmp_path.iterdir()) == []


def test_a16_the_trace_is_on_disk_in_order_while_the_run_goes_on(tmp_path):
    seen = []

    def looks(context, _):
        seen.extend((tmp_path / "e/r/pipeline/trace.jsonl").read_text().splitlines())
        return context.decide("go on", "because")

    carry_out(stage("one"), stage("two", looks), root=tmp_path, run_id="r", enable_trace=True)
    assert [json.loads(line)["type"] for line in seen] == ["stage_started", "stage_completed", "stage_started"]
    whole = (tmp_path / "e/r/pipeline/trace.jsonl").read_text().splitlines()
    assert [json.loads(line)["type"] for line in whole[3:]] == ["decision", "stage_completed"]


def test_a_run_that_was_asked_to_stop_runs_no_further_stage():
    asked, second = threading.Event(), stage("two")

    def stops(context, _):
        asked.set()
        return context

    ended = carry_out(stage("one", stops), second, cancel=asked)
    assert (ended.reason, second.calls, ended.context.completed_stages) == ("interrupted", 0, ("one",))


def test_what_a_run_has_completed_is_left_out_when_it_is_resumed(tmp_path):
    one, broken = stage("one"), stage("two", raises(OSError("full")))
    carry_out(one, broken, root=tmp_path, run_id="r")
    ended = carry_out(one, stage("two"), root=tmp_path, run_id="r", resume=True)
    assert isinstance(ended, Context)
    assert (one.calls, ended.completed_stages) == (1, ("one", "two"))


@pytest.mark.parametrize("earlier", [False, True])
def test_a13_a_pipeline_with_two_stages_of_one_name_is_refused_when_it_is_to_be_resumed(tmp_path, earlier):
    one, plan = stage("one"), experiment("e", "b", "one", n=1).with_stage("one", n=2)
    if earlier:
        carry_out(one, plan=plan, root=tmp_path, run_id="r")
        assert one.calls == 2
    before = sorted(tmp_path.rglob("*"))
    with pytest.raises(UsageError, match="several stages called 'one'") as refused:
        carry_out(one, plan=plan, root=tmp_path, run_id="r", resume=True)
    assert refused.value.code == "ambiguous_stage"
    assert (one.calls, sorted(tmp_path.rglob("*"))) == (2 if earlier else 0, before)


def test_a13_a_disabled_stage_of_the_same_name_does_not_make_it_ambiguous(tmp_path):
    one, plan = stage("one"), experiment("e", "b", "one").with_stage("one")
    disabled = plan.pipeline[1].model_copy(update={"enabled": False})
    plan = plan.model_copy(update={"pipeline": (plan.pipeline[0], disabled)})
    ended = carry_out(one, plan=plan, root=tmp_path, run_id="r", resume=True)
    assert (one.calls, ended.completed_stages) == (1, ("one",))


@pytest.mark.parametrize("how", ["bogus", "", "Error", None, True, ["off"]])
def test_a9_a_way_to_check_options_that_there_is_not_is_refused_before_anything_runs(tmp_path, how):
    one = stage("one")
    with pytest.raises(UsageError, match="off, warn, error") as refused:
        carry_out(one, root=tmp_path, validate_options=how)
    assert refused.value.code == "bad_validate_options"
    assert (one.calls, list(tmp_path.iterdir())) == (0, [])


def test_two_stages_of_one_name_are_refused():
    with pytest.raises(UsageError, match="registered already"):
        Registry.of(stage("one"), stage("one"))


def test_the_time_limit_of_a_stage_ends_with_it_and_the_next_stage_is_not_asked_to_stop():
    asked = []
    plan = experiment("e", "b", "one").with_stage("two")
    limited = plan.pipeline[0].model_copy(update={"timeout_s": 60.0})
    plan = plan.model_copy(update={"pipeline": (limited, *plan.pipeline[1:])})

    def looks(context, _):
        asked.append(context.cancellation.is_set())
        return context

    ended = carry_out(stage("one"), stage("two", looks), plan=plan)
    assert (asked, ended.completed_stages) == ([False], ("one", "two"))
