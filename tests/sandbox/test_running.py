"""One container at a time: how it ends, what it cost, what it said, and that nothing of it stays."""

from __future__ import annotations

import json
import os
import threading

import pytest

from agentics.errors import EngineError
from agentics.sandbox.engine import Mount

pytestmark = pytest.mark.docker

MIB = 1 << 20


@pytest.mark.parametrize("code", [0, 1, 42, 255])
def test_an_exit_code_is_the_programs_own(run, code):
    ended = run(f"exit {code}")
    assert (ended.ended, ended.exit_code, ended.signal, ended.oom_killed) == ("exited", code, None, False)


@pytest.mark.parametrize(("name", "number"), [("KILL", 9), ("SEGV", 11), ("TERM", 15), ("ABRT", 6)])
def test_a_program_that_signals_itself_dies_of_it_though_it_is_the_first(engine, python, name, number):
    ended = engine.start(python(f"import os, signal; os.kill(os.getpid(), signal.SIG{name})", stdio="none")).wait()
    assert (ended.ended, ended.exit_code, ended.signal) == ("exited", 128 + number, number)


@pytest.mark.parametrize("stdio", ["none", "log"])
@pytest.mark.parametrize(("command", "code"), [("no-such-command", 127), ("/etc/passwd", 126)])
def test_what_cannot_be_run_is_an_exit_and_no_engine_error(run, stdio, command, code):
    ended = run(command, "argument", stdio=stdio)
    assert (ended.ended, ended.exit_code) == ("exited", code)


def test_standard_output_and_error_come_in_one_log_in_order(either_engine, container):
    ended = either_engine.start(container("for i in 1 2 3; do echo out$i; echo err$i >&2; done")).wait()
    assert sorted(ended.log.split()) == [b"err1", b"err2", b"err3", b"out1", b"out2", b"out3"]
    assert (ended.log_bytes_seen, ended.log_truncated) == (30, False)


def test_nothing_of_a_fast_exit_is_lost(either_engine, container):
    for _ in range(10):
        assert either_engine.start(container("echo word")).wait().log == b"word\n"


def test_three_megabytes_and_an_exit_at_once_arrive_whole(either_engine, container):
    ended = either_engine.start(container("head -c 3000000 /dev/zero", log_bytes=4 * MIB)).wait()
    assert (len(ended.log), ended.log_truncated) == (3_000_000, False)


def test_a_log_is_cut_at_its_cap_and_the_program_goes_on(either_engine, container):
    ended = either_engine.start(container("head -c 5000000 /dev/zero; exit 7", log_bytes=1000)).wait()
    assert (len(ended.log), ended.log_bytes_seen, ended.log_truncated) == (1000, 5_000_000, True)
    assert (ended.ended, ended.exit_code) == ("exited", 7)


def test_a_flood_without_end_is_killed(either_engine, container):
    ended = either_engine.start(container("cat /dev/zero", log_bytes=1000, timeout_s=60.0)).wait()
    assert ended.ended == "output_limit"
    assert len(ended.log) == 1000


def test_standard_input_is_empty(run):
    assert run("cat; echo end").log == b"end\n"


@pytest.mark.parametrize("script", ["sleep 60", "trap '' TERM INT; while :; do sleep 1; done", "while :; do :; done"])
def test_a_program_beyond_its_time_is_killed(either_engine, container, script):
    ended = either_engine.start(container(script, timeout_s=1.0)).wait()
    assert (ended.ended, ended.exit_code) == ("timed_out", 124)
    assert 0.9 < ended.wall_s < 10


def test_a_fork_bomb_meets_the_process_limit_and_the_clock(run):
    ended = run("bomb() { bomb | bomb & }; bomb; sleep 60", timeout_s=2.0, pids=64)
    assert ended.ended in ("timed_out", "exited")
    assert ended.pids_peak is None or ended.pids_peak <= 80


def test_background_children_end_with_the_program(run, engine):
    ended = run("setsid sh -c 'setsid sleep 60 &' & sleep 0.2; echo parent done; exit 0")
    assert (ended.exit_code, ended.log) == (0, b"parent done\n")
    assert ended.wall_s < 20


HOG = "x = bytearray()\nwhile True: x += b'x' * 10_000_000"


def test_out_of_memory_is_told_apart(engine, python):
    ended = engine.start(python(HOG, memory_bytes=64 * MIB)).wait()
    assert (ended.ended, ended.exit_code, ended.oom_killed) == ("out_of_memory", 137, True)
    assert ended.memory_peak_bytes is None or ended.memory_peak_bytes > 48 * MIB


def test_out_of_memory_of_a_child_is_noted_though_the_parent_goes_on(engine, python):
    parent = f"import subprocess, sys\nsubprocess.run([sys.executable, '-c', {HOG!r}])"
    ended = engine.start(python(parent, memory_bytes=64 * MIB)).wait()
    assert (ended.ended, ended.exit_code, ended.oom_killed) == ("exited", 0, True)
    failing = engine.start(python(parent + "\nsys.exit(3)", memory_bytes=64 * MIB)).wait()
    assert (failing.ended, failing.exit_code, failing.oom_killed) == ("out_of_memory", 3, True)


def test_a_temporary_directory_counts_against_memory_and_is_bounded(run):
    ended = run("head -c 40000000 /dev/zero >/tmp/a && head -c 40000000 /dev/zero >/tmp/b; echo $?")
    assert ended.log.strip().endswith(b"1")


def test_a_file_beyond_the_limit_cannot_be_written(run, open_dir):
    ended = run(
        "head -c 9000000 /dev/zero >/data/big; echo $?; stat -c %s /data/big",
        disk_bytes=1 * MIB,
        mounts=(Mount(source=open_dir, target="/data", writable=True),),
    )
    assert ended.log.split()[-1] == b"1048576"


def test_times_and_usage_are_measured(engine, python):
    facts = engine.facts()
    text = "import time\nwhile time.process_time() < 0.5: pass\nx = b'x' * 80_000_000\ntime.sleep(0.2)"
    ended = engine.start(python(text)).wait()
    assert 0.6 < ended.wall_s < 10
    assert ended.started_at < ended.finished_at
    if facts.measures_usage:
        assert ended.cpu_s is not None
        assert ended.cpu_s >= 0.5
        assert ended.memory_peak_bytes is not None
        assert ended.memory_peak_bytes > 80_000_000


@pytest.mark.parametrize("stdio", ["none", "log"])
def test_a_gated_program_waits_and_its_clock_with_it(either_engine, container, open_dir, stdio):
    mounts = (Mount(source=open_dir, target="/data", writable=True),)
    running = either_engine.start(container("touch /data/ran", stdio=stdio, timeout_s=5.0, mounts=mounts), gated=True)
    ended = []
    waiting = threading.Thread(target=lambda: ended.append(running.wait()))
    waiting.start()
    waiting.join(1.0)
    assert waiting.is_alive()
    assert not (open_dir / "ran").exists()
    running.open_gate()
    waiting.join(15)
    assert (open_dir / "ran").exists()
    assert (ended[0].ended, ended[0].exit_code) == ("exited", 0)
    assert ended[0].wall_s < 1.0


@pytest.mark.parametrize("gated", [False, True])
def test_a_discarded_container_is_gone_and_its_waiter_told(either_engine, container, gated):
    mine = {"org.agentics.test": f"discard-{gated}"}
    running = either_engine.start(container("sleep 60", labels=mine), gated=gated)
    told = []
    waiting = threading.Thread(target=lambda: told.append(running.wait()))
    if not gated:
        waiting.start()
        waiting.join(0.3)
    running.discard()
    if not gated:
        waiting.join(15)
        assert told[0].ended == "killed"
    either_engine.drain()
    assert either_engine.remove(mine) == 0


def test_a_directory_that_nothing_bounds_is_watched(run, open_dir):
    mount = Mount(source=open_dir, target="/data", writable=True, watch_bytes=5 * MIB)
    ended = run(
        "for i in $(seq 100); do head -c 1000000 /dev/zero >/data/$i; sleep 0.05; done; sleep 60", mounts=(mount,)
    )
    assert (ended.ended, ended.signal) == ("disk_limit", 9)


def test_a_directory_of_countless_files_is_watched(run, open_dir):
    mount = Mount(source=open_dir, target="/data", writable=True, watch_inodes=500)
    ended = run("i=0; while :; do : >/data/$i; i=$((i+1)); done", mounts=(mount,))
    assert ended.ended == "disk_limit"


def test_removal_by_label_finds_exactly_its_own(engine, container):
    mine, others = {"org.agentics.test": "mine"}, {"org.agentics.test": "others"}
    ended, waiting = [], []

    def wait(running):
        try:
            ended.append(running.wait().exit_code)
        except EngineError as error:  # it was gone before it could be asked how it ended
            ended.append(error.retryable)

    for labels in (mine, mine, others):
        running = engine.start(container("sleep 60", labels=labels))
        waiting.append(threading.Thread(target=wait, args=(running,)))
        waiting[-1].start()
    assert engine.remove({**mine, "org.agentics.none": "x"}) == 0
    assert engine.remove(mine) == 2
    assert engine.remove(others) == 1
    for each in waiting:
        each.join(15)
    assert all(one in (137, True) for one in ended)
    assert len(ended) == 3


def test_an_image_that_is_nowhere_is_an_engine_error_that_says_so(engine):
    with pytest.raises(EngineError) as caught:
        engine.image("localhost:1/no/such:image", None)
    assert caught.value.code == "image_missing"
    assert caught.value.retryable  # nobody answered there; another time somebody may
    assert "agentics images build" in (caught.value.hint or "")


def test_many_at_once_do_not_disturb_each_other(engine, container):
    results = {}

    def one(number):
        results[number] = engine.start(container(f"echo {number}; exit {number}")).wait()

    threads = [threading.Thread(target=one, args=(number,)) for number in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
    assert [(results[n].exit_code, results[n].log) for n in range(8)] == [(n, f"{n}\n".encode()) for n in range(8)]


SUPERVISED = """
import json, os, stat
os.write(1, b"log "); os.write(2, b"err "); os.write(3, b"report")
def reached(uid):
    reading, writing = os.pipe()
    if os.fork() == 0:
        os.setgroups([]); os.setgid(uid); os.setuid(uid)
        found = []
        for path in ("/.io", "/.io/out", "/.io/report", "/proc/self/fd/1", "/proc/self/fd/2", "/proc/self/fd/3"):
            for mode in (os.O_RDONLY, os.O_WRONLY):
                try:
                    os.open(path, mode | os.O_NONBLOCK)
                    found.append(path)
                except OSError:
                    pass
        os.write(writing, json.dumps(found).encode())
        os._exit(0)
    os.wait()
    return os.read(reading, 4096).decode()
os.write(1, ("|" + reached(65531) + "|" + reached(SPEAKER)).encode())
"""


def test_a_supervised_containers_streams_belong_to_one_user_and_its_report_to_the_supervisor(either_engine, python):
    speaker = os.geteuid() or 65532
    made = python(
        SUPERVISED.replace("SPEAKER", str(speaker)),
        stdio="supervised",
        speaker=speaker,
        user="0:0",
        capabilities=("SETUID", "SETGID"),
    )
    ended = either_engine.start(made).wait()
    said, others, own = ended.log.decode().split("|")
    assert (said, ended.report, others) == ("log err ", b"report", "[]")
    if either_engine.facts().shares_pipes:
        assert {"/proc/self/fd/1", "/proc/self/fd/2"} <= set(json.loads(own))


def test_a_supervised_container_whose_program_is_not_there_says_so_in_its_log(either_engine, container):
    ended = either_engine.start(container("no-such-command", "x", stdio="supervised", speaker=65532)).wait()
    assert ended.exit_code == 127
    assert (b"no-such-command" in ended.log, ended.report) == (True, b"")
