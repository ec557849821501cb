"""Is this machine fit to run containers of ours? Each answer is data, with what to do about it. Nothing is changed."""

from __future__ import annotations

import shutil
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal, Protocol

from agentics.errors import EngineError, StorageError
from agentics.sandbox.engine import EngineFacts
from agentics.sandbox.images import ImageStore, ListedImage, list_images
from agentics.sandbox.places import Scratch, dead, set_aside

_OLDEST = (20, 10)
_SKEW_S = 2.0
_FREE_BYTES = 5 << 30


@dataclass(frozen=True, kw_only=True)
class MachineCheck:
    """One line of an examination. A failed `warning` is worth knowing, a failed `error` stops evaluations."""

    name: str
    ok: bool
    severity: Literal["error", "warning"]
    detail: str
    fix: str = ""


class Sharing(Protocol):
    """What one container of the engine showed."""

    @property
    def files(self) -> bool: ...
    @property
    def pipes(self) -> bool: ...
    @property
    def usage(self) -> bool: ...
    @property
    def seccomp(self) -> bool: ...
    @property
    def own_kernel(self) -> bool: ...
    @property
    def memory_limit(self) -> bool: ...


class Examined(Protocol):
    """An engine that lets itself be examined."""

    def facts(self) -> EngineFacts: ...

    def image_store(self) -> ImageStore: ...

    def probe(self, image: str, runtime: str | None = None) -> Sharing:
        """Raises EngineError when it does not isolate, share files or keep limits. None: the engine's default."""

    def clock_skew_s(self) -> float:
        """How far the engine's clock is ahead of ours."""

    def leftovers(self) -> int:
        """Containers whose owner is dead."""

    def data_root(self) -> Path | None:
        """Where the engine keeps its images, if that is on this machine."""


def checks(engine: Examined, scratch: Scratch, root: Path, runtimes: Sequence[str] = ()) -> list[MachineCheck]:
    """In the order in which they build on one another. `root`: where scratch directories of all processes are;
    `runtimes`: those that the operator names."""
    parts: tuple[Callable[[], Iterator[MachineCheck]], ...] = (
        lambda: _engine(engine.facts()),
        lambda: _images(list_images(engine.image_store())),
        lambda: _probe(engine, list_images(engine.image_store())),
        lambda: _runtimes(engine, list_images(engine.image_store()), runtimes),
        lambda: _places(scratch),
        lambda: _disk(root, engine.data_root()),
        lambda: _clock(engine.clock_skew_s()),
        lambda: _leftovers(engine.leftovers(), len(dead(root))),
        lambda: _set_aside(set_aside(root)),
    )
    found: list[MachineCheck] = []
    for part in parts:
        try:
            found.extend(part())
        except EngineError as error:
            found.append(_failed(error.code, error))
    return found


def _engine(facts: EngineFacts) -> Iterator[MachineCheck]:
    name = f"{facts.name} {facts.version}, API {facts.api_version}, {facts.host_platform}, kernel {facts.kernel}"
    yield _check("engine", ok=True, detail=name + (", rootless" if facts.rootless else ""))
    old = facts.name == "docker" and _version(facts.version) < _OLDEST
    yield _check("engine version", ok=not old, detail=facts.version, fix="install Docker Engine 20.10 or newer")
    yield _check(
        "resources", ok=facts.cpus > 0, detail=f"{facts.cpus} cores, {facts.memory_bytes / (1 << 30):.1f} GiB of memory"
    )
    yield _check(
        "system call filter",
        ok=facts.seccomp,
        detail="seccomp" if facts.seccomp else "the engine has no seccomp",
        fix="use a kernel and an engine with seccomp: without it, kernel attack surface is open to participants",
    )
    yield _check(
        "control groups",
        ok=facts.measures_usage,
        severity="warning",
        detail=f"v{facts.cgroup_version}, driver {facts.cgroup_driver or 'none'}; processor time and peak memory are "
        + ("measured" if facts.measures_usage else "not measured"),
        fix="run as root beside a local engine to have usage measured; limits hold anyway",
    )

    yield _check(
        "cgroup namespace",
        ok=facts.cgroup_namespaces,
        severity="warning",
        detail="containers have their own" if facts.cgroup_namespaces else "containers see paths of the host's",
        fix="use an engine with API 1.41 or newer (Docker 20.10)",
    )


def _images(images: Sequence[ListedImage]) -> Iterator[MachineCheck]:
    for one in images:
        made = one.definition
        lacks = "of an older definition" if one.stored is not None else "not built yet"
        detail = f"{made.reference} is here" if one.current else f"{lacks}; built when it is needed: {made.cost}"
        yield _check(
            f"image {made.name}",
            ok=one.current or made.optional,
            severity="warning",
            detail=f"{detail} (for {made.purpose})",
            fix=f"agentics images build {made.name}",
        )


def _runtimes(engine: Examined, images: Sequence[ListedImage], runtimes: Sequence[str]) -> Iterator[MachineCheck]:
    facts, image = engine.facts(), _some(images)
    for name in runtimes:
        if name not in facts.runtimes:
            detail = f"the engine does not have it; it has {', '.join(facts.runtimes) or 'none that it tells of'}"
            fix = "install it and add it to the engine's runtimes, or name another one in agentics.toml"
            yield _check(f"runtime {name}", ok=False, detail=detail, fix=fix)
        elif image is not None:
            yield _runtime(engine, image, name)


def _runtime(engine: Examined, image: str, name: str) -> MachineCheck:
    try:
        found = engine.probe(image, name)
    except EngineError as error:
        return _failed(f"runtime {name}", error)
    kernel = "containers have a kernel of their own" if found.own_kernel else "containers share the engine's kernel"
    kernel += ", and a filter" if found.seccomp else ", and no filter"
    streams = "FIFOs of ours" if found.pipes else "the engine"
    usage = "measured" if found.usage else "not measured"
    return _check(f"runtime {name}", ok=True, detail=f"{kernel}; streams go through {streams}; usage is {usage}")


def _some(images: Sequence[ListedImage]) -> str | None:
    """An image to look with."""
    return next((one.stored.id for one in images if one.stored is not None), None)


def _probe(engine: Examined, images: Sequence[ListedImage]) -> Iterator[MachineCheck]:
    image = _some(images)
    if image is None:
        detail = "not looked at: there is no image to look with"
        yield _check("isolation", ok=False, severity="warning", detail=detail, fix="agentics images build")
        return
    found = engine.probe(image)
    yield _check("isolation", ok=True, detail="a container without a network has only a loopback of its own")
    yield _check("shared files", ok=found.files, detail="containers see the scratch directory")
    yield _check(
        "pipes",
        ok=found.pipes,
        severity="warning",
        detail="FIFOs of ours work in containers"
        if found.pipes
        else "streams go through the engine: slower, but right",
        fix="a local engine on the same kernel shares FIFOs",
    )
    filtered = "containers run under a seccomp filter" if found.seccomp else "containers run without a filter"
    yield _check(
        "filter in force",
        ok=found.seccomp or found.own_kernel,
        detail="containers have a kernel of their own" if found.own_kernel else filtered,
        fix="do not start the engine with seccomp-profile=unconfined",
    )
    yield _check(
        "memory limit",
        ok=found.memory_limit,
        detail="kept" if found.memory_limit else "a container could hold more memory than its limit",
        fix="use an engine that may make control groups: this machine's memory is open to participants",
    )


def _places(scratch: Scratch) -> Iterator[MachineCheck]:
    try:
        place = scratch.bounded(1 << 20)
        scratch.release(place)
    except StorageError as error:
        yield _failed("bounded places", error)
        return
    how = {"loop": "file systems of their own", "tmpfs": "memory", "directory": "directories that are watched"}
    yield _check(
        "bounded places",
        ok=place.kind != "directory",
        severity="warning",
        detail=f"writable places are {how[place.kind]} ({place.kind})",
        fix="run as root where loop devices work: then the kernel itself bounds bytes and files",
    )


def _disk(root: Path, data_root: Path | None) -> Iterator[MachineCheck]:
    for name, path in (("disk for scratch", root), ("disk for images", data_root)):
        if path is not None and path.exists():
            free = shutil.disk_usage(path).free
            detail = f"{free / (1 << 30):.1f} GiB free at {path}"
            yield _check(name, ok=free >= _FREE_BYTES, severity="warning", detail=detail, fix="make 5 GiB free there")


def _clock(skew_s: float) -> Iterator[MachineCheck]:
    detail = f"the engine's clock and ours differ by {abs(skew_s):.1f} s"
    fix = "synchronise the clocks: times in evidence come from the engine"
    yield _check("clock", ok=abs(skew_s) <= _SKEW_S, severity="warning", detail=detail, fix=fix)


def _leftovers(containers: int, places: int) -> Iterator[MachineCheck]:
    detail = f"{containers} containers and {places} scratch directories of processes that are gone"
    none = containers == places == 0
    yield _check("leftovers", ok=none, severity="warning", detail="none" if none else detail, fix="agentics clean")


def _set_aside(places: list[Path]) -> Iterator[MachineCheck]:
    """Nothing is said where there is nothing."""
    if places:
        detail = f"{len(places)} scratch directories cannot be removed: {', '.join(map(str, places[:3]))}"
        fix = "agentics clean as their owner, or remove them as root"
        yield _check("set aside", ok=False, severity="warning", detail=detail, fix=fix)


def _check(
    name: str, *, ok: bool, detail: str, severity: Literal["error", "warning"] = "error", fix: str = ""
) -> MachineCheck:
    return MachineCheck(name=name, ok=ok, severity=severity, detail=detail, fix=fix)


def _failed(name: str, error: EngineError | StorageError) -> MachineCheck:
    return _check(name, ok=False, detail=error.message, fix=error.hint or "see the engine's own log")


def _version(text: str) -> tuple[int, ...]:
    """Major and minor; a version that we cannot read counts as new."""
    parts = text.split(".")[:2]
    return tuple(int(part) for part in parts) if all(part.isdigit() for part in parts) else (1 << 30,)
