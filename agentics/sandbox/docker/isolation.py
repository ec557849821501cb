"""What an engine really does, found out with one container: whether it isolates, and what it shares with us.

Options that isolate the network are cheap only because the engine skips work; that they isolate is looked at, not
assumed. The answer is remembered for each engine, version, kernel and file system.
"""

from __future__ import annotations

import hashlib
import json
import os
import secrets
import shutil
from contextlib import suppress
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

from agentics.errors import EngineError
from agentics.sandbox import pipes
from agentics.sandbox.docker.live import Host, launch
from agentics.sandbox.docker.running import DockerRunning
from agentics.sandbox.engine import Container, Exit, Limits, Mount

_CACHE_FILE = "engines.json"
_SCRIPT = """
(cat /probe/nonce >/.io/out) 2>/dev/null &
echo "nonce $(cat /probe/nonce)"
echo "network $(readlink /proc/self/ns/net)"
sed -n 's/^ *\\([^ :]*\\):.*/interface \\1/p' /proc/net/dev
sed -n 's/^\\(Seccomp\\|NoNewPrivs\\|CapEff\\):[^0-9a-f]*/\\1 /p' /proc/self/status
wait
"""


@dataclass(frozen=True, kw_only=True)
class Sharing:
    """What was found. `seccomp`: a filter of ours is in force."""

    files: bool
    pipes: bool
    usage: bool
    seccomp: bool


def find_out(host: Host, image: str, identity: tuple[str, ...], *, same_kernel: bool) -> Sharing:
    """From the cache, or from a container of that image. Raises EngineError(code="not_isolated") and runs nothing more
    when a container without a network has one."""
    key = _key(host.scratch, identity)
    known = _recall(host.settings.cache, key)
    if known is None:
        known = _try(host, image, same_kernel=same_kernel)
        _remember(host.settings.cache, key, known)
    return known


def _try(host: Host, image: str, *, same_kernel: bool) -> Sharing:
    nonce = secrets.token_hex(8)
    folder = host.scratch / secrets.token_hex(8)
    folder.mkdir()
    (folder / "nonce").write_text(nonce, encoding="ascii")
    fifos = pipes.make(host.scratch, streams=("out",))
    try:
        ended = _run(host, image, (folder, fifos.directory))
        said = _parse(ended)
        _require_isolation(said, same_kernel=same_kernel)
        return Sharing(
            files=said.get("nonce") == [nonce],
            pipes=_heard(fifos) == nonce,
            usage=ended.cpu_s is not None,
            seccomp=said.get("Seccomp") == ["2"],
        )
    finally:
        fifos.close()
        shutil.rmtree(folder, ignore_errors=True)


def _run(host: Host, image: str, folders: tuple[Path, Path]) -> Exit:
    """Its words come over the engine's own streams: those work wherever an engine does."""
    limits = Limits(timeout_s=10.0, memory_bytes=128 << 20, cpu_millis=1000, disk_bytes=1 << 20)
    container = Container(
        role="probe",
        image=image,
        argv=("sh", "-c", _SCRIPT),
        cwd="/",
        user="65534:65534",
        limits=limits,
        mounts=tuple(Mount(source=at, target=to) for at, to in zip(folders, ("/probe", pipes.TARGET), strict=True)),
    )
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


def _recall(cache: Path | None, key: str) -> Sharing | None:
    found = _entries(cache).get(key)
    names = Sharing.__dataclass_fields__
    if not isinstance(found, dict) or set(found) != set(names):
        return None
    return Sharing(**{name: bool(found[name]) for name in names})


def _entries(cache: Path | None) -> dict[str, Any]:
    if cache is None:
        return {}
    try:
        found = json.loads((cache / _CACHE_FILE).read_bytes())
    except (OSError, ValueError):
        return {}
    return found if isinstance(found, dict) else {}


def _remember(cache: Path | None, key: str, sharing: Sharing) -> None:
    """A cache that cannot be written costs a probe the next time, and nothing else."""
    if cache is None:
        return
    with suppress(OSError):
        cache.mkdir(parents=True, exist_ok=True)
        fresh = cache / f".{_CACHE_FILE}.{secrets.token_hex(4)}"
        fresh.write_text(json.dumps({**_entries(cache), key: asdict(sharing)}), encoding="utf-8")
        fresh.replace(cache / _CACHE_FILE)
