"""What is asked of an adapter, and what scores come to: pure functions, no program is run."""

from __future__ import annotations

import json

import pytest

from agentics.errors import UsageError
from agentics.model.document.parsing import load
from agentics.model.run.benchmark import AdapterManifest, BenchmarkSummary, PredictionRecord, ScoreRecord
from agentics.model.run.design import AdapterCommand
from agentics.model.run.directory import TrialResult
from agentics.policy.run.benchmark import check_benchmark, summarize, trial_summary
from agentics.rundir.files.atomic import document_bytes
from tests.adapter.conftest import RUN_ID, contents, ids, result, score, trial

NAME = {"adapter_id": "mine", "name": "bench", "split": "test"}
EVALUATOR = {"name": "grader", "mode": "custom"}
MANIFEST = {
    "schema_version": "benchmark_adapter_manifest_v1",
    "adapter_id": "mine",
    "adapter_version": "1",
    "benchmark": {"name": "bench", "split": "test", "source": None, "license": "MIT"},
    "execution_mode": "integrated_score",
    "record_schemas": {"prediction": "benchmark_prediction_record_v1", "score": "benchmark_score_record_v1"},
    "evaluator": {**EVALUATOR, "command": ["grade", "--all"]},
    "capabilities": {"deterministic_scoring": True},
}
REF = f"artifact://sha256/{'a' * 64}"


def prediction_row(**said):
    row = {"schema_version": "benchmark_prediction_record_v1", "ids": ids(1), "benchmark": NAME}
    return {**row, "prediction": said, "metrics": {"tokens": 12}}


def score_row(number=1, verdict="pass", value=1.0, metric="accuracy", variant="a", **more):
    row = {"schema_version": "benchmark_score_record_v1", "ids": ids(number, variant), "benchmark": NAME}
    row |= {"verdict": verdict, "primary_metric_name": metric, "primary_metric_value": value, "evaluator": EVALUATOR}
    return {**row, **more}


def summary_of(*rows):
    manifest = AdapterManifest.model_validate(MANIFEST)
    scores = [ScoreRecord.model_validate(row) for row in rows]
    return summarize(manifest, scores, run_id=RUN_ID, trials=len(rows), created_at="2026-01-31T09:00:00Z")


@pytest.mark.parametrize(
    "section",
    [
        {},
        None,
        {"adapter": {}},
        {"adapter": None},
        {"adapter": {"command": None}},
        {"adapter": {"command": []}},
        {"adapter": {"command": [""]}},
        {"adapter": {"command": ["  ", "x"]}},
        {"adapter": {"command": "python adapter.py"}},
        {"adapter": {"command": [1]}},
        {"adapter": {"command": ["a\0b"]}},
        {"policy": {"evaluator_mode": "custom"}},
    ],
)
def test_c2_a_benchmark_without_a_command_is_a_configuration_error(section):
    with pytest.raises(UsageError) as caught:
        check_benchmark(section)
    assert caught.value.code == "adapter_command_missing"
    assert "/benchmark/adapter/command" in caught.value.message


def test_what_an_experiment_asks_of_its_adapter_is_kept():
    section = {
        "adapter": {"command": ["python", "adapter.py", ""], "timeout_s": 60},
        "policy": {
            "task_model": "independent",
            "reset_strategy": "per_trial",
            "chain_failure_policy": "continue_with_flag",
            "required_evidence_classes": ["stdout_ref"],
            "scoring_lifecycle": "integrated_score",
            "evaluator_mode": "official",
        },
    }
    assert check_benchmark(section) == AdapterCommand(
        command=("python", "adapter.py", ""),
        timeout_s=60.0,
        required_evidence=("stdout_ref",),
        execution_mode="integrated_score",
        evaluator_mode="official",
    )


@pytest.mark.parametrize(
    ("section", "code", "named"),
    [
        ([], "invalid_benchmark", "/benchmark"),
        ({"adapter": "x"}, "invalid_benchmark", "/benchmark/adapter"),
        ({"policy": []}, "invalid_benchmark", "/benchmark/policy"),
        ({"adapter": {"timeout_s": 0}}, "invalid_benchmark", "timeout_s"),
        ({"adapter": {"timeout_s": "soon"}}, "invalid_benchmark", "timeout_s"),
        ({"policy": {"evaluator_mode": "private"}}, "invalid_benchmark", "evaluator_mode"),
        ({"policy": {"task_model": "dependent"}}, "unsupported_field", "/benchmark/policy/task_model"),
        ({"policy": {"reset_strategy": "never"}}, "unsupported_field", "/benchmark/policy/reset_strategy"),
        ({"policy": {"chain_failure_policy": "stop_on_error"}}, "unsupported_field", "chain_failure_policy"),
        ({"policy": {"surprise": 1}}, "unsupported_field", "/benchmark/policy/surprise"),
        ({"adapter": {"manifest": {}}}, "unsupported_field", "/benchmark/adapter/manifest"),
        ({"surprise": 1}, "unsupported_field", "/benchmark/surprise"),
        ({"policy": {"required_evidence_classes": ["luck"]}}, "unknown_evidence_class", "required_evidence_classes/0"),
    ],
)
def test_what_would_have_no_effect_is_refused_by_its_pointer(section, code, named):
    if isinstance(section, dict) and section.get("adapter") != "x":
        section = {**section, "adapter": {"command": ["run"], **section.get("adapter", {})}}
    with pytest.raises(UsageError) as caught:
        check_benchmark(section)
    assert caught.value.code == code
    assert named in caught.value.message


def test_a_mean_is_over_those_that_have_a_verdict():
    summary = summary_of(
        score_row(1, "pass", 1.0),
        score_row(2, "fail", 0.5),
        score_row(3, "error", 0.0, metric="undefined"),
        score_row(4, "missing", 0.0),
    )
    (variant,) = summary.variants
    assert (variant.primary_metric_name, variant.primary_metric_mean) == ("accuracy", 0.75)
    assert (variant.total, variant.passed, variant.fail, variant.missing, variant.error) == (4, 1, 1, 1, 1)
    assert variant.pass_rate == 0.25


def test_a_mean_that_is_not_defined_is_null_and_never_zero():
    summary = summary_of(score_row(1, "error", 0.0), score_row(2, "pass", 1.0, "f1", "b"), score_row(3, variant="b"))
    assert [(one.variant_id, one.primary_metric_name, one.primary_metric_mean) for one in summary.variants] == [
        ("a", None, None),
        ("b", None, None),
    ]


def test_a_summary_of_ours_passes_its_own_check():
    summary = summary_of(score_row(1), score_row(2, "fail", 0.0, variant="b"))
    data = document_bytes(summary)
    assert json.loads(data)["variants"][1]["fail"] == 1
    assert load(BenchmarkSummary, data, "summary.json").value == summary


@pytest.mark.parametrize(
    ("verdict", "outcome", "value"),
    [("pass", "success", 0.5), ("fail", "failure", 0.5), ("missing", "missing", None), ("error", "error", None)],
)
def test_c7_a_verdict_is_what_a_summary_shows_of_a_trial(verdict, outcome, value):
    own = TrialResult.model_validate(
        result(ids(1), metrics={"seconds": 2}, objective={"name": "accuracy", "value": 9, "direction": "maximize"})
    )
    shown = trial_summary(own, ScoreRecord.model_validate(score_row(verdict=verdict, value=0.5)))
    assert shown.outcome == outcome
    assert shown.metrics == {"seconds": 2, "benchmark_verdict": verdict}
    assert (shown.objective.value if shown.objective else None) == value
    assert shown.objective is None or shown.objective.direction == "maximize"


def test_c7_without_a_score_a_trial_is_what_its_result_says():
    own = TrialResult.model_validate(result(ids(1), "failure", objective={"name": "accuracy", "value": 9}))
    shown = trial_summary(own, None)
    assert (shown.outcome, shown.objective, shown.metrics) == ("failure", own.objective, {})


def test_another_metric_than_the_trials_own_has_no_direction():
    own = TrialResult.model_validate(result(ids(1), objective={"name": "seconds", "value": 9, "direction": "minimize"}))
    shown = trial_summary(own, ScoreRecord.model_validate(score_row()))
    assert shown.objective is not None
    assert (shown.objective.name, shown.objective.direction) == ("accuracy", None)


def test_c7_a_score_changes_no_result(root):
    trial(root, 1, "failure")
    before = contents(root / "trials")
    found = score(root)
    shown = trial_summary(TrialResult.model_validate_json(before["trial_1/result.json"]), found.scores[0])
    assert shown.outcome == "success"
    assert contents(root / "trials") == before


def test_every_kind_of_prediction_is_known():
    for said in (
        {"kind": "text", "value": ""},
        {"kind": "patch", "value": "--- a\n", "metadata": {"base": "x"}},
        {"kind": "json", "value": None},
        {"kind": "json", "value": [1, {"a": True}]},
        {"kind": "artifact_ref", "artifact_ref": REF},
    ):
        assert load(PredictionRecord, json.dumps(prediction_row(**said)).encode(), "p").findings == ()


@pytest.mark.parametrize(
    ("model", "row", "pointer"),
    [
        (PredictionRecord, prediction_row(kind="text"), "/prediction/value"),
        (PredictionRecord, prediction_row(kind="json"), "/prediction/value"),
        (PredictionRecord, prediction_row(kind="patch", value=[]), "/prediction/value"),
        (PredictionRecord, prediction_row(kind="artifact_ref", value=REF), "/prediction/artifact_ref"),
        (PredictionRecord, prediction_row(kind="artifact_ref", artifact_ref="/etc/passwd"), "/prediction/artifact_ref"),
        (PredictionRecord, prediction_row(kind="guess", value=1), "/prediction/kind"),
        (PredictionRecord, {**prediction_row(kind="json", value=1), "surprise": 1}, "/surprise"),
        (ScoreRecord, score_row(verdict="passed"), "/verdict"),
        (ScoreRecord, score_row(value="1"), "/primary_metric_value"),
        (ScoreRecord, score_row(value=None), "/primary_metric_value"),
        (ScoreRecord, score_row(value=True), "/primary_metric_value"),
        (ScoreRecord, score_row(metric=" "), "/primary_metric_name"),
        (ScoreRecord, score_row(ids={**ids(1), "repl_idx": "0"}), "/ids/repl_idx"),
        (ScoreRecord, score_row(ids={**ids(1), "repl_idx": -1}), "/ids/repl_idx"),
        (ScoreRecord, score_row(ids={k: v for k, v in ids(1).items() if k != "repl_idx"}), "/ids/repl_idx"),
        (ScoreRecord, score_row(ts="yesterday"), "/ts"),
        (ScoreRecord, score_row(artifacts=[{"logical_name": "log"}]), "/artifacts/0/ref"),
        (ScoreRecord, score_row(schema_version="benchmark_score_record_v2"), "/schema_version"),
        (AdapterManifest, {**MANIFEST, "adapter_id": ""}, "/adapter_id"),
        (AdapterManifest, {**MANIFEST, "record_schemas": {}}, "/record_schemas/prediction"),
        (
            AdapterManifest,
            {**MANIFEST, "evaluator": {"name": "x", "mode": "custom", "command": "x"}},
            "/evaluator/command",
        ),
    ],
)
def test_a_key_that_breaks_the_contract_is_named(model, row, pointer):
    found = load(model, json.dumps(row).encode(), "file")
    assert found.value is None
    assert pointer in {finding.pointer for finding in found.findings}


@pytest.mark.parametrize("word", ["NaN", "Infinity", "1e999"])
def test_a_metric_that_is_no_number_is_refused(word):
    text = json.dumps(score_row(value=123.25)).replace("123.25", word)
    assert load(ScoreRecord, text.encode(), "file").value is None


@pytest.mark.parametrize(
    "change",
    [
        {"totals": {"trials": 2, "pass": 1, "fail": 0, "missing": 0, "error": 0}},
        {"totals": {"trials": 2, "pass": 0, "fail": 2, "missing": 0, "error": 0}},
        {"variants": []},
        {"pass_rate": 1.5},
        {"pass_rate": -0.1},
        {"total": 3},
        {"passed": 2},
    ],
)
def test_a_summary_that_contradicts_itself_is_refused(change):
    document = json.loads(document_bytes(summary_of(score_row(1), score_row(2))))
    assert BenchmarkSummary.model_validate(document)
    keys = {"totals", "variants"}
    document.update({key: value for key, value in change.items() if key in keys})
    if document["variants"]:
        document["variants"][0].update({key: value for key, value in change.items() if key not in keys})
    assert load(BenchmarkSummary, json.dumps(document).encode(), "file").value is None


def test_a_variant_that_is_there_twice_is_refused():
    document = json.loads(document_bytes(summary_of(score_row(1))))
    document["variants"] *= 2
    document["totals"].update({"trials": 2, "pass": 2})
    assert [f.code for f in load(BenchmarkSummary, json.dumps(document).encode(), "f").findings] == [
        "duplicate_variant"
    ]
