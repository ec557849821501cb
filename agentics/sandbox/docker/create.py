"""A container of ours in the API's words: one pure mapping, and the only place where hardening is spelled out."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from agentics.sandbox.engine import Container, Mount
from agentics.sandbox.pipes import TARGET
from agentics.sandbox.settings import EngineSettings

_MQUEUE_BYTES = 819_200
_PAGE = 4096
_SHM_INODES = 4096
Json = dict[str, Any]


@dataclass(frozen=True, kw_only=True)
class Surroundings:
    """What the engine and the host add to what was asked. `volumes`: paths that the image declares as volumes.
    `streams`: the host directory with the FIFOs. `attached`: the streams go through the engine instead."""

    settings: EngineSettings
    owner: dict[str, str]
    seccomp: str | None
    volumes: tuple[str, ...] = ()
    cgroup_parent: str | None = None
    streams: str | None = None
    attached: bool = False


def config(container: Container, argv: tuple[str, ...], around: Surroundings) -> Json:
    """The body of the API's create call."""
    stdin = around.attached and container.stdio == "pipe"
    return {
        "Image": container.image,
        "Cmd": list(argv),
        "Entrypoint": [],
        "Env": [f"{name}={value}" for name, value in container.env.items()],
        "WorkingDir": container.cwd,
        "User": "0:0" if "root_user" in container.relaxed else container.user,
        "Hostname": "sandbox",
        "Labels": {**container.labels, **around.owner},
        "NetworkDisabled": not _network(container),
        "Healthcheck": {"Test": ["NONE"]},
        "Tty": False,
        # StdinOnce makes the engine pass our end of file on; without it the program never sees one.
        "OpenStdin": stdin,
        "StdinOnce": stdin,
        "AttachStdin": stdin,
        "AttachStdout": around.attached,
        "AttachStderr": around.attached,
        "HostConfig": _host(container, around),
    }


def _host(container: Container, around: Surroundings) -> Json:
    limits = container.limits
    root_is_writable = "writable_root" in container.relaxed
    host: Json = {
        "NetworkMode": "bridge" if _network(container) else "none",
        "Init": True,
        "LogConfig": {"Type": "none", "Config": {}},
        "Memory": limits.memory_bytes,
        "MemorySwap": limits.memory_bytes,
        "NanoCpus": limits.cpu_millis * 1_000_000,
        "PidsLimit": limits.pids,
        "Ulimits": _ulimits(container),
        "CapAdd": list(container.capabilities),
        "CapDrop": [] if "capabilities" in container.relaxed else ["ALL"],
        "SecurityOpt": _security(container, around),
        "Privileged": False,
        "ReadonlyRootfs": not root_is_writable,
        "IpcMode": "private",
        "Tmpfs": _tmpfs(container, around),
        "Mounts": [*map(_bind, container.mounts), *_streams(around)],
    }
    if around.cgroup_parent is not None:
        host["CgroupParent"] = around.cgroup_parent
    if container.gpus:
        host["DeviceRequests"] = [{"Driver": "nvidia", "Count": container.gpus, "Capabilities": [["gpu"]]}]
    return host


def _network(container: Container) -> bool:
    return container.network or "network" in container.relaxed


def _ulimits(container: Container) -> list[Json]:
    limits = container.limits
    wanted = {"nofile": limits.open_files, "core": 0, "fsize": limits.disk_bytes, "msgqueue": _MQUEUE_BYTES}
    return [{"Name": name, "Soft": value, "Hard": value} for name, value in wanted.items()]


def _security(container: Container, around: Surroundings) -> list[str]:
    options = ["no-new-privileges:true"]
    if around.seccomp is not None and "default_seccomp" not in container.relaxed:
        options.append(f"seccomp={around.seccomp}")
    return options


def _tmpfs(container: Container, around: Surroundings) -> dict[str, str]:
    """The writable places that a container has of its own. Their pages count against its memory.

    An image's VOLUME would be a writable place without bounds: it becomes one with bounds, empty.
    """
    limits, settings = container.limits, around.settings
    room = f"rw,exec,nosuid,nodev,size={max(_PAGE, limits.disk_bytes)},mode=1777" + _inodes(settings.tmp_inodes)
    shm = max(_PAGE, min(settings.shm_bytes, limits.memory_bytes // 2))
    wanted = dict.fromkeys((target.rstrip("/") for target in around.volumes), room)
    wanted["/tmp"] = room  # noqa: S108 a path inside the container
    few = min(settings.tmp_inodes, _SHM_INODES) if settings.tmp_inodes else None
    wanted["/dev/shm"] = f"rw,noexec,nosuid,nodev,size={shm},mode=1777" + _inodes(few)  # noqa: S108
    taken = {mount.target for mount in container.mounts} | {TARGET}
    return {target: options for target, options in wanted.items() if target not in taken}


def _inodes(most: int | None) -> str:
    return f",nr_inodes={most}" if most else ""


def _bind(mount: Mount) -> Json:
    return {
        "Type": "bind",
        "Source": str(mount.source),
        "Target": mount.target,
        "ReadOnly": not mount.writable,
        "BindOptions": {"Propagation": "rprivate"},
    }


def _streams(around: Surroundings) -> list[Json]:
    if around.streams is None:
        return []
    return [{"Type": "bind", "Source": around.streams, "Target": TARGET, "ReadOnly": True}]
