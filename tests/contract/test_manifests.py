"""Run, session and solution manifests: every row of their tables."""

# ruff: noqa: PLR0917  a table's columns and pytest's fixtures are parameters

import pytest

from agentics.bundle import read_run_manifest, read_session_manifest
from agentics.errors import InvalidDocument
from agentics.model.bundle.solution import SolutionManifest
from agentics.model.document.parsing import load
from agentics.policy.bundle.manifests import check_run_manifest, check_session_manifest

RUN = "/runs/1"
INPUT = "/runs/1/input_files/0"


def runs(manifest, encoded):
    return {(f.code, f.pointer) for f in check_run_manifest(encoded(manifest), "runs.json").findings}


def sessions(manifest, encoded):
    return {(f.code, f.pointer) for f in check_session_manifest(encoded(manifest), "session.json").findings}


def solutions(manifest, encoded):
    return {(f.code, f.pointer) for f in load(SolutionManifest, encoded(manifest), "s.json").findings}


def test_a_run_manifest_in_order_keeps_all_it_says(run_manifest, encoded):
    loaded = check_run_manifest(encoded(run_manifest), "runs.json")
    assert loaded.findings == ()
    dumped = loaded.value.model_dump(mode="json")
    assert dumped["runs"][0] == run_manifest["runs"][0]
    assert dumped["runs"][1]["input_files"][1]["content_json"] == [1, None]


def test_an_input_file_is_written_with_its_path_and_its_one_source(run_manifest, session_manifest, changed, encoded):
    session = changed(session_manifest, "/input_files", run_manifest["runs"][1]["input_files"])
    given = [
        {"path": "a.txt", "content": "1 2"},
        {"path": "deep/b.json", "content_json": [1, None]},
        {"path": "c.bin", "source_path": "public/c.bin"},
    ]
    for loaded in (
        check_run_manifest(encoded(run_manifest), "runs.json").value.runs[1],
        check_session_manifest(encoded(session), "session.json").value,
    ):
        assert loaded.model_dump(mode="json")["input_files"] == given
        assert [list(item) for item in loaded.model_dump(mode="json")["input_files"]] == [list(item) for item in given]
    assert loaded.model_dump(mode="json")["metadata"] == session["metadata"]


@pytest.mark.parametrize(
    "key", ["run_name", "interface", "stdin_json", "stdin_text", "input_files", "output_files", "metadata"]
)
def test_all_seven_keys_of_a_run_are_mandatory(key, run_manifest, changed, gone, encoded):
    assert runs(changed(run_manifest, f"/runs/0/{key}", gone), encoded) == {("missing_key", f"/runs/0/{key}")}


@pytest.mark.parametrize(
    ("pointer", "value"),
    [
        (f"{RUN}/run_name", "..."),
        (f"{RUN}/run_name", "A_b-c.9" * 50),
        (f"{RUN}/interface", "file_system"),
        (f"{RUN}/stdin_json", None),
        (f"{RUN}/stdin_json", False),
        (f"{RUN}/stdin_json", 0),
        (f"{RUN}/stdin_json", "text"),
        (f"{RUN}/input_files", None),
        (f"{RUN}/output_files", None),
        (f"{RUN}/metadata", {}),
        (f"{RUN}/metadata", {"name": {"run_name": 1}, "cases": [None]}),
        (f"{RUN}/input_files/1/path", "a.txt/below"),
        (f"{INPUT}/content", ""),
        (f"{INPUT}/content_json", None),
    ],
)
def test_what_a_run_may_say_is_accepted(pointer, value, run_manifest, changed, encoded):
    assert runs(changed(run_manifest, pointer, value), encoded) == set()


@pytest.mark.parametrize(
    ("pointer", "value", "code", "where"),
    [
        ("/runs", [], "empty_list", ""),
        ("/runs", None, "wrong_type", ""),
        (f"{RUN}/run_name", "one", "duplicate_name", ""),
        (f"{RUN}/run_name", "", "bad_name", ""),
        (f"{RUN}/run_name", ".", "bad_name", ""),
        (f"{RUN}/run_name", "..", "bad_name", ""),
        (f"{RUN}/run_name", " two", "bad_name", ""),
        (f"{RUN}/run_name", "a/b", "bad_name", ""),
        (f"{RUN}/run_name", "a\n", "bad_name", ""),
        (f"{RUN}/run_name", "agentics-runs.json", "reserved_name", ""),
        (f"{RUN}/interface", "piped_stdio", "unknown_value", ""),
        (f"{RUN}/stdin_text", "both", "two_stdins", ""),
        (f"{RUN}/stdin_text", 5, "wrong_type", ""),
        (f"{RUN}/input_files", [], "empty_list", ""),
        (f"{RUN}/output_files", [], "empty_list", ""),
        (f"{RUN}/output_files", ["a", "b", "a"], "duplicate_name", "/2"),
        (f"{RUN}/output_files", ["../a"], "bad_path", "/0"),
        (f"{RUN}/metadata", [], "wrong_type", ""),
        (f"{RUN}/metadata", {"stdin_text": 1}, "reserved_key", "/stdin_text"),
        (f"{RUN}/metadata", {"metadata": None}, "reserved_key", "/metadata"),
        (f"{RUN}/surprise", 1, "unknown_key", ""),
        ("/surprise", 1, "unknown_key", ""),
        (f"{INPUT}/surprise", 1, "unknown_key", ""),
        (f"{INPUT}/path", "/a", "bad_path", ""),
        (f"{INPUT}/path", "c.bin", "duplicate_name", None),
        (f"{INPUT}/content", None, "no_source", None),
        (f"{INPUT}/source_path", "x", "two_sources", None),
        (f"{INPUT}/content_json", 0, "two_sources", ""),
        (f"{INPUT}/source_path", "/x", "bad_path", ""),
    ],
)
def test_what_a_run_may_not_say_is_refused(pointer, value, code, where, run_manifest, changed, encoded):
    found = runs(changed(run_manifest, pointer, value), encoded)
    assert [c for c, _ in found] == [code]
    if where is not None:
        assert found == {(code, f"{pointer}{where}")}


def test_there_are_at_most_a_hundred_runs(run_manifest, encoded):
    run = run_manifest["runs"][0]
    assert runs({"runs": [{**run, "run_name": f"r{i}"} for i in range(100)]}, encoded) == set()
    assert runs({"runs": [{**run, "run_name": f"r{i}"} for i in range(101)]}, encoded) == {("too_many", "/runs")}


@pytest.mark.parametrize("key", ["session_name", "input_files", "metadata"])
def test_all_three_keys_of_a_session_are_mandatory(key, session_manifest, changed, gone, encoded):
    assert sessions(session_manifest, encoded) == set()
    assert sessions(changed(session_manifest, f"/{key}", gone), encoded) == {("missing_key", f"/{key}")}


@pytest.mark.parametrize(
    ("pointer", "value", "code"),
    [
        ("/session_name", "..", "bad_name"),
        ("/input_files", [], "empty_list"),
        ("/metadata", [], "wrong_type"),
        ("/x", 1, "unknown_key"),
        ("/runs", [], "unknown_key"),
    ],
)
def test_what_a_session_may_not_say_is_refused(pointer, value, code, session_manifest, changed, encoded):
    assert sessions(changed(session_manifest, pointer, value), encoded) == {(code, pointer)}


def test_a_session_may_use_any_metadata_and_lists_files_once(session_manifest, changed, encoded):
    assert sessions(changed(session_manifest, "/metadata", {"session_name": 1, "run_name": 2}), encoded) == set()
    session_manifest["input_files"].append({"path": "c", "content_json": []})
    assert sessions(session_manifest, encoded) == {("duplicate_name", "/input_files/1/path")}


def test_sources_are_regular_files_below_the_root(run_manifest, session_manifest, changed, encoded, tmp_path):
    data = encoded(run_manifest)
    with pytest.raises(InvalidDocument) as caught:
        read_run_manifest(data, "runs.json", tmp_path)
    assert [(f.code, f.pointer) for f in caught.value.findings] == [
        ("missing_file", "/runs/1/input_files/2/source_path")
    ]
    (tmp_path / "elsewhere").write_bytes(b"")
    (tmp_path / "public").mkdir()
    target = tmp_path / "public" / "c.bin"
    target.symlink_to(tmp_path / "elsewhere")
    with pytest.raises(InvalidDocument, match="symlink"):
        read_run_manifest(data, "runs.json", tmp_path)
    target.unlink()
    target.mkdir()
    with pytest.raises(InvalidDocument, match="directory"):
        read_run_manifest(data, "runs.json", tmp_path)
    target.rmdir()
    target.write_bytes(b"")
    assert len(read_run_manifest(data, "runs.json", tmp_path).runs) == 2
    session = changed(session_manifest, "/input_files/0", {"path": "c", "source_path": "public/c.bin"})
    assert read_session_manifest(encoded(session), "s.json", tmp_path).session_name == "main"
    with pytest.raises(InvalidDocument):
        read_session_manifest(encoded(session), "s.json", tmp_path / "public")


@pytest.mark.parametrize(
    ("pointer", "value"),
    [
        ("/note", ""),
        ("/note", "a" * 1024),
        ("/note", "line\r\n\tindented é"),
        ("/commands/setup", None),
        ("/commands/build", "b.sh"),
    ],
)
def test_what_a_solution_may_say_is_accepted(pointer, value, solution, changed, encoded):
    assert solutions(changed(solution, pointer, value), encoded) == set()


@pytest.mark.parametrize(
    ("pointer", "value", "code"),
    [
        ("/protocol", "zip", "unknown_value"),
        ("/protocol_version", 2, "out_of_range"),
        ("/protocol_version", 0, "out_of_range"),
        ("/note", None, "wrong_type"),
        ("/note", "é" * 513, "too_long"),
        ("/note", "bell\u0007", "bad_note"),
        ("/note", "\u007f", "bad_note"),
        ("/note", "\u0085", "bad_note"),
        ("/commands", None, "wrong_type"),
        ("/commands/run", None, "wrong_type"),
        ("/commands/run", "run me.sh", "bad_path"),
        ("/commands/setup", "", "bad_path"),
        ("/commands/test", "t.sh", "unknown_key"),
        ("/runtime", "python", "unknown_key"),
        ("/phases", [], "unknown_key"),
        ("/interface", "stdio", "unknown_key"),
        ("/dependencies", {}, "unknown_key"),
    ],
)
def test_what_a_solution_may_not_say_is_refused(pointer, value, code, solution, changed, encoded):
    assert solutions(changed(solution, pointer, value), encoded) == {(code, pointer)}


@pytest.mark.parametrize("pointer", ["/protocol", "/protocol_version", "/commands", "/commands/run"])
def test_a_solution_needs_its_keys(pointer, solution, changed, gone, encoded):
    assert solutions(changed(solution, pointer, gone), encoded) == {("missing_key", pointer)}
