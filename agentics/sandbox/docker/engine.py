"""The engine of `sandbox.engine`, over the Engine API of Docker or Podman."""

from __future__ import annotations

import os
import platform as this_machine
import socket
import threading
import time
from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor, wait
from contextlib import suppress
from dataclasses import replace
from datetime import datetime
from pathlib import Path
from types import TracebackType
from typing import Any, Self

from docker.tls import TLSConfig

from agentics.errors import EngineError, EngineMissing
from agentics.sandbox import cgroup, labels, seccomp
from agentics.sandbox.docker.api import Api
from agentics.sandbox.docker.hosts import FORBIDDEN_HINT, Address, candidates
from agentics.sandbox.docker.isolation import NamespaceSharing
from agentics.sandbox.docker.linked import run_linked
from agentics.sandbox.docker.live import EngineState, launch
from agentics.sandbox.docker.pause import pause, unpause
from agentics.sandbox.docker.running import DockerRunning
from agentics.sandbox.docker.runtimes import Runtimes
from agentics.sandbox.docker_images import DockerImages
from agentics.sandbox.engine import Container, EngineFacts, Image, Link, Linked, Running
from agentics.sandbox.images import ImageStore
from agentics.sandbox.settings import EngineSettings

_REMOVERS = 4
_CGROUP_NAMESPACES = (1, 41)
# What another try will not change; a registry that is busy or limits us is asked again.
_FINAL = ("not found", "manifest unknown", "denied", "unauthorized", "no matching manifest", "no such host", "invalid")
_KNOCK_S = 10.0
_HINT = (
    "install Docker Engine or Podman and start it (`systemctl start docker`, `systemctl --user start podman.socket`), "
    "or say where it listens: DOCKER_HOST=unix:///path/to.sock"
)


def connect(host: str | None = None, *, scratch: Path, settings: EngineSettings | None = None) -> DockerEngine:
    """An engine whose pipes live in `scratch`, a directory of ours. Raises EngineMissing when none answers."""
    settings = settings or EngineSettings()
    return DockerEngine(connect_api(host, settings), scratch=scratch, settings=settings)


def connect_api(host: str | None = None, settings: EngineSettings | None = None) -> Api:
    """The first engine that answers: `host`, DOCKER_HOST, the docker context, then the usual sockets.

    Raises EngineMissing when none answers; with the code `engine_forbidden` where one is there and this user may not
    use its socket.
    """
    settings = settings or EngineSettings()
    tried, forbidden = [], False
    for address in candidates(host, os.environ, Path.home()):
        try:
            return _reach(address, settings)
        except EngineError as error:
            tried.append(f"{address.url} ({address.found_by}): {error.message}")
            forbidden = forbidden or error.code == "engine_forbidden"
    why = "; ".join(tried) if tried else "no socket of Docker or Podman was found"
    if forbidden:
        msg = f"this user may not use the container engine: {why}"
        raise EngineMissing(msg, code="engine_forbidden", hint=FORBIDDEN_HINT, retryable=False)
    msg = f"no container engine answers: {why}"
    raise EngineMissing(msg, hint=_HINT, retryable=False)


def _reach(address: Address, settings: EngineSettings) -> Api:
    tls = None
    if address.url.startswith("unix://"):
        _knock(address.url.removeprefix("unix://"))
    if address.tls is not None:
        pair = (str(address.tls / "cert.pem"), str(address.tls / "key.pem"))
        tls = TLSConfig(client_cert=pair, ca_cert=str(address.tls / "ca.pem"), verify=True)
    return Api(address.url, settings.api_timeout_s, tls)


def _knock(path: str) -> None:
    """Where nobody listens, say so ourselves: the client would wrap it up in three exceptions and leak the socket."""
    with socket.socket(socket.AF_UNIX) as knocking:
        try:
            knocking.settimeout(_KNOCK_S)
            knocking.connect(path)
        except OSError as error:
            code = "engine_forbidden" if isinstance(error, PermissionError) else "engine_lost"
            raise EngineError(str(error.strerror or error), code=code) from error


class DockerEngine:
    """Implements `engine.Engine`. Thread-safe. `close` when done: it leaves no container of this process behind."""

    def __init__(self, api: Api, *, scratch: Path, settings: EngineSettings) -> None:
        self._api = api
        self._info = api.info()
        self._version = api.server_version()
        self._images: dict[str, Mapping[str, Any]] = {}
        self._images_lock = threading.Lock()
        self._host = self._make_host(scratch, settings)
        self._runtimes = Runtimes(
            host=self._host,
            offered=self._info.get("Runtimes") or {},
            default=str(self._info.get("DefaultRuntime") or ""),
            kernel=str(self._info.get("KernelVersion", "")),
            identity=(str(self._info.get("ID", "")), str(self._version.get("Version")), *os.uname()),
            same_kernel=self._local(),
        )

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def close(self) -> None:
        """Remove what is still there, and wait until all that was removed is gone."""
        with self._host.lock:
            left = list(self._host.live)
        for live in left:
            live.dispose()
        self.drain()
        self._host.removers.shutdown(wait=True)
        self._api.close()

    def drain(self) -> None:
        """Wait until everything that was being removed is gone."""
        with self._host.lock:
            removals = list(self._host.removals)
        wait(removals)

    def probe(self, image: str, runtime: str | None = None) -> NamespaceSharing:
        """What this engine does under that runtime (None: its default), found out once, with that image.

        Raises EngineError where it does not isolate, does not see our scratch directory, or does not keep limits."""
        return self._runtimes.examine(image, runtime)

    @property
    def api(self) -> Api:
        """The connection itself."""
        return self._api

    def image_store(self) -> ImageStore:
        return DockerImages(self._api.client)

    def facts(self) -> EngineFacts:
        info = self._info
        default = self._runtimes.sharing(None)
        security = [str(option) for option in info.get("SecurityOptions") or ()]
        return EngineFacts(
            name=_name(self._version),
            version=str(self._version.get("Version", "")),
            api_version=self._api.version,
            host_platform=f"{info.get('OSType', 'linux')}/{_architecture(str(info.get('Architecture', '')))}",
            cgroup_version=str(info.get("CgroupVersion") or "1"),
            cgroup_driver=str(info.get("CgroupDriver", "")),
            rootless=any("rootless" in option for option in security),
            seccomp=any("seccomp" in option for option in security),
            cpus=int(info.get("NCPU") or 1),
            memory_bytes=int(info.get("MemTotal") or 0),
            kernel=str(info.get("KernelVersion", "")),
            shares_files=default.files if default else self._local(),
            shares_pipes=self._host.shares_pipes and (default is None or default.pipes),
            measures_usage=self._host.groups is not None and (default is None or default.usage),
            gpus="nvidia" in self._runtimes.offered,
            cgroup_namespaces=self._host.cgroup_namespaces,
            maps_users=any("name=userns" in option for option in security),
            runtimes=tuple(sorted(self._runtimes.offered)),
            default_runtime=self._runtimes.default or "runc",
        )

    def image(self, reference: str, platform: str | None) -> Image:
        found = self._api.image(reference)
        if found is None:
            self._pull(reference, platform)
            found = self._api.image(reference)
        if found is None:
            msg = f"image {reference} is not here, and pulling it did not bring it"
            raise EngineError(msg, code="image_missing", retryable=False)
        return _image(reference, found)

    def start(self, container: Container, *, gated: bool = False) -> Running:
        host = self._runtimes.host_of(container)
        live = launch(host, container, gated=gated)
        late_start = gated and not host.shares_pipes
        try:
            if not late_start:
                live.start()
        except BaseException:
            live.dispose()
            raise
        return DockerRunning(live, gated=gated, late_start=late_start)

    def run_linked(self, solution: Container, evaluator: Container, link: Link) -> Linked:
        hosts = self._runtimes.host_of(solution), self._runtimes.host_of(evaluator)
        return run_linked(hosts, solution, evaluator, link)

    def pause(self, labels: Mapping[str, str]) -> int:
        return pause(self._host, _some(labels))

    def unpause(self, labels: Mapping[str, str]) -> int:
        return unpause(self._host, _some(labels))

    def remove(self, labels: Mapping[str, str]) -> int:
        wanted = dict(_some(labels))
        with self._host.lock:
            ours = [live for live in self._host.live if wanted.items() <= live.labels.items()]
        for live in ours:
            live.abandon()
        return self._remove_all(self._api.containers(wanted))

    def live(self) -> frozenset[str]:
        with self._host.lock:
            return frozenset(live.id for live in self._host.live)

    def reap(self, *, everything: bool = False) -> int:
        count = 0
        for one in self._api.containers({labels.OWNER: None}) if everything else self._dead():
            # A container that cannot be removed must not stop an evaluation; `leftovers` counts it.
            with suppress(EngineError):
                count += self._remove_all([one])
        if self._host.groups is not None:
            self._host.groups.sweep()
        return count

    def leftovers(self) -> int:
        """Containers whose owner is dead."""
        return len(self._dead())

    def clock_skew_s(self) -> float:
        """How far the engine's clock is ahead of ours."""
        before = time.time()
        theirs = datetime.fromisoformat(str(self._api.info()["SystemTime"])).timestamp()
        return theirs - (before + time.time()) / 2

    def data_root(self) -> Path | None:
        """Where the engine keeps its images, if that is on this machine."""
        return Path(str(self._info["DockerRootDir"])) if self._local() and "DockerRootDir" in self._info else None

    def _dead(self) -> list[dict[str, Any]]:
        here = labels.this_process()
        found = self._api.containers({labels.OWNER: None})
        owners = ((one, labels.parse(str(one["Labels"].get(labels.OWNER, "")))) for one in found)
        return [one for one, owner in owners if owner is not None and labels.is_dead(owner, here)]

    def _remove_all(self, found: list[dict[str, Any]]) -> int:
        for one in found:
            if one.get("State") == "paused":  # which an engine may refuse to kill
                with suppress(EngineError):
                    self._api.unpause(str(one["Id"]))
            self._api.remove(str(one["Id"]))
        return len(found)

    def _pull(self, reference: str, platform: str | None) -> None:
        try:
            self._api.pull(reference, platform)
        except EngineError as error:
            msg = f"image {reference} is not here and cannot be pulled: {error.message}"
            hint = "build it (`agentics images build`), or map it to a local image under [images] in agentics.toml"
            final = any(words in error.message.lower() for words in _FINAL)
            raise EngineError(msg, code="image_missing", hint=hint, retryable=not final) from error

    def _volumes(self, reference: str) -> tuple[str, ...]:
        """Asked once for each image: an id never changes its meaning, and a tag hardly does within one process."""
        with self._images_lock:
            known = self._images.get(reference)
        if known is None:
            known = self._api.image(reference)
            if known is None:
                msg = f"image {reference} is not here"
                raise EngineError(msg, code="image_missing", retryable=False)
            with self._images_lock:
                self._images[reference] = known
        return tuple(sorted((known.get("Config") or {}).get("Volumes") or {}))

    def _local(self) -> bool:
        """Whether the engine most likely shares our kernel and file system."""
        return self._api.host.startswith("unix://") and self._info.get("KernelVersion") == this_machine.release()

    def _make_host(self, scratch: Path, settings: EngineSettings) -> EngineState:
        local = self._local()
        driver = str(self._info.get("CgroupDriver", ""))
        if _name(self._version) == "podman":
            settings = replace(settings, tmp_inodes=None)  # its API refuses nr_inodes
        return EngineState(
            api=self._api,
            settings=settings,
            scratch=scratch,
            owner={labels.OWNER: labels.this_process().label()},
            seccomp=self._filter(scratch, settings),
            groups=cgroup.groups(str(self._info.get("CgroupVersion") or "1"), driver) if local else None,
            shares_pipes=local if settings.streams == "auto" else settings.streams == "fifo",
            volumes=self._volumes,
            cgroup_namespaces=_numbers(self._api.version) >= _CGROUP_NAMESPACES,
            removers=ThreadPoolExecutor(max_workers=_REMOVERS, thread_name_prefix="container-remover"),
        )

    def _filter(self, scratch: Path, settings: EngineSettings) -> str | None:
        """The system call filter as this engine takes it: Docker its text, Podman a file with it."""
        machine = str(self._info.get("Architecture", ""))
        if not seccomp.known(machine):
            return None
        text = seccomp.profile(machine, foreign_abis=settings.foreign_abis)
        if _name(self._version) != "podman":
            return text
        place = scratch / "seccomp.json"
        place.write_text(text, encoding="utf-8")
        return str(place)


def _some(labels: Mapping[str, str]) -> Mapping[str, str]:
    """No labels at all would mean every container there is, also those of others. Raises ValueError."""
    if not labels:
        msg = "name at least one label"
        raise ValueError(msg)
    return labels


def _image(reference: str, found: Mapping[str, Any]) -> Image:
    digests = found.get("RepoDigests") or [None]
    return Image(
        reference=reference,
        id=str(found["Id"]),
        digest=digests[0],
        platform=f"{found.get('Os', 'linux')}/{_architecture(str(found.get('Architecture', '')))}",
        labels=dict((found.get("Config") or {}).get("Labels") or {}),
    )


def _numbers(version: str) -> tuple[int, ...]:
    return tuple(int(part) for part in version.split(".") if part.isdigit())


def _architecture(machine: str) -> str:
    return {"x86_64": "amd64", "aarch64": "arm64"}.get(machine, machine)


def _name(version: Mapping[str, Any]) -> str:
    components = [str(one.get("Name", "")) for one in version.get("Components") or ()]
    return "podman" if any("podman" in one.lower() for one in components) else "docker"
