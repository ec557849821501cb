"""What a program can reach from inside: tried from inside, on the real engine."""

from __future__ import annotations

import pytest

from agentics.sandbox.engine import Mount

pytestmark = pytest.mark.docker

MIB = 1 << 20
CALLS = """
import ctypes, errno, json, os, platform, socket
libc = ctypes.CDLL(None, use_errno=True)
numbers = {
    "x86_64": dict(ptrace=101, process_vm_readv=310, process_vm_writev=311, userfaultfd=323, bpf=321,
        perf_event_open=298, add_key=248, request_key=249, keyctl=250, io_uring_setup=425, mount=165, umount2=166,
        unshare=272, setns=308, pivot_root=155, kexec_load=246, init_module=175, open_by_handle_at=304,
        name_to_handle_at=303, reboot=169, settimeofday=164, swapon=167, syslog=103, fanotify_init=300, chroot=161,
        iopl=172, quotactl=179, acct=163, move_mount=429, fsopen=430, clone3=435),
    "aarch64": dict(ptrace=117, process_vm_readv=270, process_vm_writev=271, userfaultfd=282, bpf=280,
        perf_event_open=241, add_key=217, request_key=218, keyctl=219, io_uring_setup=425, mount=40, umount2=39,
        unshare=97, setns=268, pivot_root=41, clone3=435),
}[platform.machine()]
found = {}
for name, number in numbers.items():
    ctypes.set_errno(0)
    answer = libc.syscall(number, 0, 0, 0, 0, 0)
    found[name] = errno.errorcode.get(ctypes.get_errno(), "done") if answer == -1 else "done"
for name, family, kind in (("vsock", 40, 1), ("alg", 38, 5), ("packet", 17, 3), ("bluetooth", 31, 3),
                           ("unix", 1, 1), ("inet", 2, 1), ("inet6", 10, 1), ("netlink", 16, 3)):
    try:
        socket.socket(family, kind, 0).close()
        found["socket " + name] = "done"
    except OSError as error:
        found["socket " + name] = errno.errorcode.get(error.errno, "?")
clone = {"x86_64": 56, "aarch64": 220}[platform.machine()]
found["clone newuser"] = "done" if libc.syscall(clone, 0x10000000 | 17, 0, 0, 0, 0) > 0 else "EPERM"
print(json.dumps(found))
"""


def test_the_system_calls_of_escapes_are_refused(engine, python, said_json):
    found = said_json(engine.start(python(CALLS)).wait())
    allowed = {name for name, answer in found.items() if answer == "done"}
    assert allowed == {"socket unix", "socket inet", "socket inet6", "socket netlink"}
    assert found.pop("clone3") == "ENOSYS"  # so that libc falls back to clone, whose flags can be looked at
    refused = {answer for name, answer in found.items() if name not in allowed}
    assert refused == {"EPERM"}


def test_thirty_two_bit_calls_kill_or_fail(engine, container, cpu_image, open_dir):
    source = 'int main(void){int r;__asm__ volatile("int $0x80":"=a"(r):"a"(20));return r>0?0:9;}'
    mounts = (Mount(source=open_dir, target="/data", writable=True),)
    build = container(f"uname -m; printf '%s' '{source}' >/data/a.c && gcc -o /data/a /data/a.c", mounts=mounts)
    ended = engine.start(build).wait()
    assert ended.exit_code == 0, ended.log
    if ended.log.startswith(b"x86_64"):
        assert engine.start(container("/data/a", "x", mounts=mounts)).wait().exit_code != 0


STATUS = "grep -E '^(Cap|NoNewPrivs|Seccomp:|Groups)' /proc/self/status; id -u"


def test_no_capability_no_new_privilege_and_a_filter(run):
    said = dict(line.split(":\t") for line in run(STATUS).log.decode().splitlines() if "\t" in line)
    assert {said[name] for name in ("CapInh", "CapPrm", "CapEff", "CapBnd", "CapAmb")} == {"0" * 16}
    assert (said["NoNewPrivs"], said["Seccomp"]) == ("1", "2")


def test_a_setuid_program_gains_nothing(engine, run, container, open_dir):
    mounts = (Mount(source=open_dir, target="/data", writable=True),)
    run("cp /usr/bin/id /data/id", mounts=mounts)
    (open_dir / "id").chmod(0o4755)
    assert run("/data/id", "-u", mounts=mounts).log == b"65532\n"


NETWORK = """
import pathlib, socket
print([name for _, name in socket.if_nameindex()])
server = socket.create_server(("127.0.0.1", 0))
socket.create_connection(server.getsockname())
print("loopback works")
for address in ("169.254.169.254", "172.17.0.1", "8.8.8.8"):
    try: socket.create_connection((address, 80), 2)
    except OSError as error: print(error.errno)
print(len(pathlib.Path("/proc/net/route").read_text().splitlines()))
"""


def test_only_a_loopback_is_there(engine, python):
    ended = engine.start(python(NETWORK)).wait()
    assert ended.log.decode().splitlines() == ["['lo']", "loopback works", "101", "101", "101", "1"]


WRITABLE = """
import json, os
found = {}
for line in open("/proc/self/mounts"):
    _, where, kind, options, *_ = line.split()
    if kind in ("proc", "sysfs", "cgroup", "cgroup2") or not os.path.isdir(where): continue
    try:
        name = os.path.join(where, "probe")
        open(name, "w").close(); os.unlink(name)
        v = os.statvfs(where)
        found[where] = dict(kind=kind, bytes=v.f_blocks * v.f_frsize, inodes=v.f_files, options=options.split(","))
    except OSError: pass
for top in ("/", "/etc", "/usr", "/var/tmp", "/run", "/home", "/root", "/dev", "/var/lock"):
    try: open(top + "/probe", "w").close(); found[top] = "writable"
    except OSError: pass
print(json.dumps(found))
"""


def test_every_writable_place_is_bounded_in_bytes_and_inodes(engine, python, said_json):
    found = said_json(engine.start(python(WRITABLE)).wait())
    assert set(found) == {"/tmp", "/dev/shm", "/dev/mqueue"}
    assert found["/tmp"]["bytes"] == 64 * MIB
    assert 0 < found["/tmp"]["inodes"] <= 65_536
    assert 0 < found["/dev/shm"]["bytes"] <= 64 * MIB
    assert 0 < found["/dev/shm"]["inodes"] <= 4096
    assert {"nosuid", "nodev"} <= set(found["/tmp"]["options"])
    assert "noexec" not in found["/tmp"]["options"]


def test_resource_limits_are_in_force(run):
    said = run("cat /proc/self/limits").log.decode()
    rows = {line[:26].strip(): line[26:].split()[:2] for line in said.splitlines()[1:]}
    assert rows["Max core file size"] == ["0", "0"]
    assert rows["Max open files"] == ["1024", "1024"]
    assert rows["Max file size"] == [str(64 * MIB)] * 2
    assert rows["Max msgqueue size"] == ["819200", "819200"]


def test_open_files_and_processes_are_limited(engine, python):
    text = (
        "import os\nfds = 0\ntry:\n while True: os.dup(1); fds += 1\nexcept OSError: print(fds < 1024)\n"
        "os.closerange(3, 1024)\nimport time\nn = 0\n"
        "try:\n while True:\n  if os.fork() == 0: time.sleep(30)\n  n += 1\n"
        "except OSError: print(n < 64)"
    )
    assert engine.start(python(text, pids=64)).wait().log == b"True\nTrue\n"


def test_programs_in_the_temporary_directory_can_be_run(run):
    assert run("cp /bin/echo /tmp/say && /tmp/say hello").log == b"hello\n"


PRIVATE = (
    "/proc/kcore", "/proc/sysrq-trigger", "/proc/sys/kernel/core_pattern", "/sys/kernel/uevent_helper", "/dev/kmsg",
    "/sys/fs/cgroup/memory/release_agent", "/sys/fs/cgroup/cgroup.procs", "/var/run/docker.sock", "/dev/vda",
    "/run/containerd/containerd.sock", "/dev/mem", "/dev/loop-control", "/dev/fuse", "/proc/scsi/scsi",
)  # fmt: skip


def test_kernel_and_engine_files_are_out_of_reach(run):
    ended = run(f"for f in {' '.join(PRIVATE)}; do (: >>$f) 2>/dev/null && echo write $f; done; echo end")
    assert ended.log == b"end\n"
    reads = "/proc/kcore /proc/timer_list /proc/keys /dev/kmsg /dev/mem /dev/vda /sys/firmware/acpi/tables/DSDT"
    ended = run(f"for f in {reads}; do [ $(head -c1 $f 2>/dev/null | wc -c) = 0 ] || echo read $f; done; echo end")
    assert ended.log == b"end\n"


MACHINES = """
for f in /proc/interrupts /proc/softirqs /proc/partitions /proc/diskstats /proc/cmdline /proc/key-users /proc/locks \\
    /proc/modules /proc/kallsyms /proc/sys/kernel/random/boot_id /proc/swaps /proc/keys /proc/timer_list /proc/iomem \\
    /proc/acpi /proc/scsi; do [ $(head -c1 $f 2>/dev/null | wc -c) = 0 ] || echo read $f; done
for d in /sys/block /sys/class/block /sys/class/dmi /sys/devices/virtual/dmi /sys/firmware /sys/module /proc/acpi \\
    /sys/devices/virtual/powercap; do [ -z "$(ls $d 2>/dev/null)" ] || echo list $d; done
echo end
"""


def test_what_tells_of_the_machine_and_its_other_users_is_empty(run):
    assert run(MACHINES).log == b"end\n"


def test_control_groups_begin_at_the_containers_own(run):
    said = run("cat /proc/self/cgroup; grep ' - cgroup' /proc/self/mountinfo").log.decode().splitlines()
    groups = [line.split(":")[2] for line in said if line.count(":") >= 2 and " - " not in line]
    roots = [line.split()[3] for line in said if " - " in line]
    # Of a hierarchy that counts nothing for it, a container may be outside of its own group.
    assert groups
    assert not any("docker" in each or "agentics" in each for each in groups), groups
    assert set(roots) <= {"/"}


SYNC = """
import ctypes, os
libc = ctypes.CDLL(None, use_errno=True)
number = {"x86_64": (162, 306), "aarch64": (81, 267)}[os.uname().machine]
print([libc.syscall(number[0]), libc.syscall(number[1], os.open("/tmp", os.O_RDONLY))])
descriptor = os.open("/tmp/file", os.O_CREAT | os.O_WRONLY)
os.fsync(descriptor)
print("fsync works")
"""


def test_nobody_writes_out_the_disks_of_others(engine, python):
    assert engine.start(python(SYNC)).wait().log == b"[-1, -1]\nfsync works\n"


def test_no_host_path_tells_a_name(run, scratch, open_dir):
    with_place = scratch.bounded(1 * MIB)
    try:
        said = run("cat /proc/self/mountinfo", mounts=(Mount(source=with_place.path, target="/io", writable=True),)).log
    finally:
        scratch.release(with_place)
    own = [line.split() for line in said.decode().splitlines() if " /io " in line or " /.io " in line]
    assert len(own) == 2
    for fields in own:
        shown = fields[3]
        assert all(len(part) <= 16 and (part in ("d", "") or len(part) == 16) for part in shown.split("/")[-2:]), shown


def test_the_machine_has_no_name_and_the_environment_is_what_was_given(run):
    ended = run("hostname 2>/dev/null || cat /etc/hostname; env | sort", env={"AGENTICS_PHASE": "run"})
    lines = ended.log.decode().splitlines()
    assert lines[0] == "sandbox"
    assert "AGENTICS_PHASE=run" in lines
    assert not any("DOCKER" in line or "TOKEN" in line for line in lines)


@pytest.fixture
def image_with_traps(engine, cpu_image):
    """An image with an entrypoint, a health check, a volume and a root user, committed from a stopped container."""
    client = engine.api.client
    made = client.create_container(cpu_image, ["sh", "-c", "mkdir -p /vol && echo content >/vol/file"], user="0")["Id"]
    client.start(made)
    client.wait(made)
    conf = {
        "Entrypoint": ["/bin/false"],
        "Volumes": {"/vol": {}},
        "User": "0",
        "OnBuild": [],
        "Healthcheck": {"Test": ["CMD", "touch", "/tmp/checked"], "Interval": 1_000_000_000},
    }
    image = client.commit(made, conf=conf)["Id"]
    client.remove_container(made, v=True)
    yield image
    engine.drain()
    client.remove_image(image, force=True)


def test_an_images_entrypoint_user_health_check_and_volumes_have_no_say(engine, container, image_with_traps):
    volumes = len(engine.api.client.volumes()["Volumes"] or [])
    ended = engine.start(
        container("id -u; ls /vol; stat -f -c '%T %b' /vol; stat -c %s /vol; sleep 2; ls /tmp", image=image_with_traps)
    ).wait()
    assert ended.log == b"65532\ntmpfs 16384\n40\n"
    engine.drain()
    assert len(engine.api.client.volumes()["Volumes"] or []) == volumes


def test_each_relaxation_switches_off_its_one_thing(run):
    assert run("touch /etc/x 2>/dev/null || echo refused", relaxed=frozenset({"root_user"})).log == b"refused\n"
    assert run("id -u", relaxed=frozenset({"root_user"})).log == b"0\n"
    assert (
        run(
            "id -u; touch /root/x && echo written", relaxed=frozenset({"root_user", "writable_root", "capabilities"})
        ).log
        == b"0\nwritten\n"
    )
    assert run("grep CapBnd /proc/self/status", relaxed=frozenset({"capabilities"})).log.split()[1] != b"0" * 16
    assert b"Seccomp:\t2" in run("cat /proc/self/status", relaxed=frozenset({"default_seccomp"})).log


def test_capabilities_are_only_those_asked_for(run):
    said = run("grep CapEff /proc/self/status", user="0:0", capabilities=("SETUID", "SETGID", "KILL")).log
    assert int(said.split()[1], 16) == (1 << 5) | (1 << 6) | (1 << 7)


def test_no_host_path_is_writable_through_a_read_only_mount(run, open_dir):
    ended = run("touch /data/x 2>/dev/null || echo refused", mounts=(Mount(source=open_dir, target="/data"),))
    assert ended.log == b"refused\n"
    assert list(open_dir.iterdir()) == []
