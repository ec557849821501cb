"""The exit status of `agentics eval`, for each way in which a task can end and each policy."""

from __future__ import annotations

import copy
from dataclasses import replace

import pytest

from agentics.errors import EngineError, EngineMissing
from tests.fake_engine import FACTS, exited
from tests.runner.lab import SPEC, evaluator, on_trial, raises

CUDA_IMAGE = "ghcr.io/agentic-science/agentics-linux-arm64-cuda:cu130-v1"


def crashes(number):
    """The first so many cases crash."""
    left = list(range(number))
    return lambda _: exited(1) if left and left.pop() is not None else exited()


WAYS = {
    "passed": ({}, "passed", (0, 0, 0)),
    "degraded": ({"run": crashes(1)}, "degraded", (0, 0, 1)),
    "failed": ({"separated-evaluator": evaluator(0)}, "failed", (0, 1, 1)),
    "all cases crash": ({"run": crashes(3), "separated-evaluator": evaluator(0)}, "failed", (0, 1, 1)),
    "evaluator crashes": ({"separated-evaluator": lambda _: exited(1)}, "error", (0, 4, 4)),
    "evaluator writes nothing": ({"separated-evaluator": lambda _: exited()}, "error", (0, 4, 4)),
    "evaluator reports an error": ({"separated-evaluator": evaluator(status="error")}, "error", (0, 4, 4)),
    "result is invalid": ({"separated-evaluator": evaluator(aggregate_metrics="all")}, "error", (0, 4, 4)),
    "engine breaks": ({"run": raises(EngineError("gone", code="engine_lost"))}, "error", (0, 5, 5)),
}


@pytest.mark.parametrize("way", WAYS)
def test_the_exit_code_follows_from_status_fault_and_policy(lab, way):
    behaviours, status, codes = copy.copy(WAYS[way])
    lab.bundle("one")
    for policy, code in zip(("relaxed", "smoke", "strict"), codes, strict=True):
        fresh = {**behaviours, "run": crashes(1)} if way == "degraded" else behaviours
        fresh = {**behaviours, "run": crashes(3)} if way == "all cases crash" else fresh
        lab.engine.behaviours.update({"run": None, **fresh})
        said = lab.eval("one", "--exit-policy", policy, run_id=policy)
        assert (said.status, lab.tasks(policy)[0][0]) == (code, status)
        assert lab.outcome(policy)["exit_code"] == code


@pytest.mark.parametrize(
    ("way", "code"), [("degraded", 0), ("failed", 1), ("evaluator crashes", 4), ("engine breaks", 5)]
)
def test_without_a_policy_exit_code_0_demands_what_smoke_demands(lab, way, code):
    lab.bundle("one")
    lab.engine.behaviours.update({"run": crashes(1)} if way == "degraded" else WAYS[way][0])
    assert lab.eval("one").status == code
    assert lab.outcome()["exit_policy"] == "smoke"


def test_a_challenge_fault_outweighs_a_policy_and_an_infrastructure_fault_both(lab):
    lab.bundle("one")
    lab.bundle("two")
    lab.engine.behaviours["separated-evaluator"] = on_trial("trial_1", lambda _: exited(1))
    assert lab.eval("one", "two", "--exit-policy", "strict").status == 4
    lab.engine.behaviours["run"] = on_trial("trial_2", raises(EngineError("gone", code="engine_lost")))
    assert lab.eval("one", "two", "--exit-policy", "strict", run_id="b").status == 5


def test_no_engine_at_all_is_an_outcome_and_never_a_score(lab):
    lab.bundle("one")
    lab.engine.failures["reap"] = [EngineMissing("no container engine answers", retryable=False)]
    said = lab.eval("one")
    assert said.status == 5, "relaxed does not cover what is fatal"
    assert lab.outcome()["errors"][0]["stage"] == "pipeline_preflight"
    assert lab.outcome()["errors"][0]["error_type"] == "engine_missing"
    assert lab.outcome()["tasks"]["one.linux-arm64-cpu"]["primary_metric"] is None
    assert "agentics doctor" in said.err


def gpu_target():
    """A target that wants a GPU, and an image for another processor than this engine's that nobody maps."""
    (target,) = copy.deepcopy(SPEC["targets"])
    target |= {"name": "linux-arm64-cuda", "accelerator": "gpu"}
    image = {"source": "registry", "reference": CUDA_IMAGE}
    target["resource_profile"] |= {"solution_image": image, "evaluator_image": image}
    target["resource_profile"]["hardware_metadata"] = {
        "kind": "cuda",
        "gpu_model": "H200",
        "gpu_count": 1,
        "gpu_memory_gb": 141,
        "cuda_variant": "cu130",
        "cuda_version": "13.0",
        "driver_minimum": None,
    }
    return target


@pytest.mark.parametrize(("policy", "code"), [("relaxed", 0), ("smoke", 1), ("strict", 1)])
@pytest.mark.parametrize(("gpus", "why"), [(False, "needs a GPU"), (True, "is for linux/arm64")])
def test_a_target_that_this_machine_cannot_serve_is_skipped_and_the_policy_sees_it(lab, gpus, why, policy, code):
    lab.engine.known_facts = replace(FACTS, gpus=gpus)
    lab.bundle("one", targets=[gpu_target()])
    said = lab.eval("one", "--exit-policy", policy)
    assert said.status == code
    assert lab.tasks() == [("skipped", "target_unsupported", 0)]
    assert lab.cases_run() == 0
    assert "skipped, " in said.err
    assert why in said.err


def test_what_was_skipped_is_run_under_the_same_id_once_this_machine_serves_it(lab):
    lab.bundle("one", targets=[gpu_target()])
    lab.eval("one")
    assert "skipped, " in lab.eval("one").err
    lab.engine.known_facts = replace(FACTS, gpus=True)
    assert lab.eval("one", "--image", f"{CUDA_IMAGE}=local:latest", "--exit-policy", "strict").status == 0
    assert lab.tasks() == [("passed", None, 1)]


def test_a_substituted_image_is_recorded_with_what_was_declared(lab):
    lab.bundle("one")
    lab.eval("one", "--image", "agentics-linux-*=mine:v2")
    for use in lab.read("r/trials/trial_1/evidence.json")["images"].values():
        assert use["declared"] == SPEC["targets"][0]["resource_profile"]["solution_image"]["reference"]
        assert (use["used"], use["substituted"]) == ("mine:v2", True)
        assert use["declared_platform"] == "linux/arm64"


def test_one_target_of_two_can_be_chosen(lab):
    lab.bundle("one", targets=[*SPEC["targets"], gpu_target()])
    assert lab.eval("one", "--target", "linux-arm64-cpu", "--exit-policy", "strict").status == 0
    assert list(lab.outcome()["tasks"]) == ["one.linux-arm64-cpu"]


def test_a_limit_of_no_cases_is_no_sample_and_no_success(lab):
    lab.bundle("one")
    assert lab.eval("one", "--limit", "0", "--exit-policy", "smoke").status == 1
    assert lab.tasks("r_LIMITED") == [("no_samples", "no_samples", 1)]
