"""The runner's side of the benchmark boundary: only the adapter speaks, and is believed when all of it is sound."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from agentics.errors import BenchmarkError
from agentics.model.run.benchmark import Grading
from agentics.model.run.design import AdapterCommand
from agentics.rundir.benchmark import AdapterOutput, read_benchmark
from agentics.rundir.files.atomic import read_document, write_document
from agentics.rundir.grading import note_process, restore
from agentics.rundir.integrity.trust import seal
from tests.adapter.conftest import AT, RUN_ID, WRITE, contents, evidence, lines, python, refused, result, score, trial

pytestmark = pytest.mark.slow


def test_an_adapters_rows_are_taken_as_they_are(run):
    found = score(run)
    assert [row.ids.trial_id for row in found.scores] == ["trial_1", "trial_2"]
    assert found.manifest.adapter_id == "mine"
    assert found.predictions[0].prediction.value == "42"
    assert found.directory == run / "benchmark"
    assert read_benchmark(run, RUN_ID) == AdapterOutput(
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


DAEMON = """
import signal, subprocess, sys
script = "import os, signal, sys; os.setsid(); print(os.getpid(), flush=True); os.close(1); signal.pause()"
signal.signal(signal.SIGTERM, signal.SIG_IGN)
middle = "import subprocess, sys; subprocess.Popen([sys.executable, '-c', sys.argv[1]])"
daemon = int(subprocess.run([sys.executable, "-c", middle, script], stdout=subprocess.PIPE).stdout)
signal.signal(signal.SIGTERM, signal.SIG_DFL)
"""
"""A grandchild whose parent has ended, in a session of its own, that ignores SIGTERM."""


def group_is_gone(pid: int) -> bool:
    """Whether nobody of the adapter's process group is running; who only waits to be buried is not."""
    listed = subprocess.run(["ps", "-e", "-o", "pgid=,stat="], capture_output=True, text=True, check=True).stdout
    return not [line for line in listed.splitlines() if line.split()[0] == str(pid) and "Z" not in line.split()[1]]


def test_a_child_that_outlives_the_adapter_is_ended_with_it(run):
    found = score(run, f"{FORK}\nMANIFEST['ext'] = {{'pid': os.getpid()}}\n{WRITE}")
    assert group_is_gone(found.manifest.ext["pid"])


def test_c3_a_child_in_a_session_of_its_own_is_ended_with_the_adapter(run):
    found = score(run, f"{DAEMON}\nMANIFEST['ext'] = {{'pid': daemon}}\n{WRITE}")
    assert group_is_gone(found.manifest.ext["pid"])


def test_c3_at_the_limit_a_child_in_a_session_of_its_own_is_ended_too(run):
    pid = run.parent / "pid"
    script = f"{DAEMON}\nopen({str(pid)!r}, 'w').write(str(daemon))\nsignal.pause()"
    assert refused(run, python(script, timeout_s=2)).code == "adapter_timeout"
    assert group_is_gone(int(pid.read_text()))


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


def test_an_adapter_is_asked_before_it_is_ended(run):
    tidy = "import signal\ndef end(*_):\n    write('tidied'); sys.exit(0)\nsignal.signal(signal.SIGTERM, end)\n"
    ready, interrupt = run.parent / "ready", threading.Event()
    os.mkfifo(ready)
    watcher = threading.Thread(target=lambda: (ready.read_bytes(), interrupt.set()))
    watcher.start()
    error = refused(run, f"{tidy}{WRITE}\nopen({str(ready)!r}, 'w').close()\nsignal.pause()", interrupt)
    watcher.join()
    assert error.code == "adapter_interrupted"
    assert (run.parent / "tidied").exists()


@pytest.mark.slow
def test_an_adapter_that_will_not_be_asked_is_ended(run):
    stubborn = "import signal\nsignal.signal(signal.SIGTERM, signal.SIG_IGN)\nwhile True: signal.pause()"
    assert refused(run, python(stubborn, timeout_s=0.5)).code == "adapter_timeout"


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
    assert isinstance(read_benchmark(run, RUN_ID), AdapterOutput)


RUNNER = """
import sys, threading
from pathlib import Path
from agentics.model.run.design import AdapterCommand
from agentics.runner.adapter import run_adapter
root = Path(sys.argv[1])
run_adapter(root, root.name, AdapterCommand(command=tuple(sys.argv[2:])), cwd=root, interrupt=threading.Event())
"""


def test_c3_an_adapter_whose_runner_was_killed_ends_with_it_and_the_next_one_begins_anew(run, monkeypatch):
    monkeypatch.setenv("PYTHONPATH", str(Path(__file__).parents[2]))
    told = run.parent / "told"
    os.mkfifo(told)
    orphan = f"{DAEMON}\nwith open({str(told)!r}, 'w') as out: out.write(f'{{os.getpid()}} {{daemon}}')\nsignal.pause()"
    runner = subprocess.Popen([sys.executable, "-c", RUNNER, str(run), *python(WRITE + orphan).command])
    groups = [int(pid) for pid in told.read_text().split()]
    runner.kill()
    runner.wait()
    assert until(lambda: all(map(group_is_gone, groups)))
    assert read_benchmark(run, RUN_ID) is None
    assert len(score(run).scores) == 2
    assert (run / "benchmark_history" / "1" / "scores.jsonl").is_file()


def until(condition: Callable[[], bool]) -> bool:
    """Whether it came true; for what another process does on its own, and tells nobody."""
    over = time.monotonic() + 60
    while not condition() and time.monotonic() < over:
        time.sleep(0.01)
    return condition()


def test_a_process_that_only_has_the_number_of_an_adapter_is_left_alone(run):
    other = subprocess.Popen([sys.executable, "-c", "input()"], stdin=subprocess.PIPE, start_new_session=True)
    own = seal("process", RUN_ID, str(other.pid), "1")
    marker = Grading(run_id=RUN_ID, started_at=AT, process=(other.pid, "1"), seal=own)
    write_document(run / "runtime" / "grading.json", marker)
    restore(run)
    assert other.poll() is None
    other.communicate(b"\n")
    assert other.returncode == 0


def test_a_strangers_marker_ends_no_process_of_this_user(run):
    other = subprocess.Popen([sys.executable, "-c", "input()"], stdin=subprocess.PIPE, start_new_session=True)
    place = run / "runtime" / "grading.json"
    write_document(place, Grading(run_id=RUN_ID, started_at=AT))
    note_process(run, other.pid)
    marker = read_document(place, Grading)
    assert marker.process[0] == other.pid
    write_document(place, marker.model_copy(update={"seal": f"hmac-sha256:{'0' * 64}"}))
    restore(run)
    assert other.poll() is None
    other.communicate(b"\n")
    assert other.returncode == 0


def test_a_run_without_an_adapter_has_no_scores(run):
    assert read_benchmark(run, RUN_ID) is None


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
