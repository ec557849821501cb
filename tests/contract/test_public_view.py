"""The public view: built by name, so that nothing official can slip through."""

import json

import pytest

from agentics.model.challenge import Challenge
from agentics.model.public import PublicChallenge
from agentics.policy.publish import public_challenge

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


def test_what_is_absent_is_omitted(spec):
    view = shown(spec)
    assert "null" not in json.dumps(view)
    assert "closes_at" not in view
    assert "accelerator" not in view["targets"][0]
    assert public_challenge(Challenge.model_validate(spec)).model_dump_json() == json.dumps(
        view, separators=(",", ":"), ensure_ascii=False
    )


def test_the_view_has_no_field_that_could_hold_private_places():
    schema = json.dumps(PublicChallenge.model_json_schema())
    assert "official_runs" not in schema
    assert "official_session" not in schema
    assert "official_evaluation_setup" not in schema
    assert "private_benchmark_dir" not in schema
