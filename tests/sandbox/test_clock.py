"""A clock that can be held, driven by a source of our own."""

from __future__ import annotations

import pytest

from agentics.sandbox.clock import Clock


@pytest.fixture
def ticking():
    """A clock and the list whose last number is its source."""
    at = [100.0]
    return Clock(lambda: at[-1]), at


def test_it_goes_with_its_source_until_it_is_held(ticking):
    clock, at = ticking
    at.append(103.0)
    assert clock() == 103.0
    clock.hold("a")
    at.append(110.0)
    assert clock() == 103.0
    clock.release("a")
    assert clock() == 103.0
    at.append(111.0)
    assert clock() == 104.0


def test_it_stands_still_until_the_last_holder_lets_go_however_often_one_held_it(ticking):
    clock, at = ticking
    clock.hold("a")
    clock.hold("a")
    clock.hold("b")
    at.append(105.0)
    clock.release("a")
    clock.release("stranger")
    at.append(106.0)
    assert clock() == 100.0
    clock.release("b")
    clock.release("b")
    at.append(107.0)
    assert clock() == 101.0


def test_what_was_lost_can_be_told_up_to_any_moment(ticking):
    clock, at = ticking
    for begin, end in ((101.0, 103.0), (110.0, 111.0)):
        at.append(begin)
        clock.hold("a")
        at.append(end)
        clock.release("a")
    at.append(120.0)
    clock.hold("a")
    lost = {100.0: 0.0, 101.0: 0.0, 102.0: 1.0, 105.0: 2.0, 115.0: 3.0, 120.0: 3.0, 121.5: 4.5}
    assert {until: clock.lost_s(until) for until in lost} == lost


def test_who_waits_on_a_held_clock_looks_again_soon_and_never_at_once(ticking):
    clock, _ = ticking
    assert clock.wait_s(7.0) == 7.0
    clock.hold("a")
    assert 0 < clock.wait_s(0.0) < 1
    assert 0 < clock.wait_s(7.0) < 1


def test_a_reader_that_was_overtaken_by_a_release_is_early_and_not_late():
    """The source is read first: a hold that comes and goes in between must not count as time that passed."""
    clock: Clock
    times = iter([100.0, 100.0, 150.0, 151.0])

    def source():
        at = next(times)
        if at == 100.0 and not overtaken:
            overtaken.append(True)
            clock.hold("a")
            clock.release("a")
        return at

    overtaken: list[bool] = []
    clock = Clock(source)
    assert clock() <= 100.0
    assert clock() == 101.0
