"""`agentics.challenge.json`: its own rules, and that it says what the bundle says."""

# ruff: noqa: PLR0917  a table's columns and pytest's fixtures are parameters

import pytest

from agentics.policy.bundle.checks import read_challenge
from agentics.policy.bundle.proposals import differences, read_proposal

ASSET = "/private_assets/0"


def findings(proposal, encoded):
    return {(f.code, f.pointer) for f in read_proposal(encoded(proposal)).findings}


def test_a_proposal_in_order_is_accepted(proposal, encoded):
    loaded = read_proposal(encoded(proposal))
    assert loaded.findings == ()
    assert loaded.value.ci.validate_manifest is loaded.value.ci.validate_public_bundle is True
    assert loaded.value.ci.smoke_test_public_validation is False


@pytest.mark.parametrize("key", ["private_assets"])
def test_what_has_a_default_may_be_missing(key, proposal, changed, gone, encoded):
    assert findings(changed(proposal, f"/{key}", gone), encoded) == set()
    assert findings(changed(proposal, f"{ASSET}/required_paths", gone), encoded) == set()


@pytest.mark.parametrize(
    "key", ["schema_version", "request", "challenge_name", "title", "summary", "keywords", "readme_path"]
)
def test_every_other_key_is_mandatory(key, proposal, changed, gone, encoded):
    assert findings(changed(proposal, f"/{key}", gone), encoded) == {("missing_key", f"/{key}")}


@pytest.mark.parametrize("key", ["asset_name", "kind", "required"])
def test_an_asset_says_all_there_is_to_say(key, proposal, changed, gone, encoded):
    assert findings(changed(proposal, f"{ASSET}/{key}", gone), encoded) == {("missing_key", f"{ASSET}/{key}")}


@pytest.mark.parametrize(
    ("pointer", "value"),
    [
        ("/private_assets", []),
        ("/archive", None),
        ("/ci", {}),
        ("/ci", {"smoke_test_public_validation": True}),
        (f"{ASSET}/asset_note", None),
        (f"{ASSET}/asset_note", "made by hand"),
        (f"{ASSET}/required_paths", []),
        (f"{ASSET}/asset_name", ".."),
        (f"{ASSET}/kind", "private_evaluator_package"),
        (f"{ASSET}/kind", "private_seeds"),
        (f"{ASSET}/kind", "private_reference_outputs"),
        ("/challenge_name", " SUM-two "),
    ],
)
def test_what_the_tables_allow_is_accepted(pointer, value, proposal, changed, encoded):
    assert findings(changed(proposal, pointer, value), encoded) == set()


@pytest.mark.parametrize(
    ("pointer", "value", "code"),
    [
        ("/schema_version", 2, "out_of_range"),
        ("/request", "new_version", "unknown_value"),
        ("/title", "  ", "blank"),
        ("/summary/zh", "", "blank"),
        ("/keywords", [], "empty_list"),
        ("/keywords/1", "ARITHMETIC", "duplicate_name"),
        ("/readme_path", "./README.md", "bad_path"),
        ("/bundle_path", "/v1", "bad_path"),
        ("/bundle_path", None, "request_mismatch"),
        ("/archive", {"reason": "old"}, "request_mismatch"),
        ("/archive", {"reason": " "}, "blank"),
        ("/private_assets", None, "wrong_type"),
        ("/ci", None, "wrong_type"),
        (f"{ASSET}/asset_name", "a b", "bad_name"),
        (f"{ASSET}/kind", "private", "unknown_value"),
        (f"{ASSET}/required", None, "wrong_type"),
        (f"{ASSET}/required_paths", None, "wrong_type"),
        (f"{ASSET}/required_paths/0", "a//b", "bad_path"),
        (f"{ASSET}/asset_note", " ", "blank"),
    ],
)
def test_what_the_tables_forbid_is_refused_in_its_place(pointer, value, code, proposal, changed, encoded):
    assert findings(changed(proposal, pointer, value), encoded) >= {
        (code, pointer if value != {"reason": " "} else "/archive/reason")
    }


@pytest.mark.parametrize(
    ("pointer", "key"), [("/x", "x"), ("/ci", {"x": 1}), (f"{ASSET}/x", "x"), ("/archive", {"reason": "r", "x": 1})]
)
def test_unknown_keys_are_errors_everywhere(pointer, key, proposal, changed, encoded):
    found = findings(changed(proposal, pointer, key), encoded)
    assert [code for code, _ in found if code == "unknown_key"] == ["unknown_key"]


def test_an_archive_request_has_a_reason_and_no_bundle(proposal, changed, gone, encoded):
    archive = changed(proposal, "/request", "archive_challenge")
    assert findings(archive, encoded) == {("request_mismatch", "/archive"), ("request_mismatch", "/bundle_path")}
    archive = changed(changed(archive, "/bundle_path", gone), "/archive", {"reason": "superseded"})
    assert findings(archive, encoded) == set()


def test_assets_and_their_paths_are_unique(proposal, encoded):
    asset = proposal["private_assets"][0]
    proposal["private_assets"].append({**asset, "required_paths": ["a", "b", "a"]})
    assert findings(proposal, encoded) == {
        ("duplicate_name", "/private_assets/1/asset_name"),
        ("duplicate_name", "/private_assets/1/required_paths/2"),
    }


@pytest.mark.parametrize(
    ("pointer", "value", "key"),
    [
        ("/challenge_name", "sum-three", "challenge_name"),
        ("/title", "Sum two ", "title"),
        ("/summary/zh", "不同", "summary"),
        ("/keywords", ["Stdio", "arithmetic"], "keywords"),
        ("/keywords", ["arithmetic", "stdio"], "keywords"),
    ],
)
def test_a_difference_to_the_bundle_is_found(pointer, value, key, proposal, spec, changed, encoded):
    challenge = read_challenge(encoded(spec)).value
    assert list(differences(read_proposal(encoded(proposal)).value, challenge)) == []
    other = read_proposal(encoded(changed(proposal, pointer, value))).value
    assert [problem.path for problem in differences(other, challenge)] == [(key,)]
