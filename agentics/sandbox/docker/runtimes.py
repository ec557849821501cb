"""The runtimes of an engine: each is examined once, before the first container of it that is not the examination's."""

from __future__ import annotations

import json
import threading
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any

from agentics.errors import EngineError
from agentics.sandbox.docker.isolation import IsolationRequest, NamespaceSharing, find_out, has_network
from agentics.sandbox.docker.live import EngineState
from agentics.sandbox.engine import Container
from agentics.sandbox.settings import EngineSettings


@dataclass(kw_only=True)
class Runtimes:
    """`offered`: the engine's own words of each runtime, by its name. `default`: the name of the one that runs
    containers which name none. `identity`: of the engine. `same_kernel`: the engine's kernel is ours."""

    host: EngineState
    offered: Mapping[str, Any]
    default: str
    kernel: str
    identity: tuple[str, ...]
    same_kernel: bool
    _found: dict[str | None, tuple[NamespaceSharing, EngineState]] = field(default_factory=dict)
    _networks: dict[str, bool] = field(default_factory=dict)
    _lock: threading.Lock = field(default_factory=threading.Lock)

    def sharing(self, runtime: str | None) -> NamespaceSharing | None:
        """What is known of it so far."""
        found = self._found.get(runtime)
        return found[0] if found else None

    def examine(self, image: str, runtime: str | None) -> NamespaceSharing:
        """What it does, found out once, with that image. Raises EngineError where it does not isolate, where it does
        not see our scratch directory, and where one that was named does not keep limits (`limits_not_kept`)."""
        with self._lock:
            return self._examined(image, runtime)[0]

    def host_of(self, container: Container) -> EngineState:
        """What a container of it is made with. Raises EngineError as `examine` does, and where the container is to have
        a network and its runtime gives none (`runtime_without_network`)."""
        with self._lock:
            host = self._examined(container.image, container.runtime)[1]
            if container.network and container.runtime is not None:
                self._require_network(container.image, container.runtime)
            return host

    def _examined(self, image: str, runtime: str | None) -> tuple[NamespaceSharing, EngineState]:
        if runtime not in self._found:
            name = runtime or self.default
            words = json.dumps(self.offered.get(name), sort_keys=True)  # its arguments may be other ones tomorrow
            asked = IsolationRequest(
                image=image,
                runtime=runtime,
                kernel=self.kernel,
                identity=(*self.identity, name, words),
                same_kernel=self.same_kernel,
            )
            sharing = find_out(self.host, asked)
            _require(sharing, runtime)
            host = replace(
                self.host,
                runtime=name,
                kernel="own" if sharing.own_kernel else "shared",
                shares_pipes=_use_pipes(self.host.settings, sharing),
                groups=self.host.groups if sharing.usage else None,
            )
            self._found[runtime] = sharing, host
        return self._found[runtime]

    def _require_network(self, image: str, runtime: str) -> None:
        if runtime not in self._networks:
            self._networks[runtime] = has_network(self.host, image, runtime)
        if not self._networks[runtime]:
            msg = f"a container that declares network has none under the runtime {runtime}"
            hint = f"let the engine run {runtime} with a network, or name another runtime in [[sandbox.runtimes]]"
            raise EngineError(msg, code="runtime_without_network", hint=hint, retryable=False)


def _require(found: NamespaceSharing, runtime: str | None) -> None:
    if not found.files:
        msg = "the engine does not see the scratch directory: what we put there is not in its containers"
        hint = "name a directory that the engine shares, under [sandbox] scratch in agentics.toml"
        raise EngineError(msg, code="files_not_shared", hint=hint, retryable=False)
    if runtime is not None and not found.memory_limit:
        msg = f"a container under the runtime {runtime} could hold more memory than its limit"
        hint = "let the engine start it with control groups (runsc: without --ignore-cgroups)"
        raise EngineError(msg, code="limits_not_kept", hint=hint, retryable=False)


def _use_pipes(settings: EngineSettings, found: NamespaceSharing) -> bool:
    if settings.streams == "fifo" and not found.pipes:
        msg = "FIFOs of ours do not work in this engine's containers, and nothing else was allowed"
        raise EngineError(msg, code="pipes_not_shared", retryable=False)
    return found.pipes and settings.streams != "attach"
