"""Two containers that talk to each other: their clocks, who is killed when, and who ended badly first."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from datetime import datetime
from typing import Literal

from agentics.errors import EngineError
from agentics.sandbox.clock import Clock
from agentics.sandbox.docker.live import DEATH_S, EngineState, Live, launch
from agentics.sandbox.docker.running import Watchman
from agentics.sandbox.engine import Container, Exit, Link, Linked
from agentics.sandbox.relay import Relay, RelayEnd, RelaySpeaker

_IDLE_WINDOW_S = 0.25
_IDLE_SHARE = 0.05
_LOOK_S = 0.5
_TELLABLE_S = 0.25
_STOPPED = frozenset({"timed_out", "output_limit", "disk_limit"})
_FOREVER = float("inf")


@dataclass(kw_only=True, eq=False)
class LinkedSide:
    """One of the two, and its limits. `over` is when we saw it end. All times are on the clock of the pair."""

    speaker: RelaySpeaker
    live: Live
    watchman: Watchman
    deadline: float = _FOREVER
    over: float | None = None
    killed_at: float | None = None


@dataclass(kw_only=True)
class LinkedSession:
    """A linked pair while it runs. Their clock is one: who stands still makes the other wait."""

    solution: LinkedSide
    evaluator: LinkedSide
    relay: Relay
    link: Link
    clock: Clock
    window: tuple[float, float | None] | None = None
    evaluator_waiting: bool = False

    @property
    def sides(self) -> tuple[LinkedSide, LinkedSide]:
        return (self.solution, self.evaluator)


def run_linked(hosts: tuple[EngineState, EngineState], solution: Container, evaluator: Container, link: Link) -> Linked:
    """`hosts`: the solution's and the evaluator's. Raises EngineError. The solution's limit counts from the first byte
    that it is sent, the evaluator's from its start; `wall_s` of each counts from there too."""
    lives: list[Live] = []
    try:
        lives.extend(_started(hosts, (solution, evaluator)))
        with lives[0].in_use, lives[1].in_use:
            session = _session(lives[0], lives[1], link)
            try:
                _converse(session)
                return _linked(session)
            finally:
                session.relay.close()
    finally:
        for live in lives:
            live.dispose()


def _started(hosts: tuple[EngineState, EngineState], pair: tuple[Container, Container]) -> list[Live]:
    """Both, created and started side by side. If one fails, none is left."""

    clock = Clock()

    def begin(turn: int) -> Live:
        live = launch(hosts[turn], pair[turn], clock=clock, turn=turn)
        try:
            live.start()
        except BaseException:
            live.dispose()
            raise
        return live

    with ThreadPoolExecutor(max_workers=2, thread_name_prefix="linked-start") as pool:
        futures = [pool.submit(begin, turn) for turn in range(len(pair))]
    failed = next((future.exception() for future in futures if future.exception()), None)
    if failed is not None:
        for future in futures:
            if future.exception() is None:
                future.result().dispose()
        raise failed
    return [future.result() for future in futures]


def _session(solution: Live, evaluator: Live, link: Link) -> LinkedSession:
    sides = LinkedSide(speaker="solution", live=solution, watchman=Watchman.over(solution))
    other = LinkedSide(speaker="evaluator", live=evaluator, watchman=Watchman.over(evaluator))
    relay = Relay(_end(sides), _end(other), link, clock=solution.clock)
    session = LinkedSession(solution=sides, evaluator=other, relay=relay, link=link, clock=solution.clock)
    other.deadline = (evaluator.began or session.clock()) + evaluator.container.limits.timeout_s
    for side in session.sides:
        _watch(session, side)
    return session


def _end(side: LinkedSide) -> RelayEnd:
    streams = side.live.streams
    if streams is None or streams.out is None:
        msg = "a linked container needs stdio=pipe"
        raise EngineError(msg, code="engine_no_streams", retryable=False)
    return RelayEnd(side.speaker, streams.out, streams.inp, streams.close_stdin)


def _watch(session: LinkedSession, side: LinkedSide) -> None:
    streams, watch = side.live.streams, side.live.watch
    if watch is not None:
        session.relay.watch(watch, ("ended", side))
    if streams is not None and streams.err is not None:
        session.relay.watch(streams.err, ("log", side))
    if streams is not None and streams.ready is not None:
        session.relay.watch(streams.ready, ("ready", side))


def _converse(session: LinkedSession) -> None:
    """Until both have ended and all that they said has been carried."""
    while any(side.over is None for side in session.sides):
        for name, side in _carry(session, min(_due(session), session.clock() + _LOOK_S)):
            _hear(session, name, side)
        for side in session.sides:
            if side.over is None and side.live.ended:
                _ended(session, side)
        _keep_limits(session)
    for side in session.sides:
        session.relay.drain(side.speaker)


def _carry(session: LinkedSession, due: float) -> list[tuple[str, LinkedSide]]:
    """Nothing but carry bytes until something is due or happens: a round trip shall cost little more than its bytes."""
    relay, clock = session.relay, session.clock
    news: list[tuple[str, LinkedSide]] = []
    while not news and (left := due - clock()) > 0:
        news = relay.step(clock.wait_s(left))
        if relay.over_limit("solution") or relay.over_limit("evaluator"):
            break
        if session.solution.deadline == _FOREVER and relay.count("evaluator"):
            break
    return news


def _hear(session: LinkedSession, name: str, side: LinkedSide) -> None:
    streams = side.live.streams
    if streams is None:
        return
    if name == "log" and streams.err is not None:
        if not side.live.log.read(streams.err):
            session.relay.unwatch(streams.err)
    elif name == "ready" and streams.ready is not None:
        session.relay.unwatch(streams.ready)
        session.relay.replace_stdin(side.speaker, streams.let_go_of_stdin)


def _ended(session: LinkedSession, side: LinkedSide) -> None:
    side.over = session.clock()
    relay, live = session.relay, side.live
    if live.watch is not None:
        relay.unwatch(live.watch)
    live.check_engine()
    if live.streams is not None:
        live.streams.last_words()
        if live.streams.err is not None:
            relay.unwatch(live.streams.err)
            live.log.drain(live.streams.err)
    relay.hang_up(side.speaker)
    relay.drain(side.speaker)


def _due(session: LinkedSession) -> float:
    """When something has to be looked at, even if nobody says a word."""
    left = [side for side in session.sides if side.over is None]
    times = [side.watchman.next_look() for side in left]
    times += [side.deadline if side.killed_at is None else side.killed_at + DEATH_S for side in left]
    if session.evaluator.over is None and session.window is None:
        times.append(session.evaluator.deadline - _IDLE_WINDOW_S)
    if session.evaluator.over is not None:
        times.append(session.evaluator.over + session.link.grace_s)
    return min(times)


def _keep_limits(session: LinkedSession) -> None:
    now, solution, evaluator = session.clock(), session.solution, session.evaluator
    if solution.deadline == _FOREVER and session.relay.count("evaluator"):
        solution.deadline = now + solution.live.container.limits.timeout_s
        solution.live.count_from_here()
    for side in session.sides:
        _keep_limits_of(session, side, now)
    if evaluator.over is None and session.window is None and now >= evaluator.deadline - _IDLE_WINDOW_S:
        session.window = (now, evaluator.live.cpu_s())
    if evaluator.over is None and evaluator.killed_at is None and now >= evaluator.deadline:
        session.evaluator_waiting = _is_waiting(session, now)
        _kill(session, evaluator, "timed_out")
    if evaluator.over is not None and now >= evaluator.over + session.link.grace_s:
        _kill(session, solution, "killed")


def _keep_limits_of(session: LinkedSession, side: LinkedSide, now: float) -> None:
    if side.over is not None:
        return
    if side.killed_at is not None:
        if now > side.killed_at + DEATH_S:
            msg = f"a killed container was still there after {DEATH_S:g} s"
            raise EngineError(msg, code="engine_stuck")
        return
    if session.relay.over_limit(side.speaker) or side.live.log.flooded:
        _kill(session, side, "output_limit")
    elif side is session.solution and now >= side.deadline:
        _kill(session, side, "timed_out")
    elif side.watchman.over_limit():
        _kill(session, side, "disk_limit")


def _kill(
    session: LinkedSession, side: LinkedSide, why: Literal["timed_out", "output_limit", "disk_limit", "killed"]
) -> None:
    if side.over is None and side.killed_at is None:
        side.killed_at = session.clock()
        side.live.kill(why)


def _is_waiting(session: LinkedSession, now: float) -> bool:
    """Whether the evaluator is at its end because of the other: it does not compute, it waits for a living solution."""
    if session.solution.over is not None or session.window is None:
        return False
    began, before = session.window
    after = session.evaluator.live.cpu_s()
    if before is None or after is None or now <= began:
        return False
    idle = (after - before) / (now - began) < _IDLE_SHARE
    return idle and session.relay.is_waiting("evaluator")


def _linked(session: LinkedSession) -> Linked:
    with ThreadPoolExecutor(max_workers=2, thread_name_prefix="linked-finish") as pool:
        solution, evaluator = pool.map(lambda side: side.live.finish(), session.sides)
    first = _first_to_end(session, solution, evaluator)
    relay = session.relay
    return Linked(
        solution=solution,
        evaluator=evaluator,
        first_to_end=first,
        first_to_fail=_first_to_fail(solution, evaluator, first),
        evaluator_waiting=session.evaluator_waiting,
        solution_bytes=relay.count("solution"),
        evaluator_bytes=relay.count("evaluator"),
        transcript=relay.transcript.spoken(),
        transcript_truncated=relay.transcript.truncated,
    )


def _first_to_end(session: LinkedSession, solution: Exit, evaluator: Exit) -> RelaySpeaker:
    """By the engine's stamps. They are taken a little after the end, so two ends close together are told apart by the
    pipes: who dies of the other's end of file cannot have had its own before it."""
    difference = _moment(solution) - _moment(evaluator)
    if abs(difference) < _TELLABLE_S:
        stopped = _stopped_alone(session.solution, session.evaluator), _stopped_alone(*reversed(session.sides))
        if stopped[0] != stopped[1]:
            return "solution" if stopped[0] else "evaluator"
        silent = [session.relay.silent_since(side.speaker) for side in session.sides]
        if silent[0] is not None and silent[1] is not None:
            difference = silent[0] - silent[1]
    return "solution" if difference <= 0 else "evaluator"


def _stopped_alone(side: LinkedSide, peer: LinkedSide) -> bool:
    """We ended it at a limit while its peer was alive: then it was first, whatever of it was still on its way."""
    if side.killed_at is None or side.live.killed not in _STOPPED:
        return False
    return peer.over is None or side.killed_at < peer.over


def _moment(ended: Exit) -> float:
    return datetime.fromisoformat(ended.finished_at).timestamp()


def _first_to_fail(solution: Exit, evaluator: Exit, first: RelaySpeaker) -> RelaySpeaker | None:
    if first == "solution" and _bad(solution):
        return "solution"
    return "evaluator" if _bad(evaluator) else None


def _bad(ended: Exit) -> bool:
    return ended.ended != "killed" and (ended.ended != "exited" or ended.exit_code != 0)
