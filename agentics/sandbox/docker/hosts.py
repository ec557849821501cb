"""Where a container engine may listen on this machine, in the order in which we look. It talks to none of them."""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

FORBIDDEN_HINT = (
    "add this user to the group that owns the socket (`sudo usermod -aG docker USER`) and log in again, "
    "or use a rootless engine"
)
"""What to do where an engine is there and its socket is closed to this user."""


@dataclass(frozen=True, kw_only=True)
class Address:
    """`chosen`: somebody named it, so failing to reach it is an error and not a reason to look on."""

    url: str
    found_by: str
    chosen: bool = False
    tls: Path | None = None


def candidates(explicit: str | None, environment: Mapping[str, str], home: Path) -> Iterator[Address]:
    """The addresses worth trying. Stops after the first that somebody chose."""
    if explicit:
        yield Address(url=explicit, found_by="the configuration", chosen=True, tls=_tls(environment, home))
        return
    if environment.get("DOCKER_HOST"):
        tls = _tls(environment, home)
        yield Address(url=environment["DOCKER_HOST"], found_by="DOCKER_HOST", chosen=True, tls=tls)
        return
    context = _context(environment, home)
    if context is not None:
        yield context
        return
    yield from _sockets(environment, home)


def _sockets(environment: Mapping[str, str], home: Path) -> Iterator[Address]:
    runtime = Path(environment.get("XDG_RUNTIME_DIR") or f"/run/user/{os.getuid()}")
    for path, what in (
        (runtime / "docker.sock", "the rootless socket"),
        (Path("/var/run/docker.sock"), "the system socket"),
        (home / ".docker/run/docker.sock", "Docker Desktop's socket"),
        (runtime / "podman/podman.sock", "podman's user socket"),
        (Path("/run/podman/podman.sock"), "podman's system socket"),
    ):
        if _is_socket(path):
            yield Address(url=f"unix://{path}", found_by=what)


def _context(environment: Mapping[str, str], home: Path) -> Address | None:
    """The docker CLI's current context; None for `default`, which means the sockets."""
    folder = Path(environment.get("DOCKER_CONFIG") or home / ".docker")
    name = environment.get("DOCKER_CONTEXT") or _json(folder / "config.json").get("currentContext") or "default"
    if name == "default":
        return None
    key = hashlib.sha256(str(name).encode()).hexdigest()
    endpoint = _json(folder / "contexts/meta" / key / "meta.json").get("Endpoints", {}).get("docker", {})
    tls = folder / "contexts/tls" / key / "docker"
    url = str(endpoint.get("Host") or "")
    found_by = f"docker context {name}"
    return Address(url=url, found_by=found_by, chosen=True, tls=tls if tls.is_dir() else None) if url else None


def _tls(environment: Mapping[str, str], home: Path) -> Path | None:
    if not environment.get("DOCKER_TLS_VERIFY"):
        return None
    return Path(environment.get("DOCKER_CERT_PATH") or home / ".docker")


def _json(path: Path) -> dict[str, Any]:
    try:
        found = json.loads(path.read_bytes())
    except (OSError, ValueError):
        return {}
    return found if isinstance(found, dict) else {}


def _is_socket(path: Path) -> bool:
    try:
        return path.is_socket()
    except OSError:  # below a directory that we may not enter there is nothing for us
        return False
