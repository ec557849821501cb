"""The public view: built by name, so that nothing official can slip through."""

import json

import pytest

from agentics.model.bundle.challenge import Challenge
from agentics.model.bundle.public_challenge import PublicChallenge
from agentics.policy.publish.public_challenge import public_challenge

CANARY = "canary-7f3a"


def setup(mode):
    extra = {"spec": {"result_runs_file": CANARY}, "piped_spec": {"result_session_file": CANARY}, "coexecuted_spec": {}}
    return {"command": ["sh", CANARY], "reproducibility_notes": CANARY, **extra[mode]}


def shown(spec):
    return public_challenge(Challenge.model_validate(spec)).model_dump(mode="json")


@pytest.mark.parametrize("name", ["spec", "piped_spec", "coexecuted_spec"])
def test_no_official_value_is_shown(name, request, changed):
    spec = changed(request.getfixturevalue(name), "/datasets/private_benchmark_dir", CANARY)
    static = {"spec": "official_runs", "piped_spec": "official_session"}.get(name)
    if static:
        assert CANARY not in json.dumps(shown(changed(spec, f"/execution/{static}", CANARY)))
        spec = changed(spec, f"/execution/{static}", None)
    view = shown(changed(spec, "/execution/official_evaluation_setup", setup(name)))
    assert CANARY not in json.dumps(view)
    assert not [key for key in view["execution"] if key.startswith("official")]
    assert "private_benchmark_dir" not in view["datasets"]


@pytest.mark.parametrize("name", ["spec", "piped_spec", "coexecuted_spec"])
def test_everything_else_is_shown(name, request, changed):
    spec = request.getfixturevalue(name)
    sources = {"spec": "validation_runs", "piped_spec": "validation_session"}
    if name in sources:
        assert shown(spec)["execution"][sources[name]] == spec["execution"][sources[name]]
        spec = changed(spec, f"/execution/{sources[name]}", None)
    spec = changed(spec, "/execution/validation_setup", setup(name))
    view = shown(spec)
    assert view["execution"]["validation_setup"] == setup(name)
    for key, value in spec["execution"].items():
        if not key.startswith("official") and value is not None:
            assert view["execution"][key] == value
    assert view["datasets"].keys() == spec["datasets"].keys() - {"private_benchmark_dir"}
    assert view["metric_schema"]["ranking"] == spec["metric_schema"]["ranking"]


def test_what_is_absent_is_omitted_and_null_further_down_stays(spec):
    view = shown(spec)
    for absent in ("closes_at", "official_submission_limit"):
        assert absent not in view
    assert set(view["execution"]) == {"mode", "separated_evaluator", "validation_runs"}
    assert view["targets"] == spec["targets"]
    assert view["targets"][0]["accelerator"] is None
    assert view["metric_schema"] == spec["metric_schema"]
    text = json.dumps(view, separators=(",", ":"), ensure_ascii=False)
    assert public_challenge(Challenge.model_validate(spec)).model_dump_json() == text
    assert PublicChallenge.model_validate_json(text).model_dump_json() == text


def test_null_in_a_setup_stays(spec, changed):
    setup = {"command": ["sh", "x"], "reproducibility_notes": None, "result_runs_file": "runs.json"}
    spec = changed(changed(spec, "/execution/validation_runs", None), "/execution/validation_setup", setup)
    assert shown(spec)["execution"]["validation_setup"] == setup


def test_the_view_has_no_field_that_could_hold_private_places():
    schema = json.dumps(PublicChallenge.model_json_schema())
    assert "official_runs" not in schema
    assert "official_session" not in schema
    assert "official_evaluation_setup" not in schema
    assert "private_benchmark_dir" not in schema
