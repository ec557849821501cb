"""A container of ours in the API's words: one pure mapping, and the only place where hardening is spelled out."""

from __future__ import annotations

from dataclasses import dataclass

from agentics.sandbox.docker.api import EngineJson
from agentics.sandbox.engine import Container, Mount
from agentics.sandbox.pipes import TARGET
from agentics.sandbox.settings import EngineSettings

_MQUEUE_BYTES = 819_200
_PAGE = 4096
_SHM_INODES = 4096
# What one process under a kernel of its own costs the host in tasks, at most, and that kernel by itself. Measured with
# gVisor on its ptrace platform: 5 for a process, none for a further thread, 45 to 60 for the kernel.
_TASKS_EACH, _TASKS_OF_A_KERNEL = 10, 256
# The engine's own list, which an own list replaces, as of Docker 28.
_ENGINES_MASKS = (
    "/proc/acpi", "/proc/asound", "/proc/interrupts", "/proc/kcore", "/proc/keys", "/proc/latency_stats",
    "/proc/sched_debug", "/proc/scsi", "/proc/timer_list", "/proc/timer_stats", "/sys/devices/virtual/powercap",
    "/sys/firmware",
)  # fmt: skip
# What else tells of the machine, or of what others do on it, and programs can do without.
_MASKS = (
    "/proc/buddyinfo", "/proc/cmdline", "/proc/config.gz", "/proc/consoles", "/proc/diskstats", "/proc/iomem",
    "/proc/ioports", "/proc/kallsyms", "/proc/key-users", "/proc/locks", "/proc/mdstat", "/proc/modules",
    "/proc/pagetypeinfo", "/proc/partitions", "/proc/schedstat", "/proc/slabinfo", "/proc/softirqs", "/proc/swaps",
    "/proc/sys/kernel/random/boot_id", "/proc/vmallocinfo", "/proc/zoneinfo", "/sys/block", "/sys/class/block",
    "/sys/class/dmi", "/sys/dev/block", "/sys/devices/virtual/block", "/sys/devices/virtual/dmi", "/sys/fs/ext4",
    "/sys/fs/xfs", "/sys/fs/btrfs", "/sys/module",
)  # fmt: skip


@dataclass(frozen=True, kw_only=True)
class CreateSettings:
    """What the engine and the host add to what was asked. `volumes`: paths that the image declares as volumes.
    `streams`: the host directory with the FIFOs; `streams_group`: whose group must reach them, None where everybody
    does. `attached`: the streams go through the engine instead. `cgroup_namespaces`: the engine can give a container
    one of its own. `own_kernel`: the container's runtime brings a kernel, whose tasks the host counts as well."""

    settings: EngineSettings
    owner: dict[str, str]
    seccomp: str | None
    volumes: tuple[str, ...] = ()
    cgroup_parent: str | None = None
    streams: str | None = None
    streams_group: int | None = None
    attached: bool = False
    cgroup_namespaces: bool = True
    own_kernel: bool = False


def config(container: Container, argv: tuple[str, ...], around: CreateSettings) -> EngineJson:
    """The body of the API's create call."""
    stdin = around.attached and container.stdio == "pipe"
    return {
        "Image": container.image,
        "Cmd": list(argv),
        "Entrypoint": [],
        "Env": [f"{name}={value}" for name, value in container.env.items()],
        "WorkingDir": container.cwd,
        "User": user(container),
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


def user(container: Container) -> str:
    """Who runs its first process: `<uid>:<gid>`."""
    return "0:0" if "root_user" in container.relaxed else container.user


def _host(container: Container, around: CreateSettings) -> EngineJson:
    limits = container.limits
    root_is_writable = "writable_root" in container.relaxed
    host: EngineJson = {
        "NetworkMode": "bridge" if _network(container) else "none",
        "Init": True,
        "LogConfig": {"Type": "none", "Config": {}},
        "Memory": limits.memory_bytes,
        "MemorySwap": limits.memory_bytes,
        "NanoCpus": limits.cpu_millis * 1_000_000,
        "PidsLimit": _tasks(limits.pids) if around.own_kernel else limits.pids,
        "Ulimits": _ulimits(container, around),
        "CapAdd": list(container.capabilities),
        "CapDrop": [] if "capabilities" in container.relaxed else ["ALL"],
        "SecurityOpt": _security(container, around),
        "Privileged": False,
        "ReadonlyRootfs": not root_is_writable,
        "IpcMode": "private",
        "MaskedPaths": [*_ENGINES_MASKS, *_MASKS],
        "Tmpfs": _tmpfs(container, around),
        "Mounts": [*map(_bind, container.mounts), *_streams(around)],
    }
    if around.cgroup_namespaces:
        host["CgroupnsMode"] = "private"
    if container.runtime is not None:
        host["Runtime"] = container.runtime
    if around.cgroup_parent is not None:
        host["CgroupParent"] = around.cgroup_parent
    if around.streams_group is not None:
        host["GroupAdd"] = [str(around.streams_group)]
    if container.gpus:
        host["DeviceRequests"] = [{"Driver": "nvidia", "Count": container.gpus, "Capabilities": [["gpu"]]}]
    return host


def _network(container: Container) -> bool:
    return container.network or "network" in container.relaxed


def _tasks(processes: int) -> int:
    return processes * _TASKS_EACH + _TASKS_OF_A_KERNEL


def _ulimits(container: Container, around: CreateSettings) -> list[EngineJson]:
    """A kernel of its own counts processes by user: of those that the engine's kernel counts, it is not to run out,
    since it would end with all that runs in it."""
    limits = container.limits
    wanted = {"nofile": limits.open_files, "core": 0, "fsize": limits.disk_bytes, "msgqueue": _MQUEUE_BYTES}
    if around.own_kernel:
        wanted["nproc"] = limits.pids
    return [{"Name": name, "Soft": value, "Hard": value} for name, value in wanted.items()]


def _security(container: Container, around: CreateSettings) -> list[str]:
    options = ["no-new-privileges:true"]
    if around.seccomp is not None and "default_seccomp" not in container.relaxed:
        options.append(f"seccomp={around.seccomp}")
    return options


def _tmpfs(container: Container, around: CreateSettings) -> dict[str, str]:
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


def _bind(mount: Mount) -> EngineJson:
    return {
        "Type": "bind",
        "Source": str(mount.source),
        "Target": mount.target,
        "ReadOnly": not mount.writable,
        "BindOptions": {"Propagation": "rprivate"},
    }


def _streams(around: CreateSettings) -> list[EngineJson]:
    if around.streams is None:
        return []
    return [{"Type": "bind", "Source": around.streams, "Target": TARGET, "ReadOnly": True}]
