"""`agentics schema validate`: every file of a run is what it should be, by the models and by the exported schemas."""

from __future__ import annotations

import json

import pytest
from jsonschema import Draft202012Validator

from agentics.rundir.files.contents import PLACES, files, versions
from agentics.rundir.integrity.validate import VERSIONS
from agentics.schemas import DOCUMENTS, LINES, schema
from tests.runner.lab import solution

pytestmark = pytest.mark.slow

NAMES = {model: name for name, model in DOCUMENTS.items()}


@pytest.fixture
def run(lab):
    lab.bundle("one")
    lab.bundle("two")
    solution(lab.home, "other", **{"run.sh": "cat; true\n"})
    assert lab.eval("one", "two", "--solution", "other").status == 0
    return lab.home / "outputs" / "r"


def documents(root):
    """Every JSON document and line of a run, with the model that its place or its schema_version names."""
    for file in files(root):
        if file.at.suffix not in {".json", ".jsonl"}:
            continue
        texts = [file.at.read_bytes()] if file.form == "document" else file.at.read_bytes().splitlines()
        for text in texts:
            value = json.loads(text)
            yield file, value, file.place.model or VERSIONS[value["schema_version"]]


def test_c5_every_document_of_a_finished_run_validates_with_draft_2020_12(run):
    validators = {model: Draft202012Validator(schema(name)) for model, name in NAMES.items()}
    seen = set()
    for file, value, model in documents(run):
        validators[model].validate(value)
        said = value.get("schema_version")
        assert not isinstance(said, str) or VERSIONS[said] is model, file.path
        seen.add(file.path)
    assert len(seen) > 50


def test_c5_every_model_of_a_place_has_an_exported_schema():
    assert {place.name for place in PLACES if place.model is not None and place.model not in NAMES} == set()
    assert {NAMES[place.model] for place in PLACES if place.form == "ledger"} == set(LINES)


def test_no_two_documents_have_the_same_schema_version():
    said = [word for name, model in DOCUMENTS.items() for word in versions({name: model})]
    assert sorted(said) == sorted(set(said))


def test_c5_a_finished_run_is_valid(run, lab):
    said = lab("schema", "validate", run, "--json")
    assert (said.status, said.json["ok"], said.json["valid"], said.json["findings"]) == (0, True, True, [])
    assert said.json["checked"] > 50
    assert lab("schema", "validate", run).out == f"{said.json['checked']} files checked, 0 problems\n"


@pytest.mark.parametrize(
    ("path", "change", "expected"),
    [
        # file, what stands there, what is put in its place; then the code, line and pointer of the finding
        ("manifest.json", ('"manifest_v1"', '"manifest_v9"'), ("unknown_value", 2, "/schema_version")),
        ("trials/trial_1/trial_state.json", ('"completed"', '"done"'), ("unknown_value", 4, "/status")),
        ("trials/trial_1/trial_state.json", ('"attempt": 1', '"attempt": 0'), (None, 9, "/attempt")),
        ("trials/trial_1/result.json", ('"metrics"', '"surprise"'), ("unknown_key", 11, "/surprise")),
        ("runtime/invocations.jsonl", ('"kind":"ended"', '"kind":"gone"'), (None, 2, None)),
        ("evidence/evidence_records.jsonl", ('"attempt":1', '"attempt":"1"'), (None, 1, "/attempt")),
        ("runtime/events.jsonl", ('"event":"run_started"', '"event":"run_was"'), (None, 1, None)),
        ("public/challenges/one.json", ('"schema_version": 1', '"schema_version": 2'), (None, 2, "/schema_version")),
        ("trials/trial_1/attempts/1/evidence.json", ('"mode": "validation"', '"mode": 3'), (None, 3, "/mode")),
    ],
)
def test_c5_what_is_not_valid_is_named_with_its_line_and_pointer(run, lab, path, change, expected):
    (before, after), (code, line, pointer) = change, expected
    text = (run / path).read_text()
    assert before in text
    (run / path).write_text(text.replace(before, after, 1))
    said = lab("schema", "validate", run, "--json")
    assert (said.status, said.json["valid"], said.json["error"]["code"]) == (1, False, "invalid_document")
    found = [f for f in said.json["findings"] if f["severity"] == "error"]
    assert {finding["file"] for finding in found} == {str(run / path)}
    first = found[0]
    assert code in (None, first["code"])
    assert pointer in (None, first["pointer"])
    assert first["line"] == line
    assert f"{path}:{line}" in lab("schema", "validate", run).err


@pytest.mark.parametrize(
    ("path", "text", "code"),
    [
        ("surprise.json", "{}", "unknown_file"),
        ("runtime/more.jsonl", "", "unknown_file"),
        ("trials/trial_1/attempts/1/evidence/more.json", '{"schema_version": "more_v1"}', "unknown_schema_version"),
        ("trials/trial_1/attempts/1/evidence/more.json", "{}", "no_schema_version"),
        ("analysis/tables/more.jsonl", '{"schema_version": "more_v1"}\n', "unknown_schema_version"),
    ],
)
def test_c5_a_file_that_nobody_knows_is_not_valid(run, lab, path, text, code):
    (run / path).parent.mkdir(parents=True, exist_ok=True)
    (run / path).write_text(text)
    said = lab("schema", "validate", run, "--json")
    assert said.status == 1
    assert [(f["file"], f["code"]) for f in said.json["findings"]] == [(str(run / path), code)]


def test_a_torn_line_is_not_valid(run, lab):
    with (run / "runtime/events.jsonl").open("a") as f:
        f.write('{"schema_version"')
    said = lab("schema", "validate", run, "--json")
    assert [f["code"] for f in said.json["findings"]] == ["torn_line"]


def test_one_file_is_checked_by_its_place_by_what_it_says_or_by_its_name(run, lab):
    for path in (
        "runtime/invocations.jsonl",
        "trials/trial_1/attempts/1/evidence.json",
        "trials/trial_1/result.json",
        "public/challenges/one.json",
    ):
        assert lab("schema", "validate", run / path, "--json").json["checked"] == 1
        assert lab("schema", "validate", run / path).status == 0, path
    copied = lab.home / "anything.json"
    copied.write_bytes((run / "manifest.json").read_bytes())
    assert lab("schema", "validate", copied, "one/spec.json", "mine/agentics.solution.json").status == 0
    copied.write_text('{"schema_version": "manifest_v1"}')
    assert lab("schema", "validate", copied).status == 1
    copied.write_text('{"schema_version": "other_v1"}')
    assert lab("schema", "validate", copied, "--json").json["findings"][0]["code"] == "unknown_schema_version"


@pytest.mark.parametrize(
    "text", ["", "{", "[]", "null", '{"a": NaN}', "\x00", "\ud800".encode("utf-8", "surrogatepass")]
)
def test_what_is_no_document_at_all_is_a_finding(lab, text):
    path = lab.home / "x.json"
    path.write_bytes(text if isinstance(text, bytes) else text.encode())
    said = lab("schema", "validate", path, "--json")
    assert (said.status, said.json["valid"], len(said.json["findings"])) == (1, False, 1)


def test_a_directory_that_is_no_run_is_a_finding_and_no_such_path_a_misuse(lab):
    (lab.home / "empty").mkdir()
    assert lab("schema", "validate", "empty", "--json").json["findings"][0]["code"] == "no_such_run"
    said = lab("schema", "validate", "nowhere", "--json")
    assert (said.status, said.json["error"]["code"]) == (2, "no_such_file")
