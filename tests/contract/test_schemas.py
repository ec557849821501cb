"""JSON Schemas are generated, current, and agree with the models wherever a schema can say it."""

import json
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from jsonschema import Draft202012Validator
from pydantic import ValidationError

from agentics.schemas import DOCUMENTS, export, schema, stale

ROOT = Path(__file__).parents[2]
FIXTURES = {
    "challenge": ["spec", "piped_spec", "coexecuted_spec", "cuda_spec"],
    "proposal": ["proposal"],
    "result": ["result"],
    "run-manifest": ["run_manifest"],
    "session-manifest": ["session_manifest"],
    "solution": ["solution"],
}
PAIRS = [(name, fixture) for name, fixtures in FIXTURES.items() for fixture in fixtures]
# What only the loader sees: words beyond a pattern, and lengths in bytes.
BEYOND_SCHEMA = {"too_long", "bad_keyword", "bad_name", "bad_timestamp"}


def model_says(name, document):
    """Whether the model accepts, or None where its reason is beyond a schema."""
    try:
        DOCUMENTS[name].model_validate(document)
    except ValidationError as error:
        kinds = {e["type"] for e in error.errors() if not (e["type"] == "too_short" and e["input"])}
        return None if kinds <= BEYOND_SCHEMA else False
    return True


def agree(name, document):
    said = model_says(name, document)
    valid = VALIDATORS[name].is_valid(document)
    assert said is None or valid is said, (name, said, valid)


VALIDATORS = {name: Draft202012Validator(schema(name)) for name in DOCUMENTS}


@pytest.mark.parametrize("name", sorted(DOCUMENTS))
def test_every_schema_is_one(name):
    Draft202012Validator.check_schema(schema(name))
    assert schema(name)["$id"] == f"urn:agentics:schema:{name}"
    assert schema(name)["title"] == name
    assert schema(name)["$schema"] == "https://json-schema.org/draft/2020-12/schema"


def test_the_schemas_in_the_repository_are_current():
    assert stale(ROOT / "schemas") == []


def test_a_stale_missing_or_foreign_schema_is_named(tmp_path):
    assert sorted(export(tmp_path)) == sorted(f"{name}.schema.json" for name in DOCUMENTS)
    assert stale(tmp_path) == []
    (tmp_path / "result.schema.json").write_text("{}")
    (tmp_path / "solution.schema.json").unlink()
    (tmp_path / "old.schema.json").write_text("{}")
    assert stale(tmp_path) == ["old.schema.json", "result.schema.json", "solution.schema.json"]


@pytest.mark.parametrize(("name", "fixture"), PAIRS)
def test_documents_in_order_are_valid(name, fixture, request):
    document = request.getfixturevalue(fixture)
    VALIDATORS[name].validate(document)
    agree(name, document)


def pointers(value, path=""):
    items = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    for key, item in items:
        yield f"{path}/{key}"
        yield from pointers(item, f"{path}/{key}")


WRONG = [None, True, 0, 1, -1, 2**64, 0.5, "", " ", "x", "a b", "../x", "/x", [], {}, [[]], ["x"], {"x": 1}, "x\n"]


@pytest.mark.parametrize(("name", "fixture"), PAIRS)
@pytest.mark.slow
def test_model_and_schema_agree_on_any_one_change(name, fixture, request, changed, gone):
    document = request.getfixturevalue(fixture)
    # The variants of a challenge differ from the first in these places only.
    own = () if fixture in {"piped_spec", "coexecuted_spec"} else ("/targets/0/resource_profile/hardware",)
    places = [
        p for p in pointers(document) if name != "challenge" or fixture == "spec" or p.startswith(("/execution", *own))
    ]
    for pointer in places:
        if pointer.rpartition("/")[2].isdigit() is False:
            agree(name, changed(document, pointer, gone))
            agree(name, changed(document, f"{pointer}-surprise", 1))
        for value in WRONG:
            agree(name, changed(document, pointer, value))


@pytest.mark.parametrize(("name", "fixture"), PAIRS)
def test_model_and_schema_agree_on_any_changes(name, fixture, request, changed):
    document = request.getfixturevalue(fixture)
    places = sorted(pointers(document))

    @settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
    @given(st.dictionaries(st.sampled_from(places), st.sampled_from(WRONG) | st.text(max_size=5), max_size=3))
    def agreed(changes):
        mutated = document
        for pointer, value in changes.items():
            try:
                mutated = changed(mutated, pointer, value)
            except (KeyError, IndexError, TypeError, ValueError):
                continue
        agree(name, mutated)

    agreed()


@pytest.mark.parametrize(
    "word", ["a", "A.b-c_9", "..", ".", "", " ", "a b", "a\n", "é", "a/b", "a//b", "./a", "a/..", "-"]
)
@pytest.mark.parametrize(
    ("name", "fixture", "pointer"),
    [
        ("challenge", "spec", "/datasets/public_dir"),
        ("challenge", "spec", "/targets/0/name"),
        ("challenge", "spec", "/metric_schema/metrics/0/label"),
        ("run-manifest", "run_manifest", "/runs/0/run_name"),
        ("session-manifest", "session_manifest", "/session_name"),
        ("solution", "solution", "/commands/run"),
    ],
)
def test_words_mean_the_same_in_both(name, fixture, pointer, word, request, changed):
    document = changed(request.getfixturevalue(fixture), pointer, word)
    try:
        DOCUMENTS[name].model_validate(document)
        said = True
    except ValidationError:
        said = False
    assert VALIDATORS[name].is_valid(document) is said


def test_the_shipped_documents_are_valid():
    seen = 0
    for path in sorted((ROOT / "bundles").rglob("*.json")):
        kind = {"spec.json": "challenge", "agentics.challenge.json": "proposal", "agentics.solution.json": "solution"}
        if path.name in kind:
            VALIDATORS[kind[path.name]].validate(json.loads(path.read_text(encoding="utf-8")))
            seen += 1
    assert seen > 3
