# D40, D46: what the kernel would obey, and what it would tell
# ends: passed - -
import glob
import os

import honest

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


def lower():
    with open("/proc/self/oom_score_adj", "w") as file:
        file.write("-1000")
    return "written"


problems = []
for path in WRITTEN:
    problems += honest.refused(path, lambda p=path: write(p))
for path in READ:
    problems += honest.refused(path, lambda p=path: read(p))
problems += honest.refused("a lower oom score", lower)


devices = {"null", "zero", "full", "random", "urandom", "tty", "fd", "stdin", "stdout", "stderr", "ptmx", "pts", "shm"}
problems += [f"/dev/{name}" for name in os.listdir("/dev") if name not in devices | {"mqueue", "core", "console"}]
honest.answer_unless(problems)
