# D40, D46: what the kernel would obey, and what it would tell
# ends: passed - -
import ctypes
import fcntl
import glob
import os
import struct

import honest

TUNSETIFF = 0x400454CA
WRITTEN = [
    "/proc/sys/kernel/core_pattern",
    "/proc/sys/kernel/modprobe",
    "/proc/sys/vm/drop_caches",
    "/proc/sys/fs/binfmt_misc/register",
    "/proc/sysrq-trigger",
    "/proc/self/uid_map",
    "/sys/kernel/uevent_helper",
    "/sys/power/state",
    "/sys/fs/cgroup/cgroup.procs",
    "/sys/kernel/debug/x",
    *glob.glob("/sys/fs/cgroup/**/release_agent", recursive=True),
    *glob.glob("/sys/fs/cgroup/**/memory*max*", recursive=True),
    *glob.glob("/sys/fs/cgroup/**/memory.limit_in_bytes", recursive=True),
    *glob.glob("/sys/fs/cgroup/**/cgroup.procs", recursive=True),
    *glob.glob("/sys/fs/cgroup/**/devices.allow", recursive=True),
]
READ = [
    "/dev/kmsg",
    "/dev/mem",
    "/dev/kmem",
    "/dev/port",
    "/proc/kcore",
    "/proc/kmsg",
    "/proc/sched_debug",
    "/proc/keys",
]
READ += [
    "/proc/timer_list",
    "/proc/latency_stats",
    "/sys/firmware/dmi/tables/DMI",
    "/proc/acpi/wakeup",
    "/dev/sda",
    "/dev/vda",
]


def write(path):
    descriptor = os.open(path, os.O_WRONLY)
    os.write(descriptor, b"0\n")
    return "written"


def read(path):
    with open(path, "rb") as file:
        data = file.read(64)
    if data:
        return data
    raise OSError


def mounted_by_fuse():
    descriptor = os.open("/dev/fuse", os.O_RDWR)
    options = f"fd={descriptor},rootmode=40000,user_id={os.getuid()},group_id={os.getgid()}".encode()
    if ctypes.CDLL(None).mount(b"fuse", b"/io/tmp", b"fuse", 0, options) != 0:
        raise OSError
    return "mounted"


def interface_made():
    descriptor = os.open("/dev/net/tun", os.O_RDWR)
    fcntl.ioctl(descriptor, TUNSETIFF, struct.pack("16sH14x", b"tun0", 1))
    return "made"


problems = []
for path in WRITTEN:
    problems += honest.refused(path, lambda p=path: write(p))
for path in READ:
    problems += honest.refused(path, lambda p=path: read(p))
# gVisor has a /dev/fuse and a /dev/net of its own. What could be done with them is tried below.
devices = {"null", "zero", "full", "random", "urandom", "tty", "fd", "stdin", "stdout", "stderr", "ptmx", "pts", "shm"}
devices |= {"mqueue", "core", "console", "fuse", "net"}
problems += [f"/dev/{name}" for name in os.listdir("/dev") if name not in devices]
problems += honest.refused("/dev/fuse", mounted_by_fuse)
problems += honest.refused("/dev/net/tun", interface_made)
honest.answer_unless(problems)
