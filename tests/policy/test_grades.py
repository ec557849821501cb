"""How far a run can be relied on: every grade, and that it says why."""

from __future__ import annotations

import pytest

from agentics.model.run.directory import Scope
from agentics.policy.run.grades import GradeFacts, TrialFacts, grades

SCOPE = Scope(
    task="t", bundle_digest="b", solution_digest="s", target="linux", mode="validation", images={"solution": "i"}
)


def trial(variant="a", task="t", repl_idx=0, **more):
    facts = {
        "integration": "cli_basic",
        "scope": SCOPE.model_copy(update={"solution_digest": f"of {variant}", "task": task}),
        "mode": "validation",
        "trust": "isolated",
        "networks": {"run": "disabled", "separated-evaluator": "loopback"},
        "relaxed": frozenset(),
        "images": {"i": "sha256:i"},
        "decided": True,
        "evidenced": True,
    }
    return TrialFacts(variant=variant, task=task, repl_idx=repl_idx, **{**facts, **more})


def given(*trials, comparison="none", clean_commit=True):
    return grades(GradeFacts(comparison=comparison, clean_commit=clean_commit, trials=trials))


@pytest.mark.parametrize(
    ("levels", "level", "replay"),
    [
        (["cli_basic"], "cli_basic", "best_effort"),
        (["otel"], "otel", "best_effort"),
        (["sdk_control"], "sdk_control", "checkpointed"),
        (["sdk_full"], "sdk_full", "strict"),
        (["sdk_full", "cli_events", "sdk_control"], "cli_events", "best_effort"),
        ([], "cli_basic", "none"),
    ],
)
def test_replay_follows_the_lowest_integration(levels, level, replay):
    said = given(*(trial(integration=one) for one in levels))
    assert (said.integration_level, said.replay_grade) == (level, replay)


@pytest.mark.parametrize(
    ("facts", "grade"),
    [
        ({}, "hermetic"),
        ({"networks": {"setup": "enabled", "run": "disabled"}}, "bounded"),
        ({"networks": {"separated-evaluator": "enabled", "run": "disabled"}}, "bounded"),
        ({"trust": "shared_container"}, "bounded"),
        ({"networks": {"run": "enabled"}}, "leaky"),
        ({"relaxed": frozenset({"writable_root"})}, "leaky"),
    ],
)
def test_isolation_is_that_of_the_worst_trial(facts, grade):
    said = given(trial(), trial(repl_idx=1, **facts))
    assert said.isolation_grade == grade
    assert any(note.startswith("isolation: ") for note in said.notes) is (grade != "hermetic")


@pytest.mark.parametrize(
    ("comparison", "trials", "grade"),
    [
        ("none", [trial("a"), trial("b")], "unknown"),
        ("paired", [trial("a")], "unknown"),
        ("paired", [trial("a"), trial("b")], "valid_paired"),
        ("paired", [trial("a"), trial("b", decided=False)], "invalid"),
        (
            "paired",
            [trial("a"), trial("b"), trial("a", repl_idx=1), trial("b", repl_idx=1, decided=False)],
            "valid_paired",
        ),
        ("paired", [trial("a"), trial("b", scope=SCOPE.model_copy(update={"bundle_digest": "c"}))], "invalid"),
        (
            "paired",
            [trial("a"), trial("b", scope=SCOPE.model_copy(update={"config": {"bindings": {"x": 1}}}))],
            "valid_paired",
        ),
        ("paired", [trial("a"), trial("b", task="u")], "invalid"),
        ("unpaired", [trial("a"), trial("b", task="u")], "valid_unpaired"),
        ("unpaired", [trial("a"), trial("b", decided=False)], "invalid"),
    ],
)
def test_variants_are_comparable_where_only_they_differ(comparison, trials, grade):
    said = given(*trials, comparison=comparison)
    assert said.comparability_grade == grade
    assert any(note.startswith("comparability: ") for note in said.notes) or grade.startswith("valid")


@pytest.mark.parametrize(
    ("facts", "clean", "grade"),
    [
        ({}, True, "attested"),
        ({}, False, "recorded"),
        ({"images": {"i": None}}, True, "recorded"),
        ({"evidenced": False}, True, "partial"),
    ],
)
def test_provenance_needs_evidence_pinned_images_and_a_clean_commit(facts, clean, grade):
    assert given(trial(**facts), clean_commit=clean).provenance_grade == grade


def test_a_run_without_trials_has_no_grade_that_it_did_not_earn():
    said = given()
    assert (said.provenance_grade, said.privacy_grade, said.comparability_grade) == ("partial", "unknown", "unknown")


def test_evidence_of_an_official_evaluation_is_for_its_operator_alone():
    assert given(trial()).privacy_grade == "redacted"
    assert given(trial(), trial(repl_idx=1, mode="official")).privacy_grade == "raw"
