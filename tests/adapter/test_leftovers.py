"""What an adapter leaves beside its four files: a run holds regular files with readable names, within bounds."""

from __future__ import annotations

import os
import stat

import pytest

from agentics.archive.hostile import remove
from agentics.rundir.benchmark import AdapterOutput, read_benchmark
from agentics.rundir.files.contents import files, strange
from tests.adapter.conftest import RUN_ID, WRITE, python, refused, score

pytestmark = pytest.mark.slow

HERE = "os.chdir(E['AGENTICS_BENCHMARK_DIR'])\n"
LEFT = {
    "fifo": ("os.mkfifo('left')", "special_file"),
    "socket": ("import socket; socket.socket(socket.AF_UNIX).bind('left')", "special_file"),
    "link": ("os.symlink('scores.jsonl', 'left')", "link"),
    "link outside": ("os.symlink('/etc', 'left')", "link"),
    "link to a device": ("os.symlink('/dev/zero', 'left')", "link"),
    "name": ("open(b'left\\xff', 'w')", "bad_name"),
    "control": ("open('left\\x1b[2J', 'w')", "bad_name"),
    "sparse": ("open('left', 'w').truncate(1 << 40)", "too_many_bytes"),
}


def assert_clean(run):
    """Nothing that cannot be read to its end is left anywhere in the run."""
    assert strange(run) == ()
    for file in files(run):
        assert stat.S_ISREG(file.at.lstat().st_mode)
        file.at.read_bytes()


@pytest.mark.parametrize(("make", "code"), LEFT.values(), ids=LEFT)
@pytest.mark.parametrize("where", [".", "evaluator_logs/deeper"])
def test_c3_what_a_run_cannot_hold_is_refused_and_removed(run, make, code, where):
    error = refused(run, f"{WRITE}\n{HERE}os.makedirs({where!r}, exist_ok=True)\nos.chdir({where!r})\n{make}")
    assert error.code == "adapter_files_refused"
    (found,) = error.findings
    assert (found.code, found.file.isascii()) == (code, True)
    assert found.file.startswith(os.path.normpath(f"benchmark_history/1/{where}") + "/left")
    assert (run / "benchmark_history" / "1" / "scores.jsonl").is_file()
    assert_clean(run)


@pytest.mark.parametrize("make", [make for make, _ in LEFT.values()], ids=LEFT)
def test_c3_what_a_failed_adapter_leaves_is_removed_too(run, make):
    assert refused(run, f"{HERE}{make}\nsys.exit(3)").code == "adapter_exit_nonzero"
    assert_clean(run)


def test_c3_a_device_is_refused(run):
    if os.geteuid() != 0:
        pytest.skip("only root makes devices")
    make = "import stat; os.mknod('left', stat.S_IFCHR | 0o600, os.makedev(1, 5))"
    assert refused(run, f"{WRITE}\n{HERE}{make}").code == "adapter_files_refused"
    assert_clean(run)


def test_c3_too_many_files_are_refused_and_the_scores_and_logs_kept_before_them(run):
    many = "os.mkdir('a')\nfor n in range(8200): open(f'a/{n}', 'w').close()"
    error = refused(run, f"{WRITE}\nprint('said', flush=True)\n{HERE}{many}")
    assert error.findings[0].code == "too_many_files"
    kept = run / "benchmark_history" / "1"
    assert (kept / "scores.jsonl").is_file()
    assert (kept / "evaluator_logs" / "adapter_stdout.log").read_text() == "said\n"
    assert len(list(kept.rglob("*"))) <= 8200


def test_c3_a_tree_that_is_deeper_than_a_path_is_long_is_refused_and_removed(run):
    error = refused(run, f"{WRITE}\n{HERE}for n in range(5000): os.mkdir('d'); os.chdir('d')\nopen('end', 'w')")
    assert [found.code for found in error.findings] == ["too_deep"]
    assert_clean(run)


def test_a_deep_tree_anywhere_in_a_run_stops_nobody(run):
    outside = "os.chdir(E['AGENTICS_RUN_DIR'])\nfor n in range(3000): os.mkdir('d'); os.chdir('d')"
    score(run, f"{WRITE}\n{outside}")
    assert "benchmark/scores.jsonl" in [file.path for file in files(run)]
    # Nobody else could: pytest's own way to clear up recurses.
    remove(run / "d")


def test_c3_directories_and_files_without_permissions_are_read_all_the_same(run):
    script = "os.mkdir('a'); open('a/b', 'w').close(); os.chmod('a/b', 0); os.chmod('a', 0)"
    score(run, f"{WRITE}\n{HERE}{script}")
    assert stat.S_IMODE((run / "benchmark" / "a").stat().st_mode) & 0o700 == 0o700
    assert (run / "benchmark" / "a" / "b").read_bytes() == b""


def test_c3_the_whole_directory_without_permissions_is_read_all_the_same(run):
    score(run, f"{WRITE}\nos.chmod(E['AGENTICS_BENCHMARK_DIR'], 0)")
    assert stat.S_IMODE((run / "benchmark").stat().st_mode) & 0o700 == 0o700


@pytest.mark.parametrize("make", ["os.mkfifo(path)", "os.symlink('/', path)", "open(path, 'w')"])
def test_c3_what_stands_in_place_of_the_whole_directory_is_removed(run, make):
    path = "path = E['AGENTICS_BENCHMARK_DIR']\nimport shutil; shutil.rmtree(path)\n"
    assert refused(run, f"{path}{make}").code == "adapter_manifest_invalid"
    assert_clean(run)


def test_files_of_its_own_are_kept(run):
    score(run, f"{WRITE}\n{HERE}os.makedirs('plots/a')\nopen('plots/a/é.txt', 'w').write('x')")
    assert (run / "benchmark" / "plots" / "a" / "é.txt").read_text() == "x"
    assert isinstance(read_benchmark(run, RUN_ID), AdapterOutput)


def test_c3_no_score_at_all_is_refused_where_there_are_trials(run):
    error = refused(run, f"SCORES.clear()\n{WRITE}")
    assert (error.code, [found.code for found in error.findings]) == ("scores_invalid", ["no_scores"])
    assert "2 trials" in error.message


CLOSES = "os.close(1)\nos.close(2)\n"
FLOOD = "block = b'x' * (1 << 20)\nfor _ in range(200): os.write(1, block)\n"


def test_c4_a_flood_is_cut_and_the_log_says_so(run):
    found = score(run, f"{FLOOD}os.write(2, b'few words')\n{WRITE}")
    assert found.log_truncated
    logs = run / "benchmark" / "evaluator_logs"
    said = (logs / "adapter_stdout.log").read_bytes()
    assert said == b"x" * (16 << 20) + b"\n[output cut at the limit]\n"
    assert (logs / "adapter_stderr.log").read_bytes() == b"few words"


def test_c4_a_failure_says_that_its_log_was_cut(run):
    error = refused(run, f"{FLOOD}sys.exit(3)")
    assert error.hint == "its output, cut at 16 MiB, is in benchmark_history/1/evaluator_logs/"


def test_an_adapter_may_close_its_output_and_go_on(run):
    assert not score(run, f"{CLOSES}import time; time.sleep(0.2)\n{WRITE}").log_truncated


def test_at_its_limit_an_adapter_that_floods_both_streams_is_ended(run):
    script = "while True:\n    os.write(1, b'x' * 65536); os.write(2, b'x' * 65536)"
    assert refused(run, python(script, timeout_s=1)).code == "adapter_timeout"


def test_an_adapter_that_kills_the_process_which_answers_for_it_is_refused(run):
    error = refused(run, f"{WRITE}\nimport signal, time\nos.kill(os.getppid(), signal.SIGKILL)\ntime.sleep(600)")
    assert (error.code, "SIGKILL" in error.message) == ("adapter_exit_nonzero", True)
