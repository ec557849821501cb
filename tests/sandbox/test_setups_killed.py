"""Processes that die while they keep, replace or remove what a setup left, and processes that meet."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from agentics.sandbox.places import Scratch, reap
from agentics.sandbox.setups import SetupStore
from tests.sandbox.setup_store import KEY

ROOT = Path(__file__).parents[2]
KILLS = [("directory", "keep"), ("directory", "replace"), ("directory", "remove")]
if os.geteuid() == 0:
    KILLS += [("loop", "keep"), ("loop", "remove"), ("tmpfs", "keep")]

# The work is done in a child that dies at the n-th call that changes a file system, for every n until it lives.
KILLED = """
import os, signal, sys
from pathlib import Path
from agentics.sandbox.places import Scratch, reap
from agentics.sandbox.setups import SetupStore
from tests.sandbox.setup_store import AT_ONCE, KEY, OTHER, leave, made, make_and_use

CALLS = {"rename", "replace", "mkdir", "rmdir", "unlink", "open", "write", "flush", "fsync", "flock", "ioctl"}
CALLS |= {"truncate", "utime", "chmod", "chown", "sendfile", "symlink", "link"}
base, kind, what = Path(sys.argv[1]), sys.argv[2], sys.argv[3]

def dies_at(number):
    seen = 0
    def watch(frame, event, argument):
        nonlocal seen
        mounts = event == "call" and frame.f_globals["__name__"] == "agentics.sandbox.mounting"
        if mounts or (event == "c_call" and argument.__name__ in CALLS):
            seen += 1
            if seen == number:
                os.kill(os.getpid(), signal.SIGKILL)
    sys.setprofile(watch)

def keep(root, **more):
    with Scratch(root, kind) as scratch:
        store = SetupStore(scratch_root=root, scratch=scratch, **more)
        with store.claim(KEY, AT_ONCE) as claim:
            product, _ = made(store, claim)
        product.close(scratch)

def remove(root):
    with Scratch(root, kind) as scratch:
        SetupStore(scratch_root=root, scratch=scratch).remove_all()

work = {"keep": keep, "replace": lambda root: keep(root, fresh=True), "remove": remove}[what]
most = 2 if what == "replace" else 1
number = killed = 0
while True:
    number += 1
    root = base / str(number)
    root.mkdir()
    if what != "keep":
        keep(root)
    child = os.fork()
    if child == 0:
        dies_at(number)
        work(root)
        sys.setprofile(None)
        os._exit(0)
    _, status = os.waitpid(child, 0)
    killed += os.WIFSIGNALED(status)
    reap(root)
    with Scratch(root, kind) as scratch:
        found = SetupStore(scratch_root=root, scratch=scratch).report(whole=True)
        assert found.changed == 0 and found.count <= most, (number, found)
    make_and_use(root, kind)
    with Scratch(root, kind) as scratch:
        store = SetupStore(scratch_root=root, scratch=scratch)
        assert store.report(whole=True).changed == 0, number
        assert store.remove_all().in_use == 0, number
        assert [path.name for path in store.root.iterdir()] == ["lock"], number
    assert list(root.iterdir()) == [store.root], number
    if os.WIFEXITED(status):
        assert os.WEXITSTATUS(status) == 0
        break
print(killed)
assert str(base) not in Path("/proc/self/mountinfo").read_text()
"""


@pytest.fixture
def process():
    """A Python program of its own."""
    started = []

    def start(script: str, *words: object) -> subprocess.Popen:
        pipes = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE, "stderr": subprocess.PIPE}
        argv = [sys.executable, "-c", script, *map(str, words)]
        started.append(subprocess.Popen(argv, cwd=ROOT, text=True, bufsize=1, **pipes))
        return started[-1]

    yield start
    for child in started:
        child.kill()
        child.wait()
        for pipe in (child.stdin, child.stdout, child.stderr):
            pipe.close()


def said(child: subprocess.Popen) -> str:
    return child.stdout.readline().strip()


def go_on(child: subprocess.Popen) -> None:
    child.stdin.write("\n")


def end(child: subprocess.Popen) -> int:
    """Let it end, and wait for that; its exit status."""
    child.stdin.close()
    return child.wait(60)


@pytest.mark.slow
@pytest.mark.parametrize(("kind", "what"), KILLS)
def test_killed_at_any_change_of_the_file_system_it_leaves_whole_products_or_none(tmp_path, process, kind, what):
    child = process(KILLED, tmp_path, kind, what)
    killed = said(child)
    assert end(child) == 0, child.stderr.read()
    assert int(killed) > {"keep": 30, "replace": 30, "remove": 5}[what]


MEETS = """
import sys
from contextlib import contextmanager
from pathlib import Path
from agentics.sandbox.places import Scratch
from agentics.sandbox.setups import SetupStore, Waiting
from tests.sandbox.setup_store import KEY, made

def here(place):
    print(place, flush=True)

@contextmanager
def around():
    here("waits")
    yield

root = Path(sys.argv[1])
with Scratch(root, "directory") as scratch:
    store = SetupStore(scratch_root=root, scratch=scratch)
    with store.claim(KEY, Waiting(patience_s=600, around=around)) as claim:
        product = claim.product
        if product is None:
            here("makes")
            sys.stdin.readline()
            product, _ = made(store, claim)
    here("has it")
    sys.stdin.read()
    product.close(scratch)
"""


def test_of_two_processes_one_makes_it_and_the_other_waits_and_takes_it(tmp_path, process):
    first = process(MEETS, tmp_path)
    assert said(first) == "makes"
    second = process(MEETS, tmp_path)
    assert said(second) == "waits"
    go_on(first)
    assert (said(first), said(second)) == ("has it", "has it")
    with Scratch(tmp_path, "directory") as scratch:
        gone = SetupStore(scratch_root=tmp_path, scratch=scratch).remove_all()
        assert (gone.count, gone.in_use) == (0, 1)
    assert (end(first), end(second)) == (0, 0)


def test_who_waits_for_a_process_that_is_killed_makes_it(tmp_path, process):
    first = process(MEETS, tmp_path)
    assert said(first) == "makes"
    second = process(MEETS, tmp_path)
    assert said(second) == "waits"
    first.send_signal(signal.SIGKILL)
    first.wait()
    assert said(second) == "makes"
    assert reap(tmp_path) == 1
    go_on(second)
    assert said(second) == "has it"
    assert end(second) == 0
    with Scratch(tmp_path, "directory") as scratch:
        assert SetupStore(scratch_root=tmp_path, scratch=scratch).report(whole=True).count == 1


def test_a_process_that_was_killed_holds_no_product(tmp_path, process):
    first = process(MEETS, tmp_path)
    assert said(first) == "makes"
    go_on(first)
    assert said(first) == "has it"
    first.send_signal(signal.SIGKILL)
    first.wait()
    with Scratch(tmp_path, "directory") as scratch:
        store = SetupStore(scratch_root=tmp_path, scratch=scratch)
        assert [path.name[:4] for path in store.root.glob("*.1")] == [KEY[7:11]]
        assert store.remove_all().count == 1
