"""What is decided before an engine is asked: addresses, owners, filters, and a container in the engine's words."""

from __future__ import annotations

import json
import re
import socket
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import pytest

from agentics.sandbox import cgroup, labels, seccomp
from agentics.sandbox.docker import create
from agentics.sandbox.docker.api import is_about_the_program
from agentics.sandbox.docker.hosts import candidates
from agentics.sandbox.engine import Container, Limits, Mount
from agentics.sandbox.settings import EngineSettings

LIMITS = Limits(timeout_s=1, memory_bytes=64 << 20, cpu_millis=500, disk_bytes=1 << 20)
PLAIN = Container(role="run", image="i", argv=("a",), cwd="/w", user="1:1", limits=LIMITS, labels={"own": "label"})
AROUND = create.CreateSettings(settings=EngineSettings(), owner={labels.OWNER: "me"}, seccomp="{}")


RUNC = "OCI runtime create failed: runc create failed: unable to start container process: "
REFUSALS = {
    f'{RUNC}exec: "no-such": executable file not found in $PATH: unknown': True,
    f'{RUNC}exec: "/x/y": stat /x/y: no such file or directory: unknown': True,
    f'{RUNC}exec: "/etc/passwd": permission denied: unknown': True,
    "OCI runtime create failed: executable file `no-such` not found in $PATH: No such file or directory": True,
    "standard_init_linux.go:228: exec user process caused: exec format error": True,
    "failed to create shim task: OCI runtime create failed: open cgroup.procs: no such file or directory": False,
    "failed to start shim: start failed: io.containerd.runc.v2: open /run/x/fifo: permission denied": False,
    f'{RUNC}exec: "/sbin/docker-init": stat /sbin/docker-init: no such file or directory: unknown': False,
    f"{RUNC}error mounting /a to rootfs at /b: not a directory: executable": False,
}


@pytest.mark.parametrize("explanation", REFUSALS)
def test_a_start_that_the_engine_refuses_is_the_programs_fault_only_where_it_says_so(explanation):
    assert is_about_the_program(explanation) == REFUSALS[explanation]


def body(container=PLAIN, around=AROUND):
    return create.config(container, ("a",), around)


def test_everything_that_isolates_is_on_by_default():
    config = body()
    host = config["HostConfig"]
    assert (host["NetworkMode"], config["NetworkDisabled"]) == ("none", True)
    assert (host["ReadonlyRootfs"], host["Privileged"], host["Init"], host["IpcMode"]) == (True, False, True, "private")
    assert (host["CapDrop"], host["CapAdd"]) == (["ALL"], [])
    assert host["SecurityOpt"] == ["no-new-privileges:true", "seccomp={}"]
    assert host["Memory"] == host["MemorySwap"] == 64 << 20
    assert (host["NanoCpus"], host["PidsLimit"]) == (500_000_000, 256)
    assert host["LogConfig"]["Type"] == "none"
    assert {one["Name"]: one["Hard"] for one in host["Ulimits"]} == {
        "nofile": 1024,
        "core": 0,
        "fsize": 1 << 20,
        "msgqueue": 819_200,
    }
    assert (config["Entrypoint"], config["Healthcheck"], config["User"]) == ([], {"Test": ["NONE"]}, "1:1")
    assert config["Labels"] == {"own": "label", labels.OWNER: "me"}


def test_processes_of_a_runtime_with_its_own_kernel_are_counted_by_that_kernel():
    usual, own = (body(around=replace(AROUND, own_kernel=own))["HostConfig"] for own in (False, True))
    limits = [{one["Name"]: one["Hard"] for one in host.pop("Ulimits")} for host in (usual, own)]
    assert limits[1] == {**limits[0], "nproc": usual.pop("PidsLimit")}
    assert own.pop("PidsLimit") > 2 * 5 * 256  # what two users cost whose every process is five of the host's
    assert own == usual


def test_a_network_is_there_only_when_asked_for():
    config = body(replace(PLAIN, network=True))
    assert (config["HostConfig"]["NetworkMode"], config["NetworkDisabled"]) == ("bridge", False)


@pytest.mark.parametrize(
    ("relaxed", "key", "value"),
    [
        ("writable_root", "ReadonlyRootfs", False),
        ("capabilities", "CapDrop", []),
        ("default_seccomp", "SecurityOpt", ["no-new-privileges:true"]),
        ("network", "NetworkMode", "bridge"),
    ],
)
def test_a_relaxation_changes_its_own_setting_and_no_other(relaxed, key, value):
    host, usual = body(replace(PLAIN, relaxed=frozenset({relaxed})))["HostConfig"], body()["HostConfig"]
    assert host.pop(key) == value
    usual.pop(key)
    assert host == usual


def test_mounts_are_read_only_unless_said_and_never_shared():
    mounts = (Mount(source=Path("/a"), target="/x"), Mount(source=Path("/b"), target="/tmp", writable=True))
    host = body(replace(PLAIN, mounts=mounts))["HostConfig"]
    assert [(one["Target"], one["ReadOnly"]) for one in host["Mounts"]] == [("/x", True), ("/tmp", False)]
    assert {one["BindOptions"]["Propagation"] for one in host["Mounts"]} == {"rprivate"}
    assert set(host["Tmpfs"]) == {"/dev/shm"}


def test_an_images_volumes_become_bounded_unless_we_mount_there():
    around = replace(AROUND, volumes=("/data", "/x"))
    host = body(replace(PLAIN, mounts=(Mount(source=Path("/a"), target="/x"),)), around)["HostConfig"]
    assert set(host["Tmpfs"]) == {"/data", "/tmp", "/dev/shm"}
    assert "size=1048576" in host["Tmpfs"]["/data"]


def test_accelerators_are_asked_for_by_number():
    assert "DeviceRequests" not in body()["HostConfig"]
    (request,) = body(replace(PLAIN, gpus=2))["HostConfig"]["DeviceRequests"]
    assert (request["Count"], request["Capabilities"]) == (2, [["gpu"]])


REFUSED = {
    "io_uring_setup",
    "io_uring_enter",
    "io_uring_register",
    "keyctl",
    "add_key",
    "request_key",
    "ptrace",
    "process_vm_readv",
    "process_vm_writev",
    "userfaultfd",
    "bpf",
    "perf_event_open",
    "mount",
    "umount2",
    "unshare",
    "setns",
    "pivot_root",
    "chroot",
    "kexec_load",
    "init_module",
    "finit_module",
    "open_by_handle_at",
    "reboot",
    "name_to_handle_at",
    "swapon",
    "syslog",
    "acct",
    "settimeofday",
    "clock_settime",
    "quotactl",
    "fanotify_init",
    "fsopen",
    "move_mount",
    "open_tree",
    "personality_any",
    "socketcall",
    "iopl",
    "ioperm",
    "modify_ldt",
    "vhangup",
    "pidfd_getfd",
    "kcmp",
    "lookup_dcookie",
    "mbind",
    "clone3",
}


@pytest.mark.parametrize("machine", ["x86_64", "aarch64", "riscv64", "ppc64le"])
def test_the_filter_names_one_architecture_and_nothing_that_escapes(machine):
    assert seccomp.known(machine)
    profile = json.loads(seccomp.profile(machine))
    assert profile["defaultAction"] == "SCMP_ACT_ERRNO"
    assert len(profile["archMap"]) == 1
    assert profile["archMap"][0]["subArchitectures"] == []
    allowed = {name for rule in profile["syscalls"] if rule["action"] == "SCMP_ACT_ALLOW" for name in rule["names"]}
    assert allowed.isdisjoint(REFUSED)
    assert {"read", "write", "execve", "futex", "mmap", "clone", "socket", "exit_group"} <= allowed


def test_sockets_are_allowed_by_family_and_clones_without_namespaces():
    rules = json.loads(seccomp.profile("x86_64"))["syscalls"]
    families = [rule["args"][0]["value"] for rule in rules if rule["names"] == ["socket"]]
    assert sorted(families) == [1, 2, 10, 16]
    (clone,) = [rule for rule in rules if rule["names"] == ["clone"]]
    assert clone["args"] == [{"index": 0, "value": 0x7E020000, "valueTwo": 0, "op": "SCMP_CMP_MASKED_EQ"}]


def test_foreign_programs_are_let_in_only_when_asked_for():
    profile = json.loads(seccomp.profile("x86_64", foreign_abis=True))
    assert profile["archMap"][0]["subArchitectures"] == ["SCMP_ARCH_X86", "SCMP_ARCH_X32"]


def test_a_machine_without_a_profile_keeps_the_engines_own():
    assert not seccomp.known("s390x")


def test_an_owner_survives_its_label_and_is_alive():
    here = labels.this_process()
    assert labels.parse(here.label()) == here
    assert not labels.is_dead(here, here)


@pytest.mark.parametrize("label", ["", "x", "1,2,3,4", "a,b,c,d,e"])
def test_a_label_of_somebody_else_is_no_owner(label):
    assert labels.parse(label) is None


def test_an_owner_is_dead_when_its_pid_is_gone_or_somebody_elses_now():
    here = labels.this_process()
    gone = subprocess.Popen([sys.executable, "-c", ""])
    gone.wait()
    assert labels.is_dead(replace(here, pid=gone.pid), here)
    assert labels.is_dead(replace(here, started="1"), here)
    assert labels.is_dead(replace(here, boot="another boot"), here)


def test_whom_we_cannot_see_we_do_not_call_dead():
    here = labels.this_process()
    assert not labels.is_dead(replace(here, host="elsewhere", pid=1, started="1"), here)
    assert not labels.is_dead(replace(here, namespace="pid:[1]", pid=999_999, started="1"), here)


def urls(explicit, environment, home):
    return [(one.url, one.chosen) for one in candidates(explicit, environment, home)]


def test_what_somebody_chose_is_the_only_address_tried(tmp_path):
    both = {"DOCKER_HOST": "tcp://h:1", "XDG_RUNTIME_DIR": str(tmp_path)}
    assert urls("unix:///mine", both, tmp_path) == [("unix:///mine", True)]
    assert urls(None, both, tmp_path) == [("tcp://h:1", True)]


def test_the_docker_context_comes_before_the_sockets(tmp_path):
    import hashlib

    meta = tmp_path / ".docker/contexts/meta" / hashlib.sha256(b"far").hexdigest()
    meta.mkdir(parents=True)
    (meta / "meta.json").write_text(json.dumps({"Endpoints": {"docker": {"Host": "tcp://far:2375"}}}))
    (tmp_path / ".docker/config.json").write_text(json.dumps({"currentContext": "far"}))
    assert urls(None, {}, tmp_path) == [("tcp://far:2375", True)]
    assert ("tcp://far:2375", True) not in urls(None, {"DOCKER_CONTEXT": "default"}, tmp_path)


@pytest.mark.parametrize("config", ["{", "[]", '{"currentContext": "lost"}'])
def test_a_broken_docker_configuration_is_passed_over(tmp_path, config):
    (tmp_path / ".docker").mkdir()
    (tmp_path / ".docker/config.json").write_text(config)
    assert all(not chosen for _, chosen in urls(None, {"XDG_RUNTIME_DIR": str(tmp_path)}, tmp_path))


def test_rootless_sockets_come_first(tmp_path):
    with socket.socket(socket.AF_UNIX) as mine:
        mine.bind(str(tmp_path / "docker.sock"))
        found = urls(None, {"XDG_RUNTIME_DIR": str(tmp_path)}, tmp_path)
    assert found[0] == (f"unix://{tmp_path}/docker.sock", False)


@pytest.fixture
def hierarchy(tmp_path):
    """A version 2 hierarchy with counters, as a kernel would show it."""

    def make(group):
        at = tmp_path / group.path
        (at / "cpu.stat").write_text("usage_usec 1500000\nuser_usec 1\n")
        (at / "memory.peak").write_text("4096\n")
        (at / "pids.peak").write_text("3\n")
        (at / "memory.events").write_text("low 0\noom_kill 2\n")

    return tmp_path, make


def test_version_two_counters_are_read(hierarchy):
    root, fill = hierarchy
    groups = cgroup.Groups("v2", root)
    group = groups.make()
    assert group.parent == f"/{group.path}"
    fill(group)
    assert groups.read(group) == cgroup.GroupUsage(cpu_s=1.5, memory_peak_bytes=4096, pids_peak=3, oom_kills=2)


def test_counters_that_a_kernel_lacks_are_unknown_and_not_zero(hierarchy):
    root, _ = hierarchy
    groups = cgroup.Groups("v2", root)
    assert groups.read(groups.make()) == cgroup.GroupUsage()


def test_systemd_is_told_a_slice():
    group = cgroup.Groups("systemd").make()
    assert re.fullmatch(r"agentics-\w+\.slice", group.parent)  # every other "-" would be a slice in between
    assert group.path == f"agentics.slice/{group.parent}"


def test_where_groups_cannot_be_made_nothing_is_measured(tmp_path):
    (tmp_path / "agentics").write_text("in the way")
    assert cgroup.Groups("v2", tmp_path).make() is None


@pytest.fixture
def dead_process(monkeypatch):
    """Calls something as a process that is gone afterwards."""
    here = labels.this_process()

    def call(what):
        with monkeypatch.context() as patched:
            patched.setattr(labels, "this_process", lambda: replace(here, started="1"))
            return what()

    return call


def test_groups_of_the_dead_that_are_empty_are_swept(tmp_path, dead_process):
    groups = cgroup.Groups("v2", tmp_path)
    left, busy = dead_process(groups.make), dead_process(groups.make)
    (tmp_path / busy.path / "child").mkdir()
    assert groups.sweep() == 1
    assert not (tmp_path / left.path).exists()
    assert (tmp_path / busy.path).exists()


def test_a_living_processs_group_is_empty_until_its_container_starts_and_is_not_swept(tmp_path):
    groups = cgroup.Groups("v2", tmp_path)
    ours = groups.make()
    for other in ("lost+found", "1", "1_2_3_4", f"x_{ours.path.partition('_')[2]}"):
        (tmp_path / "agentics" / other).mkdir()
    before = sorted((tmp_path / "agentics").iterdir())
    assert groups.sweep() == 0
    assert sorted((tmp_path / "agentics").iterdir()) == before


@pytest.mark.parametrize("field", ["boot", "namespace", "host"])
def test_a_group_of_another_namespace_or_host_is_left_alone(tmp_path, dead_process, monkeypatch, field):
    groups = cgroup.Groups("v2", tmp_path)
    dead_process(groups.make)
    elsewhere = replace(labels.this_process(), **{field: "another"})
    monkeypatch.setattr(labels, "this_process", lambda: elsewhere)
    assert groups.sweep() == 0


def test_a_place_that_cannot_be_looked_into_holds_no_engine_and_stops_nothing(tmp_path):
    surroundings = {"XDG_RUNTIME_DIR": str(tmp_path / ("x" * 300))}
    assert all(str(tmp_path) not in address.url for address in candidates(None, surroundings, tmp_path))
