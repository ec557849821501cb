"""What is written when a run begins is enough to go on with it; and what differs is named."""

from __future__ import annotations

import json
from dataclasses import replace

import pytest

from agentics import config as configuration
from agentics.errors import Refused, UsageError
from agentics.model.run.design import AdapterCommand, Design, Pruning, RetryPolicy
from agentics.model.run.experiment import ResolvedExperiment
from agentics.request.campaign import EvalRequest, compile_request
from agentics.request.experiment_file import asked_for, compiled, parse_experiment
from agentics.request.resolved_experiment import differences, request_from, resolve, resolved


@pytest.fixture
def full(stocked) -> EvalRequest:
    """A request that says everything."""
    (stocked.home / "private").mkdir()
    return EvalRequest(
        bundles=(stocked.home / "one", stocked.home / "two"),
        solutions=(("a", stocked.home / "mine"), ("b", stocked.home / "other")),
        overlays=(("one", stocked.home / "private"),),
        target="linux-arm64-cpu",
        mode="official",
        tasks=("one",),
        limit=2,
        exit_policy="strict",
        images=(("x/*", "y"),),
        jobs=3,
        fail_fast=True,
        design=Design(
            scheduling="randomized",
            comparison="paired",
            replications=3,
            random_seed=9,
            shuffle_tasks=True,
            max_concurrency=2,
            retry=RetryPolicy(max_attempts=4, retry_on=("error", "timeout")),
            pruning=Pruning(max_consecutive_failures=6),
        ),
        baseline="a",
        bindings={"b": {"depth": 2, "nothing": None, "deep": {"x": [1, None]}}},
        integration={"b": "sdk_full"},
        adapter=AdapterCommand(command=("adapter",), timeout_s=5.0, required_evidence=("stdout_ref",)),
        trial_timeout_s=12.5,
        experiment={"id": "e", "name": "e", "workload_type": "challenge_evaluation", "owner": "me"},
    )


def again(document) -> ResolvedExperiment:
    return ResolvedExperiment.model_validate_json(json.dumps(document))


def test_a_request_comes_back_from_what_was_written(full):
    campaign = compile_request(full, configuration.load())
    assert request_from(again(resolved(campaign))) == full


def test_a_plain_request_comes_back_with_absolute_paths(stocked):
    asked = EvalRequest(bundles=(stocked.home / "one",), solutions=((None, stocked.home / "mine"),))
    back = request_from(again(resolved(compile_request(asked, configuration.load()))))
    named = {"id": "eval", "name": "eval", "workload_type": "challenge_evaluation"}
    assert back == replace(asked, solutions=(("mine", stocked.home / "mine"),), baseline="mine", experiment=named)


def test_every_field_of_a_request_is_kept_or_belongs_to_the_invocation(full):
    plain = EvalRequest(bundles=(), solutions=())
    left = {name for name in EvalRequest.__dataclass_fields__ if getattr(full, name) == getattr(plain, name)}
    assert left == {"run_id", "output_path", "resume", "fresh", "argv", "cli_args", "jobspecs", "answers_from"} | {
        "fresh_setup",
        "accept_alterations",
    }


def test_c22_what_differs_is_named_field_by_field(full):
    config = configuration.load()
    one = resolve(compile_request(full, config))
    assert differences(one, one) == ()
    edited = replace(
        full,
        design=full.design.model_copy(update={"replications": 4, "pruning": None}),
        bindings={"b": {**full.bindings["b"], "depth": 3}},
        trial_timeout_s=13.0,
    )
    assert differences(one, resolve(compile_request(edited, config))) == (
        "/design/replications",
        "/design/policies/pruning",
        "/variant_plan/0/bindings/depth",
        "/runtime/policy/timeout_ms",
        "/ext/request/trial_timeout_s",
    )


def test_c22_true_is_not_one(stocked):
    def bound(value):
        asked = EvalRequest(
            bundles=(stocked.home / "one",), solutions=(("a", stocked.home / "mine"),), bindings={"a": {"x": value}}
        )
        return resolve(compile_request(asked, configuration.load()))

    assert differences(bound(True), bound(1)) == ("/baseline/bindings/x",)
    assert differences(bound([1, 2]), bound([1])) == ("/baseline/bindings/x",)


def test_a_changed_solution_is_a_difference(stocked):
    asked = EvalRequest(bundles=(stocked.home / "one",), solutions=(("a", stocked.home / "mine"),))
    before = resolve(compile_request(asked, configuration.load()))
    (stocked.home / "mine" / "run.sh").write_text("exit 1\n")
    assert differences(before, resolve(compile_request(asked, configuration.load()))) == ("/ext/solutions/a",)


def test_what_an_older_version_wrote_cannot_be_gone_on_with(stocked):
    asked = EvalRequest(bundles=(stocked.home / "one",), solutions=(("a", stocked.home / "mine"),))
    document = resolved(compile_request(asked, configuration.load()))
    del document["ext"]["request"]
    with pytest.raises(UsageError) as refused:
        request_from(again(document))
    assert refused.value.code == "not_resumable"


def test_a_written_experiment_runs_again_until_something_of_it_changed(stocked):
    stocked.eval("one")
    path = stocked.home / "outputs" / "r" / "resolved_experiment.json"
    assert stocked("experiment", "run", path, "--output-path", "again", "--json").status == 0
    (stocked.home / "mine" / "run.sh").write_text("exit 1\n")
    with pytest.raises(Refused) as refused:
        compiled(asked_for(parse_experiment(path), path.parent), configuration.load())
    assert refused.value.code == "experiment_changed"
    assert "/ext/solutions/mine" in refused.value.message


def test_the_file_of_a_run_keeps_what_a_binding_leaves_empty(full):
    document = resolved(compile_request(full, configuration.load()))
    assert document["variant_plan"][0]["bindings"]["nothing"] is None
    assert again(document) == resolve(compile_request(full, configuration.load()))
