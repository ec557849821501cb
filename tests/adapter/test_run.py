"""The runner's side of the benchmark boundary: only the adapter speaks, and is believed when all of it is sound."""

from __future__ import annotations

import json
import os
import subprocess
import threading
from pathlib import Path

import pytest

from agentics.errors import BenchmarkError
from agentics.model.benchmark import Grading
from agentics.model.design import AdapterCommand
from agentics.rundir.atomic import write_document
from agentics.rundir.benchmark import Benchmark, read_benchmark
from agentics.rundir.grading import restore
from tests.adapter.conftest import AT, RUN_ID, WRITE, contents, evidence, lines, python, result, score, trial

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


def refused(root: Path, adapter: AdapterCommand | str, interrupt: threading.Event | None = None) -> BenchmarkError:
    """The error; and no trial has changed, and no score is to be seen."""
    before = {path: data for path, data in contents(root).items() if path.startswith(("trials/", "evidence/"))}
    with pytest.raises(BenchmarkError) as caught:
        score(root, adapter, interrupt)
    after = contents(root)
    assert {path: after[path] for path in before} == before
    assert read_benchmark(root, RUN_ID) is None
    assert not (root / "benchmark").exists()
    assert caught.value.exit_status == 4
    return caught.value


def test_an_adapters_rows_are_taken_as_they_are(run):
    found = score(run)
    assert [row.ids.trial_id for row in found.scores] == ["trial_1", "trial_2"]
    assert found.manifest.adapter_id == "mine"
    assert found.predictions[0].prediction.value == "42"
    assert found.directory == run / "benchmark"
    assert read_benchmark(run, RUN_ID) == Benchmark(
        manifest=found.manifest, predictions=found.predictions, scores=found.scores, summary=found.summary
    )


def test_without_a_summary_the_scores_are_added_up_and_it_says_who_did_it(run):
    summary = json.loads((score(run).directory / "summary.json").read_text())
    assert summary["ext"] == {"generated_by": "runner", "unscored_trials": 0}
    assert summary["totals"] == {"trials": 2, "pass": 2, "fail": 0, "missing": 0, "error": 0}
    assert summary["run_id"] == RUN_ID


def test_the_adapters_own_summary_is_taken_to_the_byte(run):
    found = score(run, WRITE + 'write(E["AGENTICS_BENCHMARK_SUMMARY_PATH"], SUMMARY)')
    assert found.summary.totals.trials == 9
    assert "generated_by" not in found.summary.ext
    assert json.loads((run / "benchmark" / "summary.json").read_text())["totals"]["pass"] == 9


def test_trials_that_the_adapter_left_out_are_told_and_not_made_up(run):
    found = score(run, "del SCORES[0]\n" + WRITE)
    assert len(lines(run / "benchmark" / "scores.jsonl")) == 1
    assert found.summary.totals.trials == 1
    assert found.summary.ext["unscored_trials"] == 1


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


def test_c3_an_exit_status_other_than_zero_refuses_even_good_files(run):
    error = refused(run, f"{WRITE}\nsys.exit(3)")
    assert error.code == "adapter_exit_nonzero"
    assert "3" in error.message
    assert (run / "benchmark_history" / "1" / "scores.jsonl").is_file()


def test_c3_an_adapter_that_a_signal_ended_is_told_so(run):
    error = refused(run, "import signal\nos.kill(os.getpid(), signal.SIGSEGV)")
    assert error.code == "adapter_exit_nonzero"
    assert "SIGSEGV" in error.message


def test_c3_an_adapter_that_never_ends_is_ended_at_its_limit(run):
    error = refused(run, python(f"{WRITE}\nimport threading\nthreading.Event().wait()", timeout_s=0.5))
    assert error.code == "adapter_timeout"


def test_c3_a_program_that_is_not_there_is_an_error_before_anything_ran(run):
    error = refused(run, AdapterCommand(command=("./no-such-adapter",)))
    assert error.code == "adapter_missing"
    assert "./no-such-adapter" in error.message


def test_c3_evidence_that_the_benchmark_requires_and_a_trial_lacks_stops_it_before_the_adapter(run):
    error = refused(run, python(WRITE, required_evidence=("trial_output_ref", "workspace_post_ref")))
    assert error.code == "evidence_class_missing"
    assert "workspace_post_ref" in error.message
    assert not (run / "benchmark_history").exists()


def test_required_evidence_that_is_there_lets_the_adapter_run(run):
    assert score(run, python(WRITE, required_evidence=("trial_input_ref", "trial_output_ref"))).scores


@pytest.mark.parametrize(
    ("declared", "at"), [("execution_mode", "/execution_mode"), ("evaluator_mode", "/evaluator/mode")]
)
def test_a_manifest_that_says_otherwise_than_the_experiment_is_refused(run, declared, at):
    other = {"execution_mode": "integrated_score", "evaluator_mode": "official"}[declared]
    error = refused(run, python(WRITE, **{declared: other}))
    assert error.code == "adapter_manifest_invalid"
    assert [found.pointer for found in error.findings] == [at]


def test_c4_ten_megabytes_on_both_streams_reach_files_and_nobody_waits(run, capfd):
    flood = 'for stream in (sys.stdout, sys.stderr):\n    stream.write("x" * 10_000_000)\n'
    score(run, flood + WRITE)
    logs = run / "benchmark" / "evaluator_logs"
    assert (logs / "adapter_stdout.log").stat().st_size == 10_000_000
    assert (logs / "adapter_stderr.log").stat().st_size == 10_000_000
    assert capfd.readouterr() == ("", "")


def test_the_adapter_gets_nothing_on_its_input_and_stands_where_it_was_told(run):
    found = score(run, f"assert sys.stdin.read() == ''\nMANIFEST['ext'] = {{'cwd': os.getcwd()}}\n{WRITE}")
    assert found.manifest.ext["cwd"] == str(run.parent)


def test_the_adapter_is_told_every_path_under_both_prefixes_and_keeps_the_users_environment(run, monkeypatch):
    monkeypatch.setenv("JUDGE_MODEL", "small")
    monkeypatch.setenv("AGENTICS_RUN_ID", "somebody else's")
    told = score(run, f"MANIFEST['ext'] = dict(os.environ)\n{WRITE}").manifest.ext
    benchmark = run / "benchmark"
    expected = {
        "RUN_ID": RUN_ID,
        "RUN_DIR": run,
        "EVIDENCE_RECORDS_PATH": run / "evidence" / "evidence_records.jsonl",
        "TASK_CHAIN_STATES_PATH": run / "evidence" / "task_chain_states.jsonl",
        "BENCHMARK_DIR": benchmark,
        "BENCHMARK_TASKS_PATH": benchmark / "tasks.jsonl",
        "EVALUATOR_LOGS_DIR": benchmark / "evaluator_logs",
        "ADAPTER_MANIFEST_PATH": benchmark / "adapter_manifest.json",
        "PREDICTIONS_PATH": benchmark / "predictions.jsonl",
        "SCORES_PATH": benchmark / "scores.jsonl",
        "BENCHMARK_SUMMARY_PATH": benchmark / "summary.json",
    }
    for name, value in expected.items():
        assert told[f"AGENTICS_{name}"] == told[f"AGENTLAB_{name}"] == str(value)
    assert told["JUDGE_MODEL"] == "small"


FORK = """
reader, writer = os.pipe()
if os.fork() == 0:
    import time
    os.write(writer, b"x")
    while True:
        time.sleep(0.01)
        write(E["AGENTICS_EVALUATOR_LOGS_DIR"] + "/late", {})
os.read(reader, 1)
"""


def group_is_gone(pid: int) -> bool:
    """Whether nobody of the adapter's process group is running; who only waits to be buried is not."""
    listed = subprocess.run(["ps", "-e", "-o", "pgid=,stat="], capture_output=True, text=True, check=True).stdout
    return not [line for line in listed.splitlines() if line.split()[0] == str(pid) and "Z" not in line.split()[1]]


def test_a_child_that_outlives_the_adapter_is_ended_with_it(run):
    found = score(run, f"{FORK}\nMANIFEST['ext'] = {{'pid': os.getpid()}}\n{WRITE}")
    assert group_is_gone(found.manifest.ext["pid"])


def test_at_the_limit_children_are_ended_too(run):
    pid = run.parent / "pid"
    script = f"open({str(pid)!r}, 'w').write(str(os.getpid()))\n{FORK}\nimport time\ntime.sleep(600)"
    assert refused(run, python(script, timeout_s=1)).code == "adapter_timeout"
    assert group_is_gone(int(pid.read_text()))


def test_an_interrupted_adapter_is_ended_and_leaves_no_scores(run):
    ready, interrupt = run.parent / "ready", threading.Event()
    os.mkfifo(ready)

    def stop_when_ready() -> None:
        ready.read_bytes()
        interrupt.set()

    watcher = threading.Thread(target=stop_when_ready)
    watcher.start()
    error = refused(run, f"{WRITE}\nopen({str(ready)!r}, 'w').close()\nimport time\ntime.sleep(600)", interrupt)
    watcher.join()
    assert error.code == "adapter_interrupted"


def test_what_a_later_adapter_replaces_is_kept(run):
    score(run, f"MANIFEST['adapter_version'] = '1'\n{WRITE}")
    before = contents(run / "benchmark")
    found = score(run, f"MANIFEST['adapter_version'] = '2'\n{WRITE}")
    assert found.manifest.adapter_version == "2"
    assert contents(run / "benchmark_history" / "1") == before


def test_a_later_adapter_that_fails_leaves_the_earlier_scores_as_they_were(run):
    score(run)
    before = contents(run / "benchmark")
    with pytest.raises(BenchmarkError) as caught:
        score(run, "del SCORES[0]['verdict']\n" + WRITE)
    assert contents(run / "benchmark") == before
    assert [found.file for found in caught.value.findings] == ["benchmark_history/2/scores.jsonl"]
    assert (run / "benchmark_history" / "2" / "scores.jsonl").is_file()


@pytest.mark.parametrize("moved", [False, True])
def test_a_grading_whose_runner_was_killed_is_not_believed_and_is_undone(run, moved):
    score(run)
    before = contents(run / "benchmark")
    write_document(run / "runtime" / "grading.json", Grading(run_id=RUN_ID, started_at=AT, set_aside=1))
    if moved:
        (run / "benchmark_history").mkdir()
        (run / "benchmark").rename(run / "benchmark_history" / "1")
        (run / "benchmark").mkdir()
        (run / "benchmark" / "scores.jsonl").write_text("{half a")
    assert read_benchmark(run, RUN_ID) is None
    restore(run)
    assert contents(run / "benchmark") == before
    assert isinstance(read_benchmark(run, RUN_ID), Benchmark)


def test_a_run_without_an_adapter_has_no_scores(run):
    assert read_benchmark(run, RUN_ID) is None


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


def test_the_evidence_of_a_trials_newest_attempt_is_the_one_that_counts(root):
    own = trial(root, 1, "error")
    evidence(root, result(own), own, attempt=2, workspace_post_ref=None)
    found = score(root, python("del PREDICTIONS[0], SCORES[0]\n" + WRITE))
    assert found.summary.totals.trials == 1
    assert found.summary.ext["unscored_trials"] == 0


def test_a_run_without_trials_may_be_scored_with_nothing(root):
    found = score(root)
    assert found.scores == ()
    assert found.summary.variants == ()


def test_blank_lines_are_no_rows(run):
    script = f"{WRITE}\nwith open(E['AGENTICS_SCORES_PATH'], 'a') as file:\n    file.write('\\n \\n')"
    assert len(score(run, script).scores) == 2


def test_a_torn_last_row_is_refused(run):
    script = f"{WRITE}\nwith open(E['AGENTICS_SCORES_PATH'], 'a') as file:\n    file.write('{{\"schema_ver')"
    (found,) = refused(run, script).findings
    assert (found.code, found.line) == ("syntax", 3)
