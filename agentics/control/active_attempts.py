"""The attempts that run now, and what may be done to all of them at any moment: freeze, thaw, end.

An attempt is active from the moment its state is `running` until it settles. Freezing and settling take the same lock:
so a pause hits an attempt that runs, or is told that there is none.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from typing import Literal, Protocol

from agentics.errors import AgenticsError, EngineError, StorageError
from agentics.model.document.record import Ids
from agentics.pipeline.cooperation import Cooperation
from agentics.rundir.trial import Attempt
from agentics.sandbox.engine import Engine
from agentics.sandbox.labels import TRIAL

Why = Literal["killed", "time_limit"]
_LOOK_S = 0.1


class FreezableHost(Protocol):
    """Something that works for an attempt and carries no label of it."""

    def freeze(self) -> None:
        """Raises EngineError."""

    def thaw(self) -> None:
        """Raises EngineError."""


@dataclass(frozen=True, kw_only=True)
class AttemptControls:
    """What an attempt has beside its own containers: a solution that can be spoken to, hosts that work for it."""

    cooperation: Cooperation | None = None
    hosts: Callable[[], Sequence[FreezableHost]] = tuple


@dataclass(eq=False)
class ActiveAttempt:
    """One attempt that runs. `why`: it has to end now, without a verdict, for this reason."""

    attempt: Attempt
    stop: threading.Event
    began: float
    limit_s: float | None = None
    why: Why | None = None
    frozen: bool = False
    stops: int = 0
    stopped_at: float = 0.0
    stopped_s: float = 0.0
    settled: bool = False
    held: tuple[FreezableHost, ...] = ()
    controls: AttemptControls = AttemptControls()
    first: bool = True
    """The first attempt of its trial in this process."""

    @property
    def ids(self) -> Ids:
        return self.attempt.ids

    @property
    def cooperation(self) -> Cooperation | None:
        return self.controls.cooperation

    @property
    def suspended(self) -> bool:
        """Whether its solution acknowledged that it was to stop, and did: another attempt can go on from there."""
        return self.why is None and self.cooperation is not None and bool(self.cooperation.stopped)

    def is_set(self) -> bool:
        """Whether the attempt has been asked to end: what its stages look at."""
        return self.why is not None or self.stop.is_set()

    def over_limit(self, now: float) -> bool:
        """Whether its time is up. Time for which its clock was stopped does not count."""
        return self.limit_s is not None and not self.stops and now - self.began - self.stopped_s >= self.limit_s

    def stop_clock(self, now: float) -> None:
        """Its time limit does not run until the clock was started as often as it was stopped."""
        if self.stops == 0:
            self.stopped_at = now
        self.stops += 1

    def start_clock(self, now: float) -> None:
        self.stops -= 1
        if self.stops == 0:
            self.stopped_s += now - self.stopped_at


@dataclass(eq=False)
class ActiveAttempts:
    """All attempts of this process. `over`: the run is to end because a controller said so. `engine`: where they run;
    nothing enters before it is there."""

    engine: Engine
    labels: Mapping[str, str]
    stop: threading.Event
    clock: Callable[[], float] = time.monotonic
    active: dict[str, ActiveAttempt] = field(default_factory=dict)
    seen: set[str] = field(default_factory=set)
    held: bool = False
    pausing: bool = False
    over: Literal["paused", "killed"] | None = None
    others: int = 0
    """Programs at work that are no attempt: an adapter."""
    _changed: threading.Condition = field(default_factory=threading.Condition)

    @property
    def closed(self) -> bool:
        """Nothing new is to be started, now or later."""
        return self.over is not None or self.stop.is_set()

    def enter(
        self, begin: Callable[[], Attempt], limit_s: float | None = None, controls: AttemptControls | None = None
    ) -> ActiveAttempt | None:
        """Begin an attempt, as soon as nothing is frozen; None after `close`."""
        with self._changed:
            while (self.held or self.pausing) and not self.closed:
                self._changed.wait(_LOOK_S)
            if self.closed:
                return None
            active = ActiveAttempt(begin(), self.stop, self.clock(), limit_s, controls=controls or AttemptControls())
            active.first = active.ids.trial_id not in self.seen
            self.seen.add(active.ids.trial_id)
            self.active[active.ids.trial_id] = active
            return active

    @contextmanager
    def nothing_new(self) -> Iterator[None]:
        """While inside, no attempt begins: whoever pauses looks at all there are."""
        with self._changed:
            self.pausing = True
        try:
            yield
        finally:
            with self._changed:
                self.pausing = False
                self._changed.notify_all()

    @contextmanager
    def waiting(self, active: ActiveAttempt) -> Iterator[None]:
        """While inside, the attempt waits for another one, and its time limit does not run."""
        with self._changed:
            active.stop_clock(self.clock())
        try:
            yield
        finally:
            with self._changed:
                active.start_clock(self.clock())

    def settle(self, active: ActiveAttempt) -> None:
        """Nothing runs of it any more: from now on it cannot be paused. A frozen one waits until it is thawed."""
        with self._changed:
            while active.frozen and not self.closed:
                self._changed.wait(_LOOK_S)
            active.settled = True

    def leave(self, active: ActiveAttempt) -> None:
        """All is written down of it."""
        with self._changed:
            self.active.pop(active.ids.trial_id, None)
            self._changed.notify_all()

    def freeze(self, wanted: Callable[[ActiveAttempt], bool], then: Callable[[ActiveAttempt], None]) -> tuple[str, ...]:
        """Freeze the containers of every wanted attempt, and let no other begin: `then` writes it down for each.

        Raises EngineError, after thawing again what had been frozen: all or nothing. Raises what `then` raises; all of
        them are frozen then.
        """
        with self._changed:
            # What has to end is about to: there is nothing to stand still.
            chosen = [t for t in self.active.values() if not t.frozen and not t.settled and t.why is None and wanted(t)]
            done: list[ActiveAttempt] = []
            try:
                for active in chosen:
                    done.append(active)
                    self._hold(active)
            except EngineError:
                for active in done:
                    with suppress(EngineError):
                        self._let_go(active)
                raise
            for active in chosen:
                active.frozen = True
                active.stop_clock(self.clock())
            self.held = self.held or bool(chosen)
            for active in chosen:
                then(active)
            return tuple(active.ids.trial_id for active in chosen)

    def thaw(self, wanted: Callable[[ActiveAttempt], bool], then: Callable[[ActiveAttempt], None]) -> tuple[str, ...]:
        """Let the wanted frozen attempts go on, written down first. Once none is frozen, others may begin.

        Raises the first EngineError or StorageError after it has tried all of them; then it can be tried again.
        """
        thawed: list[str] = []
        errors: list[AgenticsError] = []
        with self._changed:
            for active in [t for t in self.active.values() if t.frozen and wanted(t)]:
                try:
                    then(active)
                    self._let_go(active)
                except (EngineError, StorageError) as error:
                    errors.append(error)
                    continue
                active.start_clock(self.clock())
                active.frozen = False
                thawed.append(active.ids.trial_id)
            self.held = any(t.frozen for t in self.active.values())
            self._changed.notify_all()
        if errors:
            raise errors[0]
        return tuple(thawed)

    def close(self, over: Literal["paused", "killed"]) -> None:
        """Nothing new is started from now on; what is frozen does not wait any longer. What runs has to end too, when
        the run is killed."""
        with self._changed:
            self.over = over
            self.stop.set()  # also for what runs beside trials: image builds, an adapter, the wait before a retry
            for active in self.active.values() if over == "killed" else ():
                active.why = "killed"
            self._changed.notify_all()

    def snapshot(self) -> dict[str, ActiveAttempt]:
        with self._changed:
            return dict(self.active)

    @contextmanager
    def occupied(self) -> Iterator[None]:
        """While inside, a program that is no attempt is at work; it has to end after `close`."""
        with self._changed:
            self.others += 1
        try:
            yield
        finally:
            with self._changed:
                self.others -= 1
                self._changed.notify_all()

    def wait_idle(self, patience_s: float) -> bool:
        """Wait until nothing is at work here, for so long; whether that came true."""
        with self._changed:
            return self._changed.wait_for(lambda: not self.active and not self.others, patience_s)

    def wait_empty(self, names: frozenset[str], patience_s: float) -> bool:
        """Wait until none of these trials is active; whether that came in time."""
        deadline = time.monotonic() + patience_s
        with self._changed:
            while names & self.active.keys():
                left = deadline - time.monotonic()
                if left <= 0:
                    return False
                self._changed.wait(left)
        return True

    def remove(self, chosen: Mapping[str, ActiveAttempt]) -> None:
        """Remove the containers of these attempts, as far as the engine can."""
        for active in chosen.values():
            with suppress(EngineError):
                self.engine.remove(self._labels(active))

    def end_late(self) -> None:
        """End the attempts whose time is up; called again and again."""
        now = self.clock()
        for active in self.snapshot().values():
            if active.why is None and not active.settled and active.over_limit(now):
                active.why = "time_limit"
            if active.why == "time_limit" and not active.settled:
                self.remove({active.ids.trial_id: active})

    def _hold(self, active: ActiveAttempt) -> None:
        self.engine.pause(self._labels(active))
        active.held = tuple(active.controls.hosts())
        for host in active.held:
            host.freeze()

    def _let_go(self, active: ActiveAttempt) -> None:
        self.engine.unpause(self._labels(active))
        for host in active.held:
            host.thaw()

    def _labels(self, active: ActiveAttempt) -> dict[str, str]:
        return {**self.labels, TRIAL: active.ids.trial_id}
