"""Limits that the kernel counts by user: what one container uses up, the next one has all the same."""

from __future__ import annotations

import threading
from pathlib import Path

import pytest

from agentics.errors import EngineError
from agentics.sandbox import uids
from agentics.sandbox.engine import Mount
from agentics.sandbox.uids import Uids

NUMBERS = range(70000, 70016)


def test_no_number_is_given_twice_while_it_is_held(tmp_path):
    pool, other = Uids(numbers=NUMBERS, locks=tmp_path), Uids(numbers=NUMBERS, locks=tmp_path)
    leases = [pool.lease() if index % 2 else other.lease() for index in range(len(NUMBERS))]
    held = [lease.__enter__() for lease in leases]
    assert sorted(held) == list(NUMBERS)
    for lease in leases:
        lease.__exit__(None, None, None)
    assert list(tmp_path.iterdir()) == []


def test_who_finds_none_free_waits_for_one(tmp_path):
    pool = Uids(numbers=range(70000, 70001), locks=tmp_path)
    got: list[int] = []

    def second():
        with pool.lease() as number:
            got.append(number)

    with pool.lease():
        waiting = threading.Thread(target=second)
        waiting.start()
        assert got == []
    waiting.join()
    assert got == [70000]


def test_that_none_becomes_free_is_the_infrastructures_fault(tmp_path, monkeypatch):
    monkeypatch.setattr(uids, "PATIENCE_S", 0.0)
    pool = Uids(numbers=range(70000, 70001), locks=tmp_path)
    with pool.lease(), pytest.raises(EngineError) as caught, pool.lease():
        pass
    assert (caught.value.code, caught.value.retryable) == ("no_free_uid", True)


def test_without_locks_all_have_the_one_number():
    pool = Uids(numbers=range(1000, 1001), locks=None)
    with pool.lease() as one, pool.lease() as other:
        assert (one, other) == (1000, 1000)


HOG = """
import ctypes, os, time
libc = ctypes.CDLL(None)
instances = 0
while libc.inotify_init() >= 0: instances += 1
pipes = []
import fcntl
for _ in range(400):
    try: r, w = os.pipe()
    except OSError: break
    pipes.append(w)
    try: fcntl.fcntl(w, 1031, 1 << 20)
    except OSError: break
print(instances, flush=True)
open("/data/ready", "w").close()
while not os.path.exists("/data/done"): time.sleep(0.05)
"""
HONEST = """
import ctypes, fcntl, os
libc = ctypes.CDLL(None)
print("inotify", libc.inotify_init() >= 0)
r, w = os.pipe()
print("pipe", fcntl.fcntl(w, 1031, 1 << 18) >= 1 << 18)
"""


@pytest.mark.docker
@pytest.mark.skipif(Path("/proc/self/uid_map").read_text().split() != ["0", "0", "4294967295"], reason="not the host")
def test_who_holds_all_that_a_user_may_have_starves_only_its_own_user(engine, python, open_dir):
    mounts = (Mount(source=open_dir, target="/data", writable=True),)
    hog = engine.start(python(HOG, user="70001:70001", mounts=mounts))
    while not (open_dir / "ready").exists():
        threading.Event().wait(0.05)
    same = engine.start(python(HONEST, user="70001:70001")).wait()
    other = engine.start(python(HONEST, user="70002:70002")).wait()
    (open_dir / "done").touch()
    assert int(hog.wait().log) > 1
    assert b"inotify False" in same.log
    assert other.log == b"inotify True\npipe True\n"


def test_what_a_killed_process_left_of_its_leases_is_removed_and_what_is_held_stays(tmp_path):
    (tmp_path / "uid-70003.lock").touch()
    with Uids(numbers=range(70001, 70002), locks=tmp_path).lease():
        uids.reap(tmp_path)
        assert [path.name for path in tmp_path.iterdir()] == ["uid-70001.lock"]
