"""A JobSpec names secrets and holds none; what is found of one is never repeated."""

from __future__ import annotations

import pytest

from tests.lighteval.conftest import ENDPOINT, JUDGE, LOCAL, spec

KEY = "sk-abcdefghijklmnop1234"


def backend(**more):
    return spec(backend={**ENDPOINT, **more})


@pytest.mark.parametrize(
    ("said", "pointer"),
    [
        (backend(options={"api_key": "abc"}), "/backend/options/api_key"),
        (backend(options={"headers": {"authorization": "abc"}}), "/backend/options/headers/authorization"),
        (backend(options={"extra": [{"hf_token": "abc"}]}), "/backend/options/extra/0/hf_token"),
        (backend(api_key="abc"), "/backend/api_key"),
        (backend(api_key_env=KEY), "/backend/api_key_env"),
        (backend(base_url="https://me:pw@host/v1"), "/backend/base_url"),
        (backend(system_prompt=f"the key is {KEY}"), "/backend/system_prompt"),
        (spec(artifacts={"output_dir": "s3://id:secret@bucket/x"}), "/artifacts/output_dir"),
        (spec(tasks=[{"id": "gsm8k", "params": {"hf_token": "abc"}}]), "/tasks/0/params/hf_token"),
        (
            spec(scoring_mode="judge", scoring_config={"judges": [{**JUDGE, "base_url": "http://a:b@c"}]}),
            "/scoring_config/judges/0/base_url",
        ),
        (spec(secret_refs=[KEY]), "/secret_refs/0"),
        (spec(run_name="tr0ub4dor", secret_refs=["MY_KEY"]), "/run_name"),
        (backend(api_key_env="MY_KEY", options={"note": "x-tr0ub4dor-y"}), "/backend/options/note"),
    ],
)
def test_a_secret_in_the_text_is_refused_and_not_repeated(world, said, pointer):
    found = world.check(said, environment={"MY_KEY": "tr0ub4dor"})
    assert ("secret_in_spec", pointer) in found.errors
    words = " ".join(f"{finding.message} {finding.hint}" for finding in found.findings)
    assert not [secret for secret in (KEY, "tr0ub4dor", "abc", "me:pw", "id:secret") if secret in words]


@pytest.mark.parametrize(
    "said",
    [
        backend(system_prompt="You have basic knowledge, and a token budget of 5. Password hygiene matters."),
        backend(options={"timeout": 5}, base_url="http://10.0.0.1:80/v1?a=b"),
        spec(backend={**LOCAL, "options": {"tokenizer": "acme/tiny", "add_special_tokens": True}}),
        spec(artifacts={"output_dir": "s3://bucket/x"}),
        backend(api_key_env="SHORT", system_prompt="abc"),
    ],
)
def test_what_only_sounds_like_a_secret_is_none(world, said):
    assert world.check(said).errors == []


def test_a_value_that_is_too_short_to_be_taken_out_of_answers_is_warned_of(world):
    said = backend(api_key_env="SHORT")
    for value in ("abc", "passed", " 12345\n"):
        found = world.check(said, environment={"SHORT": value}, starting=True)
        assert (found.said, found.errors) == ([("secret_not_hidden", "/backend/api_key_env")], [])
    assert world.check(said, environment={"SHORT": "123456"}, starting=True).said == []


def test_a_variable_that_is_not_set_is_a_warning_in_a_check_and_an_error_at_a_start(world):
    judge = {**JUDGE, "api_key_env": "C"}
    said = {
        **backend(api_key_env="A"),
        "secret_refs": ["B", "A"],
        "scoring_mode": "judge",
        "scoring_config": {"judges": [judge]},
    }
    places = ["/backend/api_key_env", "/secret_refs/0", "/secret_refs/1", "/scoring_config/judges/0/api_key_env"]
    found = world.check(said)
    assert (found.said, found.errors) == ([("secret_missing", place) for place in places], [])
    assert found.job.secrets == ("A", "C", "B")
    found = world.check(said, starting=True)
    assert (found.errors, found.job) == ([("secret_missing", place) for place in places], None)
    found = world.check(said, starting=True, environment={"A": "x-one-x", "B": "y-two-y", "C": "z-three-z"})
    assert found.said == []
    assert world.check(said, starting=True, environment={"A": "", "B": "y-two-y", "C": "z-three-z"}).job is None
