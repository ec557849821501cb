"""Containers that stand still: nothing counts meanwhile, nothing starts meanwhile, and death comes all the same."""

from __future__ import annotations

import subprocess
import sys
import textwrap
import threading
import time
from concurrent.futures import ThreadPoolExecutor

import pytest

from agentics.errors import EngineError
from agentics.sandbox.engine import Link, Mount

pytestmark = pytest.mark.docker

PAUSE_S = 3.0  # longer than any limit that a paused container has here
# A frozen sleep's timer runs on, and it is over when it thaws: work is many short ones.
HALF_A_SECOND = "i=0; while [ $i -lt 10 ]; do sleep 0.05; i=$((i + 1)); done"
PATIENCE_S = 30.0


@pytest.fixture
def mine(request):
    return {"org.agentics.test": request.node.name}


@pytest.fixture
def background():
    with ThreadPoolExecutor(max_workers=4) as pool:
        yield pool.submit


def wait_for(condition):
    """Until it holds. Nothing tells us of what happens inside a container but what it leaves in a mounted directory."""
    limit = time.monotonic() + PATIENCE_S
    while not condition():
        assert time.monotonic() < limit, "it never came about"
        time.sleep(0.01)


def tick(folder):
    """Where a container writes its name for as long as it runs, and the mount for it."""
    return Mount(source=folder, target="/tick", writable=True)


def frozen(engine, labels):
    return [one["State"] for one in engine.api.containers(labels)]


def pause_for(engine, labels, seconds=PAUSE_S):
    count = engine.pause(labels)
    threading.Event().wait(seconds)
    assert engine.unpause(labels) == count
    return count


def test_c18_a_container_paused_longer_than_its_limit_is_not_timed_out(either_engine, container, mine, background):
    running = either_engine.start(container(f"{HALF_A_SECOND}; echo done", timeout_s=2.5, labels=mine))
    ended = background(running.wait)
    assert pause_for(either_engine, mine) == 1
    assert (ended.result().ended, ended.result().log) == ("exited", b"done\n")
    assert ended.result().paused_s >= PAUSE_S
    assert ended.result().wall_s < 2.5


@pytest.mark.slow
def test_c18_ten_seconds_of_pause_do_not_exceed_a_limit_of_five(engine, container, mine, background):
    running = engine.start(container(f"{HALF_A_SECOND}; {HALF_A_SECOND}", timeout_s=5.0, labels=mine))
    ended = background(running.wait)
    pause_for(engine, mine, 10.0)
    assert (ended.result().ended, ended.result().exit_code) == ("exited", 0)
    assert ended.result().paused_s >= 10.0
    assert 0.9 <= ended.result().wall_s < 5.0


def test_what_is_left_of_a_limit_counts_on_after_a_pause(engine, container, mine, background):
    running = engine.start(container("while :; do sleep 0.05; done", timeout_s=1.5, labels=mine))
    ended = background(running.wait)
    pause_for(engine, mine)
    assert ended.result().ended == "timed_out"
    assert 1.0 < ended.result().wall_s < 10


def test_several_pauses_add_up(engine, container, mine, background):
    running = engine.start(container(f"{HALF_A_SECOND}; {HALF_A_SECOND}; {HALF_A_SECOND}", timeout_s=20, labels=mine))
    ended = background(running.wait)
    for _ in range(3):
        pause_for(engine, mine, 0.5)
    assert ended.result().paused_s >= 1.5
    assert ended.result().wall_s >= 1.0  # a pause may begin and end within one of the short sleeps, and shortens it


def test_a_container_that_never_was_paused_says_so(run):
    assert run("exit 0").paused_s == 0.0


def test_a_paused_program_does_nothing(engine, container, mine, background, open_dir):
    script = "while :; do echo x >>/tick/log; sleep 0.01; done"
    running = engine.start(container(script, labels=mine, mounts=(tick(open_dir),)))
    ended = background(running.wait)
    log = open_dir / "log"
    wait_for(log.exists)
    assert engine.pause(mine) == 1
    before = log.stat().st_size
    threading.Event().wait(0.5)
    assert log.stat().st_size == before
    engine.unpause(mine)
    wait_for(lambda: log.stat().st_size > before)
    running.discard()
    assert ended.result().ended == "killed"


def test_a_gated_container_that_is_paused_at_its_gate_opens_it_when_it_is_thawed(
    either_engine, container, mine, background
):
    running = either_engine.start(container(f"{HALF_A_SECOND}; echo ran", timeout_s=2.0, labels=mine), gated=True)
    ended = background(running.wait)
    either_engine.pause(mine)
    opening = background(running.open_gate)
    threading.Event().wait(PAUSE_S)
    assert not opening.done()
    either_engine.unpause(mine)
    opening.result()
    assert (ended.result().ended, ended.result().log) == ("exited", b"ran\n")
    assert ended.result().paused_s < 0.5


def test_a_gated_container_is_paused_behind_its_gate_as_any_other(engine, container, mine, background):
    running = engine.start(container(f"{HALF_A_SECOND}; echo ran", timeout_s=2.0, labels=mine), gated=True)
    ended = background(running.wait)
    pause_for(engine, mine, 0.3)
    running.open_gate()
    pause_for(engine, mine)
    assert (ended.result().ended, ended.result().log) == ("exited", b"ran\n")
    assert PAUSE_S <= ended.result().paused_s < PAUSE_S + 3
    assert ended.result().wall_s < 2


SOLUTION = "read a; echo answer; read b; echo again"
EVALUATOR = f"echo one; read a; {HALF_A_SECOND}; echo two; read b; [ $b = again ]"


@pytest.mark.parametrize("whose", ["solution", "evaluator"])
def test_c18_a_linked_pair_paused_longer_than_its_limits_is_not_timed_out(
    either_engine, linked, mine, background, whose
):
    tight = {"timeout_s": 2.5, "labels": mine}
    loose = {"timeout_s": 60.0, "labels": mine}
    limits = {f"{who}_limits": tight if who == whose else loose for who in ("solution", "evaluator")}
    pair = background(linked, either_engine, SOLUTION, EVALUATOR, link=Link(grace_s=1.0), **limits)
    wait_for(lambda: frozen(either_engine, mine) == ["running", "running"])
    assert pause_for(either_engine, mine, PAUSE_S) == 2
    ended = pair.result()
    assert [(one.ended, one.exit_code) for one in (ended.solution, ended.evaluator)] == [("exited", 0)] * 2
    assert ended.evaluator.paused_s >= PAUSE_S
    assert ended.evaluator.wall_s < 2.5
    assert ended.solution.wall_s < 2.5
    assert ended.first_to_fail is None


def test_the_grace_after_an_evaluators_end_does_not_run_out_in_a_pause(engine, linked, mine, background):
    evaluator = {"labels": {"org.agentics.test": "other"}}
    pair = background(
        linked,
        engine,
        f"read a; {HALF_A_SECOND}; exit 0",
        "echo go; exit 0",
        link=Link(grace_s=2.5),
        solution_limits={"labels": mine},
        evaluator_limits=evaluator,
    )
    wait_for(lambda: frozen(engine, evaluator["labels"]) == ["exited"] and frozen(engine, mine) == ["running"])
    pause_for(engine, mine, PAUSE_S + 1)
    assert (pair.result().solution.ended, pair.result().solution.exit_code) == ("exited", 0)


def test_one_of_a_pair_that_stands_still_makes_the_other_no_later(engine, linked, mine, background):
    pair = background(
        linked,
        engine,
        SOLUTION,
        EVALUATOR,
        solution_limits={"labels": mine},
        evaluator_limits={"timeout_s": 2.5, "labels": {"org.agentics.test": "other"}},
    )
    wait_for(lambda: frozen(engine, mine) == ["running"])
    assert pause_for(engine, mine) == 1
    assert (pair.result().evaluator.ended, pair.result().evaluator.exit_code) == ("exited", 0)


def test_a_pair_is_frozen_solution_first_and_thawed_in_reverse(engine, linked, mine, background, monkeypatch):
    pair = background(
        linked, engine, "sleep 1", "cat", solution_limits={"labels": mine}, evaluator_limits={"labels": mine}
    )
    wait_for(lambda: frozen(engine, mine) == ["running", "running"])
    asked = []
    for call in ("pause", "unpause"):
        whole = getattr(engine.api, call)
        monkeypatch.setattr(engine.api, call, lambda at, call=call, whole=whole: asked.append((call, at)) or whole(at))
    pause_for(engine, mine, 0.1)
    pair.result()
    assert [call for call, _ in asked] == ["pause", "pause", "unpause", "unpause"]
    assert [at for _, at in asked[2:]] == [at for _, at in reversed(asked[:2])]
    (solution, evaluator) = (at for _, at in asked[:2])
    assert solution != evaluator


def test_a_start_while_paused_waits_for_the_thaw(either_engine, container, mine, background):
    assert either_engine.pause(mine) == 0
    starting = background(either_engine.start, container("echo ran", timeout_s=2.0, labels=mine))
    wait_for(lambda: frozen(either_engine, mine) == ["created"])
    threading.Event().wait(0.5)
    assert frozen(either_engine, mine) == ["created"]
    assert not starting.done()
    assert either_engine.unpause(mine) == 0
    assert starting.result().wait().log == b"ran\n"


def test_a_pair_that_would_start_while_paused_waits_for_the_thaw(engine, linked, mine, background):
    engine.pause(mine)
    more = {"timeout_s": 2.0, "labels": mine}
    pair = background(linked, engine, "cat", "echo go; read a", solution_limits=more, evaluator_limits=more)
    wait_for(lambda: frozen(engine, mine) == ["created", "created"])
    threading.Event().wait(PAUSE_S)
    engine.unpause(mine)
    assert pair.result().evaluator.exit_code == 0


def test_other_labels_are_left_alone(engine, container, mine, background):
    other = {"org.agentics.test": "other"}
    engine.pause(mine)
    assert engine.start(container("echo ran", labels=other)).wait().log == b"ran\n"
    engine.unpause(mine)


def test_the_end_of_a_wider_pause_leaves_a_narrower_one_only_where_it_ends_that_too(engine, container, background):
    run, trial = {"org.agentics.test": "run"}, {"org.agentics.test": "run", "org.agentics.other": "trial"}
    running = engine.start(container("sleep 60", labels=trial))
    ended = background(running.wait)
    assert (engine.pause(run), engine.pause(trial)) == (1, 0)
    assert engine.unpause(trial) == 0  # the run still stands still, and so does the trial
    assert frozen(engine, trial) == ["paused"]
    engine.pause(trial)
    assert engine.unpause(run) == 1
    assert frozen(engine, trial) == ["running"]
    running.discard()
    assert ended.result().ended == "killed"


def test_kill_while_paused(either_engine, container, mine, background):
    running = either_engine.start(container("sleep 60", labels=mine))
    ended = background(running.wait)
    assert either_engine.pause(mine) == 1
    running.discard()
    assert (ended.result().ended, ended.result().signal) == ("killed", 9)
    either_engine.drain()
    assert frozen(either_engine, mine) == []
    assert either_engine.unpause(mine) == 0


def test_throwing_away_what_stands_still_at_its_gate_lets_go_of_who_would_open_it(engine, container, mine, background):
    running = engine.start(container("sleep 60", labels=mine), gated=True)
    ended = background(running.wait)
    engine.pause(mine)
    opening = background(running.open_gate)
    running.discard()
    opening.result(PATIENCE_S)
    assert ended.result().ended == "killed"
    engine.unpause(mine)


def test_removal_by_labels_while_paused(engine, container, mine, background):
    running = engine.start(container("sleep 60", labels=mine))
    ended = background(running.wait)
    engine.pause(mine)
    assert engine.remove(mine) == 1
    ended.exception(PATIENCE_S)  # it ended, however it was read off
    engine.drain()
    assert frozen(engine, mine) == []
    engine.unpause(mine)


def test_removal_by_labels_lets_go_of_who_waits_to_start(engine, container, linked, mine, background):
    engine.pause(mine)
    more = {"labels": mine}
    waiting = [
        background(engine.start, container("sleep 60", labels=mine)),
        background(linked, engine, "cat", "cat", solution_limits=more, evaluator_limits=more),
    ]
    wait_for(lambda: frozen(engine, mine) == ["created"] * 3)
    assert engine.remove(mine) == 3
    for one in waiting:
        error = one.exception(PATIENCE_S)
        assert isinstance(error, EngineError)
        assert error.code == "engine_not_found"
    engine.drain()
    assert frozen(engine, mine) == []
    engine.unpause(mine)


def test_a_fork_bomb_can_be_paused_and_killed(engine, container, mine, background):
    bomb = engine.start(container("bomb() { bomb | bomb & }; bomb; sleep 60", pids=64, labels=mine))
    ended = background(bomb.wait)
    wait_for(lambda: frozen(engine, mine) == ["running"])
    assert engine.pause(mine) == 1
    assert frozen(engine, mine) == ["paused"]
    bomb.discard()
    assert ended.result(PATIENCE_S).ended == "killed"
    engine.unpause(mine)


def test_what_has_ended_is_not_paused_and_no_error(engine, container, mine):
    running = engine.start(container("exit 3", labels=mine))
    wait_for(lambda: frozen(engine, mine) == ["exited"])
    assert engine.pause(mine) == 0
    assert engine.unpause(mine) == 0
    assert (running.wait().exit_code, running.wait().paused_s) == (3, 0.0)


def test_a_pause_that_the_engine_refuses_is_not_in_force(engine, container, mine, background, monkeypatch):
    runnings = [engine.start(container("sleep 60", labels=mine)) for _ in range(2)]
    ended = [background(one.wait) for one in runnings]
    asked = []
    whole = engine.api.pause

    def refuse_the_second(at):
        asked.append(at)
        if len(asked) == 2:
            raise EngineError("no", code="engine_refused")
        return whole(at)

    monkeypatch.setattr(engine.api, "pause", refuse_the_second)
    with pytest.raises(EngineError):
        engine.pause(mine)
    assert frozen(engine, mine) == ["running", "running"]
    assert engine.start(container("echo ran", labels=mine)).wait().log == b"ran\n"
    for one in runnings:
        one.discard()
    assert [one.result().ended for one in ended] == ["killed", "killed"]


@pytest.mark.parametrize("call", ["pause", "unpause", "remove"])
def test_no_labels_at_all_are_refused(engine, call, monkeypatch):
    monkeypatch.setattr(engine.api, "remove", lambda _: None)  # the machine is shared: if this fails, it fails for us
    with pytest.raises(ValueError, match="at least one label"):
        getattr(engine, call)({})


CHILD = """
    import os, signal, sys
    from pathlib import Path
    from agentics.sandbox.docker.engine import connect
    from agentics.sandbox.engine import Container, Limits

    labels = {"org.agentics.test": "orphan"}
    engine = connect(scratch=Path(sys.argv[1]))
    limits = Limits(timeout_s=60, memory_bytes=1 << 28, cpu_millis=1000, disk_bytes=1 << 26)
    engine.start(Container(role="run", image=sys.argv[2], argv=("sleep", "60"), cwd="/", user="65532:65532",
                           limits=limits, labels=labels))
    print(engine.pause(labels), flush=True)
    os.kill(os.getpid(), signal.SIGKILL)
"""


def test_what_a_killed_process_left_paused_is_reaped(engine, cpu_image, scratch):
    argv = [sys.executable, "-c", textwrap.dedent(CHILD), str(scratch.plain()), cpu_image]
    child = subprocess.run(argv, capture_output=True, check=False, timeout=60)
    assert (child.returncode, child.stdout.strip()) == (-9, b"1"), child.stderr
    labels = {"org.agentics.test": "orphan"}
    assert frozen(engine, labels) == ["paused"]
    assert engine.reap() >= 1
    assert frozen(engine, labels) == []
