"""A file in the resolved form that somebody wrote: carried out as it says, or refused with the place."""

from __future__ import annotations

import pytest

from agentics import config as configuration
from agentics.errors import InvalidDocument
from agentics.model.run.design import AdapterCommand, Design, Pruning, RetryPolicy
from agentics.request.experiment_file import asked_for, compiled, parse_experiment
from tests.experiment.files import RESOLVED, changed, refusals, request, write


def test_a_resolved_form_that_somebody_wrote_is_carried_out(stocked):
    asked = request(stocked.home, RESOLVED)
    assert asked.design == Design(
        scheduling="randomized",
        comparison="paired",
        replications=2,
        random_seed=3,
        shuffle_tasks=True,
        max_concurrency=4,
        retry=RetryPolicy(max_attempts=2, retry_on=("timeout",)),
        pruning=Pruning(max_consecutive_failures=5),
    )
    assert asked.bundles == (stocked.home / "one", stocked.home / "two")
    assert asked.solutions == (("a", stocked.home / "mine"), ("b", stocked.home / "other"))
    assert asked.bindings == {"b": {"depth": 2}}
    assert asked.trial_timeout_s == 1.5
    assert asked.adapter == AdapterCommand(command=("adapter", "x"), timeout_s=5, required_evidence=("stdout_ref",))


def test_the_limit_of_a_data_set_is_its_first_tasks(stocked):
    path = write(stocked.home, changed(RESOLVED, "/dataset/limit", 1))
    campaign = compiled(asked_for(parse_experiment(path), path.parent), configuration.load())
    assert {trial.task.ref for trial in campaign.trials} == {"one.linux-arm64-cpu"}


def test_the_bundles_can_be_listed(stocked):
    asked = request(stocked.home, {**RESOLVED, "ext": {"bundles": ["two"]}})
    assert asked.bundles == (stocked.home / "two",)


@pytest.mark.parametrize(
    ("pointer", "value"),
    [
        ("/experiment/workload_type", "training"),
        ("/dataset/provider", "huggingface"),
        ("/dataset/schema_version", "2"),
        ("/dataset/split_id", "test"),
        ("/design/sanitization_profile", "loose"),
        ("/design/policies/task_boundary", {"require_workspace_materialization": True}),
        ("/benchmark/policy/task_model", "dependent"),
        ("/benchmark/policy/reset_strategy", "never"),
        ("/benchmark/policy/reset_strategy", "per_chain"),
        ("/benchmark/policy/chain_failure_policy", "stop_on_error"),
        ("/benchmark/policy/evaluator_mode", "custom"),
        ("/benchmark/policy/scoring_lifecycle", "integrated_score"),
        ("/benchmark/adapter/manifest", "m.json"),
        ("/runtime/agent", {"mode": "custom_image"}),
        ("/runtime/dependencies", {"services": []}),
        ("/runtime/telemetry", {}),
        ("/runtime/policy/network/mode", "full"),
        ("/runtime/policy/network/mode", "allowlist_enforced"),
        ("/runtime/policy/network/allowed_hosts", ["example.org"]),
        ("/runtime/policy/sandbox/mode", "local"),
        ("/runtime/policy/sandbox/image", "x"),
        ("/runtime/policy/sandbox/root_read_only", False),
        ("/runtime/policy/sandbox/run_as_user", "root"),
        ("/runtime/policy/sandbox/hardening/no_new_privileges", False),
        ("/runtime/policy/sandbox/hardening/drop_all_caps", False),
        ("/runtime/policy/sandbox/resources", {"cpu_count": 2}),
    ],
)
def test_what_a_resolved_form_says_and_nobody_would_do_is_refused(stocked, pointer, value):
    ((code, place),) = refusals(stocked.home, changed(RESOLVED, pointer, value))
    assert code == "unsupported_field"
    assert place.startswith(pointer)


@pytest.mark.parametrize(
    ("pointer", "value", "code"),
    [
        ("/design/policies/comparison", "unpaired", "contradiction"),
        ("/baseline/bindings", {}, "no_solution"),
        ("/variant_plan/0/bindings/solution", 3, "no_solution"),
        ("/variant_plan/0/variant_id", "a", "variant_collision"),
        ("/variant_plan", [], "nothing_to_compare"),
        ("/dataset/limit", 0, "out_of_range"),
    ],
)
def test_a_resolved_form_that_contradicts_itself_is_refused(stocked, pointer, value, code):
    assert code in [c for c, _ in refusals(stocked.home, changed(RESOLVED, pointer, value))]


def test_the_old_key_for_variants_leads_to_the_new_one(stocked):
    with pytest.raises(InvalidDocument) as refused:
        parse_experiment(write(stocked.home, {**RESOLVED, "variants": []}))
    (finding,) = refused.value.findings
    assert (finding.code, finding.pointer) == ("unknown_key", "/variants")
    assert "variant_plan" in str(finding.hint)
