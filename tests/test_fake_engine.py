"""The fake engine pauses as the real one does: what a test scripts with it must be able to happen."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor

import pytest

from agentics.errors import EngineError
from agentics.sandbox.engine import Container, Limits, Link
from tests.fake_engine import FakeEngine, Held, exited

TRIAL = {"trial": "1"}
LIMITS = Limits(timeout_s=1, memory_bytes=1, cpu_millis=1, disk_bytes=1)


@pytest.fixture
def background():
    with ThreadPoolExecutor(max_workers=4) as pool:
        yield pool.submit


def container(role="run", labels=TRIAL):
    return Container(role=role, image="i", argv=("x",), cwd="/", user="1:1", limits=LIMITS, labels=labels)


def test_a_held_behaviour_runs_until_it_is_released(background):
    held = Held(lambda _: exited(3))
    engine = FakeEngine(behaviours={"run": held})
    ended = background(engine.start(container()).wait)
    assert held.entered.wait(10)
    assert engine.pause({"trial": "2"}) == 0
    assert engine.pause(TRIAL) == 1
    held.release.set()
    assert engine.unpause(TRIAL) <= 1
    assert ended.result().exit_code == 3
    assert [call for call, _ in engine.calls] == ["start", "wait", "pause", "pause", "unpause"]


@pytest.mark.parametrize("how", ["start", "gate", "linked"])
def test_nothing_starts_while_it_is_paused(background, how):
    engine = FakeEngine()
    running = engine.start(container(), gated=True)
    engine.pause(TRIAL)
    calls = {
        "start": lambda: engine.start(container("late")),
        "gate": running.open_gate,
        "linked": lambda: engine.run_linked(container("late"), container("other"), Link()),
    }
    starting = background(calls[how])
    assert ("open_gate", "run") not in engine.calls
    assert [one.role for one in engine.containers] == ["run"]
    assert not starting.done()
    engine.unpause(TRIAL)
    starting.result(10)


def test_a_removal_ends_what_runs_and_lets_go_of_what_would_start(background):
    held = Held()
    engine = FakeEngine(behaviours={"run": held})
    ended = background(engine.start(container()).wait)
    held.entered.wait(10)
    engine.pause(TRIAL)
    starting = background(engine.start, container("late"))
    while ("start", "late") not in engine.calls:
        pass
    assert engine.remove(TRIAL) == 1
    assert ended.result(10).ended == "killed"
    assert isinstance(starting.exception(10), EngineError)
