"""What an engine really does, found out with one container: whether it isolates, and what it shares with us.

Options that isolate the network are cheap only because the engine skips work; that they isolate is looked at, not
assumed. The answer is remembered for each engine, version, kernel and file system.
"""

from __future__ import annotations

import hashlib
import json
import os
import secrets
from contextlib import suppress
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

from agentics.archive.hostile import discard
from agentics.errors import EngineError
from agentics.sandbox import pipes
from agentics.sandbox.docker.live import EngineState, launch
from agentics.sandbox.docker.running import DockerRunning
from agentics.sandbox.engine import Container, Exit, Limits, Mount

_CACHE_FILE = "engines.json"
_SCRIPT = """
(cat /probe/nonce >/.io/out) 2>/dev/null &
echo "nonce $(cat /probe/nonce)"
echo "network $(readlink /proc/self/ns/net)"
echo "kernel $(uname -r)"
sed -n 's/^ *\\([^ :]*\\):.*/interface \\1/p' /proc/net/dev
sed -n 's/^\\(Seccomp\\|NoNewPrivs\\|CapEff\\):[^0-9a-f]*/\\1 /p' /proc/self/status
wait
echo "held $(head -c @BYTES@ /dev/zero | tail -n 1 | wc -c)"
"""
_MEMORY = 128 << 20
_MORE = 2 * _MEMORY
_INTERFACES = "sed -n 's/^ *\\([^ :]*\\):.*/interface \\1/p' /proc/net/dev; echo network"


@dataclass(frozen=True, kw_only=True)
class NamespaceSharing:
    """What was found. `seccomp`: our filter is in force. `own_kernel`: another kernel than the engine's answered.
    `memory_limit`: a program could not hold more memory than its container may."""

    files: bool
    pipes: bool
    usage: bool
    seccomp: bool
    own_kernel: bool
    memory_limit: bool


@dataclass(frozen=True, kw_only=True)
class IsolationRequest:
    """Which image to look with, under which runtime (None: the engine's default), on an engine of which kernel.
    `identity`: all that the answer depends on. `same_kernel`: the engine's kernel is ours."""

    image: str
    runtime: str | None
    kernel: str
    identity: tuple[str, ...]
    same_kernel: bool


def find_out(host: EngineState, asked: IsolationRequest) -> NamespaceSharing:
    """From the cache, or from a container. Raises EngineError(code="not_isolated") and runs nothing more when a
    container without a network has one."""
    key = _key(host.scratch, asked.identity)
    known = _recall(host.settings.cache, key)
    if known is None:
        known = _try(host, asked)
        _remember(host.settings.cache, key, known)
    return known


def has_network(host: EngineState, image: str, runtime: str) -> bool:
    """Whether a container that is to have a network gets an interface beside the loopback."""
    container = replace(_container(image, runtime, _INTERFACES), network=True)
    return set(_parse(_run(host, container)).get("interface", ())) > {"lo"}


def _try(host: EngineState, asked: IsolationRequest) -> NamespaceSharing:
    nonce = secrets.token_hex(8)
    folder = host.scratch / secrets.token_hex(8)
    folder.mkdir()
    (folder / "nonce").write_text(nonce, encoding="ascii")
    fifos = pipes.make(host.scratch, streams=("out",))
    try:
        mounts = (Mount(source=folder, target="/probe"), Mount(source=fifos.directory, target=pipes.TARGET))
        script = _SCRIPT.replace("@BYTES@", str(_MORE))
        ended = _run(host, replace(_container(asked.image, asked.runtime, script), mounts=mounts))
        said = _parse(ended)
        own_kernel = said.get("kernel") != [asked.kernel]
        _require_isolation(said, same_kernel=asked.same_kernel and not own_kernel)
        return NamespaceSharing(
            files=said.get("nonce") == [nonce],
            pipes=_heard(fifos) == nonce,
            usage=bool(ended.cpu_s),  # a group that its container is not in counts nothing
            seccomp=said.get("Seccomp") == ["2"],
            own_kernel=own_kernel,
            memory_limit=said.get("held") != [str(_MORE)],
        )
    finally:
        fifos.close()
        discard(folder)


def _container(image: str, runtime: str | None, script: str) -> Container:
    return Container(
        role="probe",
        image=image,
        argv=("sh", "-c", script),
        cwd="/",
        user="65534:65534",
        limits=Limits(timeout_s=30.0, memory_bytes=_MEMORY, cpu_millis=1000, disk_bytes=1 << 20),
        runtime=runtime,
    )


def _run(host: EngineState, container: Container) -> Exit:
    """Its words come over the engine's own streams: those work wherever an engine does."""
    live = launch(replace(host, shares_pipes=False), container)
    try:
        live.start()
    except BaseException:
        live.dispose()
        raise
    return DockerRunning(live).wait()


def _parse(ended: Exit) -> dict[str, list[str]]:
    said: dict[str, list[str]] = {}
    for line in ended.log.decode("utf-8", "replace").splitlines():
        name, _, value = line.partition(" ")
        said.setdefault(name, []).append(value)
    if "network" not in said:
        msg = f"the engine's first container told nothing (exit code {ended.exit_code}): {ended.log[:500]!r}"
        raise EngineError(msg, code="engine_unusable", retryable=False)
    return said


def _require_isolation(said: dict[str, list[str]], *, same_kernel: bool) -> None:
    ours = ""
    with suppress(OSError):
        ours = str(Path("/proc/self/ns/net").readlink())
    if said.get("interface") != ["lo"] or (same_kernel and said["network"] == [ours]):
        interfaces = ", ".join(said.get("interface", ["none"]))
        msg = f"a container without a network has one on this engine (interfaces: {interfaces})"
        raise EngineError(msg, code="not_isolated", retryable=False)


def _heard(fifos: pipes.Pipes) -> str:
    if fifos.out is None:
        return ""
    try:
        return os.read(fifos.out, 100).decode("ascii", "replace")
    except BlockingIOError:
        return ""


def _key(scratch: Path, identity: tuple[str, ...]) -> str:
    where = (str(scratch.stat().st_dev), *scratch.parts[:3])
    return hashlib.sha256(json.dumps([identity, where]).encode()).hexdigest()


def _recall(cache: Path | None, key: str) -> NamespaceSharing | None:
    found = _entries(cache).get(key)
    names = NamespaceSharing.__dataclass_fields__
    if not isinstance(found, dict) or set(found) != set(names):
        return None
    return NamespaceSharing(**{name: bool(found[name]) for name in names})


def _entries(cache: Path | None) -> dict[str, Any]:
    if cache is None:
        return {}
    try:
        found = json.loads((cache / _CACHE_FILE).read_bytes())
    except (OSError, ValueError):
        return {}
    return found if isinstance(found, dict) else {}


def _remember(cache: Path | None, key: str, sharing: NamespaceSharing) -> None:
    """A cache that cannot be written costs a probe the next time, and nothing else."""
    if cache is None:
        return
    with suppress(OSError):
        cache.mkdir(parents=True, exist_ok=True)
        fresh = cache / f".{_CACHE_FILE}.{secrets.token_hex(4)}"
        fresh.write_text(json.dumps({**_entries(cache), key: asdict(sharing)}), encoding="utf-8")
        fresh.replace(cache / _CACHE_FILE)
