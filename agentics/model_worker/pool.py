"""The workers of a run: each is started once it is needed, serves whatever needs the same of it, and ends with the run.

A worker is a container, or a process in an environment of the operator's. What is the same for both is the exchange.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Protocol

from agentics.config import JobLimits
from agentics.errors import EngineError, StopFlag
from agentics.lighteval.exchange import Exchange, WorkerSession
from agentics.model.plan.trial_plan import WorkerPlan, WorkerSharing
from agentics.pipeline.contract.stage import Interrupted
from agentics.pipeline.job_tools import SessionKind

_WAIT_S = 0.1


class WorkerHost(Protocol):
    """A started worker: where it is, and how it is held and ended."""

    exchange: Exchange

    def freeze(self) -> None:
        """Stop it where it stands. Raises EngineError."""

    def thaw(self) -> None:
        """Let it go on. Raises EngineError."""

    def close(self) -> None:
        """End it, and all that it started; at first in good order."""

    def kill(self) -> None:
        """End it at once."""


class WorkerLauncher(Protocol):
    """Starts workers: in containers, or as processes."""

    def start(self, needs: WorkerNeeds) -> WorkerHost:
        """Raises EngineError."""


@dataclass(frozen=True, kw_only=True)
class WorkerNeeds:
    """What makes two sessions able to share a worker. `mounts`: paths inside it, and the host's folders there;
    `preload`: it will load LightEval; `hub`: the path among `mounts` where it keeps what it takes from the hub."""

    network: bool
    secrets: tuple[str, ...]
    mounts: tuple[tuple[str, Path], ...]
    preload: bool
    hub: str | None = None


@dataclass(eq=False)
class SharedSession:
    """A session and who may use it: one trial at a time."""

    session: WorkerSession
    host: WorkerHost
    lock: threading.Lock = field(default_factory=threading.Lock)
    broken: bool = False


@dataclass(eq=False)
class WorkerPool:
    """Thread-safe. `mounts`: of all jobs of the run, by what else those need that share a worker. `tell` is
    told what takes long."""

    hosts: WorkerLauncher
    mounts: Mapping[WorkerSharing, Mapping[str, Path]]
    limits: JobLimits
    tell: Callable[[str], None] = lambda _: None
    _running: dict[WorkerNeeds, WorkerHost] = field(default_factory=dict)
    _sessions: dict[tuple[str, SessionKind], SharedSession] = field(default_factory=dict)
    _number: int = 0
    _guard: threading.Lock = field(default_factory=threading.Lock)

    @contextmanager
    def session(
        self, variant: str, plan: WorkerPlan, kind: SessionKind, interrupt: StopFlag
    ) -> Iterator[WorkerSession]:
        """The variant's session of this kind, for one trial alone.

        Raises EngineError when no worker can be had, and Interrupted. After an error, or when the order was stopped,
        the session is killed.
        """
        shared = self._shared(variant, plan, kind, interrupt)
        while not shared.lock.acquire(timeout=_WAIT_S):
            if interrupt.is_set():
                raise Interrupted
        try:
            yield shared.session
        except BaseException:
            shared.broken = True
            raise
        finally:
            if shared.broken or interrupt.is_set():
                self._drop(shared)
            shared.lock.release()

    def hosts_of(self, variant: str) -> tuple[WorkerHost, ...]:
        """The workers that the variant's sessions are in: who freezes its trial freezes these."""
        with self._guard:
            found = {id(shared.host): shared.host for (name, _), shared in self._sessions.items() if name == variant}
        return tuple(found.values())

    def kill(self) -> None:
        """End all of them at once, from wherever: nothing here is waited for."""
        for host in tuple(self._running.values()):
            host.kill()

    def close(self) -> None:
        with self._guard:
            hosts, self._running, self._sessions = list(self._running.values()), {}, {}
        for host in hosts:
            host.close()

    def _shared(self, variant: str, plan: WorkerPlan, kind: SessionKind, interrupt: StopFlag) -> SharedSession:
        with self._guard:
            found = self._sessions.get((variant, kind))
            if found is not None and not found.broken:
                return found
            host = self._host(needs_of(plan, self.mounts, kind), interrupt)
            self._number += 1
            shared = SharedSession(host.exchange.session(f"{self._number}", self.limits.stop_s), host)
            self._sessions[variant, kind] = shared
            return shared

    def _host(self, needs: WorkerNeeds, interrupt: StopFlag) -> WorkerHost:
        host = self._running.get(needs)
        if host is not None and host.exchange.gone() is None:
            return host
        if host is not None:
            host.close()
        self.tell(
            "starting a worker: LightEval takes some ten seconds to load" if needs.preload else "starting a worker"
        )
        host = self.hosts.start(needs)
        try:
            host.exchange.wait_ready(interrupt, self.limits.start_s)
        except EngineError:
            host.close()
            raise
        if interrupt.is_set():
            host.close()
            raise Interrupted
        self._running[needs] = host
        return host

    def _drop(self, shared: SharedSession) -> None:
        shared.broken = True
        shared.session.kill()
        with self._guard:
            self._sessions = {key: each for key, each in self._sessions.items() if each is not shared}


def needs_of(plan: WorkerPlan, mounts: Mapping[WorkerSharing, Mapping[str, Path]], kind: SessionKind) -> WorkerNeeds:
    """What a worker for this must have."""
    of_model = kind == "model"
    network, secrets, hub = plan.sharing
    found = tuple(sorted(mounts.get(plan.sharing, {}).items())) if of_model else ()
    return WorkerNeeds(network=network, secrets=secrets, mounts=found, preload=of_model, hub=hub)
