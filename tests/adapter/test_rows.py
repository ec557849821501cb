"""What an adapter wrote is checked, row by row and file by file, and refused as a whole with every problem named."""

from __future__ import annotations

import pytest

from agentics.cli.failure import envelope
from tests.adapter.conftest import WRITE, lines, python, refused, score

pytestmark = pytest.mark.slow

FILES = {"adapter_manifest": "MANIFEST", "predictions": "PREDICTIONS", "scores": "SCORES"}
BREAK = {
    "adapter_manifest": 'MANIFEST["evaluator"] = {"name": "grader", "mode": "private"}',
    "predictions": 'PREDICTIONS[1]["prediction"] = {"kind": "text", "value": 7}',
    "scores": 'SCORES[1]["primary_metric_value"] = "0.5"',
}
POINTERS = {
    "adapter_manifest": "/evaluator/mode",
    "predictions": "/prediction/value",
    "scores": "/primary_metric_value",
}


@pytest.mark.parametrize("file", FILES)
def test_c3_a_file_that_the_adapter_leaves_out_is_named_by_the_code(run, file):
    path = f"AGENTICS_{file.upper()}_PATH"
    error = refused(run, f'{WRITE}\nos.unlink(E["{path}"])')
    assert error.code == f"{file}_missing"


@pytest.mark.parametrize("file", FILES)
def test_c3_an_invalid_row_is_named_with_its_file_line_and_pointer(run, file):
    error = refused(run, f"{BREAK[file]}\n{WRITE}")
    assert error.code == f"{file}_invalid"
    (found,) = error.findings
    suffix = "json" if file == "adapter_manifest" else "jsonl"
    assert (found.file, found.line) == (f"benchmark_history/1/{file}.{suffix}", 1 if suffix == "json" else 2)
    assert found.pointer == POINTERS[file]
    assert (run / found.file).is_file()


def test_c3_every_problem_of_every_file_is_named(run):
    every = (
        "\n".join(BREAK.values()) + '\nPREDICTIONS[0]["ids"]["trial_id"] = "other"\nSCORES[0]["verdict"] = "maybe"\n'
    )
    error = refused(run, f"{every}{WRITE}")
    assert error.code == "adapter_manifest_invalid"
    places = {(found.file.rpartition("/")[2], found.line, found.pointer) for found in error.findings}
    assert places == {
        ("adapter_manifest.json", 1, "/evaluator/mode"),
        ("predictions.jsonl", 1, "/ids/trial_id"),
        ("predictions.jsonl", 2, "/prediction/value"),
        ("scores.jsonl", 1, "/verdict"),
        # The row shares its ids with the prediction.
        ("scores.jsonl", 1, "/ids/trial_id"),
        ("scores.jsonl", 2, "/primary_metric_value"),
    }


@pytest.mark.parametrize(
    ("declared", "at"), [("execution_mode", "/execution_mode"), ("evaluator_mode", "/evaluator/mode")]
)
def test_a_manifest_that_says_otherwise_than_the_experiment_is_refused(run, declared, at):
    other = {"execution_mode": "integrated_score", "evaluator_mode": "official"}[declared]
    error = refused(run, python(WRITE, **{declared: other}))
    assert error.code == "adapter_manifest_invalid"
    assert [found.pointer for found in error.findings] == [at]


def test_a_program_is_told_the_code_and_every_finding(run):
    told = envelope(refused(run, f"{BREAK['scores']}\n{WRITE}"))["error"]
    assert told["code"] == "scores_invalid"
    assert told["details"]["exit_status"] == 4
    assert [found["pointer"] for found in told["details"]["findings"]] == ["/primary_metric_value"]


def test_a_score_for_a_trial_of_another_run_is_refused(run):
    error = refused(run, f"SCORES[1]['ids'] = dict(SCORES[1]['ids'], trial_id='trial_9')\n{WRITE}")
    assert error.code == "scores_invalid"
    assert [(found.code, found.line, found.pointer) for found in error.findings] == [
        ("foreign_trial", 2, "/ids/trial_id")
    ]


@pytest.mark.parametrize(
    ("key", "value"), [("run_id", "other"), ("variant_id", "b"), ("task_id", "other"), ("repl_idx", 1)]
)
def test_a_score_that_calls_a_trial_by_another_name_is_refused(run, key, value):
    error = refused(run, f"SCORES[0]['ids'] = dict(SCORES[0]['ids'], {key}={value!r})\n{WRITE}")
    assert [(found.code, found.pointer) for found in error.findings] == [("ids_differ", f"/ids/{key}")]


@pytest.mark.parametrize("file", ["PREDICTIONS", "SCORES"])
def test_a_second_row_for_a_trial_is_refused(run, file):
    error = refused(run, f"{file}.append({file}[0])\n{WRITE}")
    assert [(found.code, found.line, found.pointer) for found in error.findings] == [
        ("duplicate_trial", 3, "/ids/trial_id")
    ]


@pytest.mark.parametrize("key", ["adapter_id", "name", "split"])
def test_a_row_of_another_benchmark_than_the_manifests_is_refused(run, key):
    error = refused(run, f"SCORES[0]['benchmark'] = dict(NAME, {key}='other')\n{WRITE}")
    assert [(found.code, found.pointer) for found in error.findings] == [("benchmark_differs", f"/benchmark/{key}")]


def test_a_summary_that_does_not_add_up_is_refused(run):
    error = refused(
        run, f"SUMMARY['totals']['pass'] = 8\nwrite(E['AGENTICS_BENCHMARK_SUMMARY_PATH'], SUMMARY)\n{WRITE}"
    )
    assert error.code == "summary_invalid"
    assert [found.code for found in error.findings] == ["totals_differ"]


@pytest.mark.parametrize("name", ["adapter_manifest.json", "predictions.jsonl", "scores.jsonl", "summary.json"])
@pytest.mark.parametrize("trick", ["link", "directory", "fifo", "device"])
def test_what_is_no_regular_file_is_refused_and_not_followed(run, name, trick):
    make = {
        "link": f"os.rename(path, E['AGENTICS_RUN_DIR'] + '/{name}.real')\nos.symlink('../{name}.real', path)",
        "directory": "os.unlink(path)\nos.mkdir(path)",
        "fifo": "os.unlink(path)\nos.mkfifo(path)",
        "device": "os.unlink(path)\nos.symlink('/dev/zero', path)",
    }[trick]
    error = refused(
        run,
        f"{WRITE}\nwrite(E['AGENTICS_BENCHMARK_SUMMARY_PATH'], SUMMARY)\n"
        f"path = E['AGENTICS_BENCHMARK_DIR'] + '/{name}'\n{make}",
    )
    assert error.code == f"{name.partition('.')[0]}_invalid"
    assert [found.code for found in error.findings] == ["not_a_regular_file"]


def test_a_link_in_place_of_the_whole_directory_is_not_followed(run):
    swap = "os.rename(E['AGENTICS_BENCHMARK_DIR'], E['AGENTICS_RUN_DIR'] + '/elsewhere')\n"
    error = refused(run, f"{WRITE}\n{swap}os.symlink('elsewhere', E['AGENTICS_BENCHMARK_DIR'])")
    assert error.code == "adapter_manifest_invalid"


def test_a_million_mistakes_are_not_all_listed(run):
    error = refused(run, f"SCORES[:] = [{{'n': n}} for n in range(2000)]\n{WRITE}")
    assert len(error.findings) == 201
    assert error.findings[-1].code == "too_many_findings"


def test_c6_a_ref_that_leads_nowhere_or_to_other_bytes_is_refused(run):
    ref = f"artifact://sha256/{'0' * 64}"
    predicted = f"PREDICTIONS[0]['prediction'] = {{'kind': 'artifact_ref', 'artifact_ref': {ref!r}}}\n"
    assert [found.code for found in refused(run, predicted + WRITE).findings] == ["artifact_missing"]
    damaged = lines(run / "evidence" / "evidence_records.jsonl")[0]["evidence"]["trial_output_ref"]
    (run / "artifacts" / "sha256" / damaged.rpartition("/")[2] / "blob").write_bytes(b"other")
    scored = f"SCORES[0]['artifacts'] = [{{'ref': {damaged!r}}}]\n"
    (found,) = refused(run, scored + WRITE).findings
    assert (found.code, found.line, found.pointer) == ("artifact_damaged", 1, "/artifacts/0/ref")


def test_blank_lines_are_no_rows(run):
    script = f"{WRITE}\nwith open(E['AGENTICS_SCORES_PATH'], 'a') as file:\n    file.write('\\n \\n')"
    assert len(score(run, script).scores) == 2


def test_a_torn_last_row_is_refused(run):
    script = f"{WRITE}\nwith open(E['AGENTICS_SCORES_PATH'], 'a') as file:\n    file.write('{{\"schema_ver')"
    (found,) = refused(run, script).findings
    assert (found.code, found.line) == ("syntax", 3)
