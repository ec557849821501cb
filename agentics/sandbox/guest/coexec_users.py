"""The two users of a coexecuted container: how a process becomes one of them, and how all of one's are ended."""

from __future__ import annotations

import contextlib
import ctypes
import os
import resource
import signal
import time
from collections.abc import Iterator
from pathlib import Path

SWEEP_UID = 65533  # a uid that nobody has: while sweeping, the supervisor must not be signalable by the uid it sweeps
SWEEP_ROUNDS = 5000  # of a millisecond: longer than the kernel needs to free a killed process's memory
FORWARDED = (signal.SIGTERM, signal.SIGINT, signal.SIGHUP)
PR_SET_PDEATHSIG, PR_SET_DUMPABLE, PR_SET_NO_NEW_PRIVS = 1, 4, 38
_PR_CAPBSET_READ, _PR_CAPBSET_DROP = 23, 24
_MOST_CAPABILITIES = 64
_KEPT_CAPABILITIES = 0xE0  # KILL, SETGID, SETUID
_CAPABILITY_VERSION = 0x20080522

_libc = ctypes.CDLL(None, use_errno=True)


def prctl(option: int, value: int) -> None:
    if _libc.prctl(option, ctypes.c_ulong(value), 0, 0, 0) != 0:
        raise OSError(ctypes.get_errno(), "prctl")


def give_up_capabilities() -> None:
    """Keep what the supervisor works with, and leave nothing to those that it starts: an empty bounding set, which
    needs CAP_SETPCAP, and nothing inheritable. What is not inheritable is not ambient either. Raises OSError."""
    for number in range(_MOST_CAPABILITIES):
        if _libc.prctl(_PR_CAPBSET_READ, ctypes.c_ulong(number), 0, 0, 0) == 1:
            prctl(_PR_CAPBSET_DROP, number)
    header = (ctypes.c_uint32 * 2)(_CAPABILITY_VERSION, 0)
    sets = (ctypes.c_uint32 * 6)()  # effective, permitted and inheritable: the lower 32 of each, then the upper
    if _libc.capget(header, sets) != 0:
        raise OSError(ctypes.get_errno(), "capget")
    permitted = sets[1] & _KEPT_CAPABILITIES
    if _libc.capset(header, (ctypes.c_uint32 * 6)(permitted, permitted, 0, 0, 0, 0)) != 0:
        raise OSError(ctypes.get_errno(), "capset")


def become(uid: int) -> None:
    """Give up root for good; the last step before a program of that uid runs. The gid has the uid's number."""
    signal.set_wakeup_fd(-1)
    for number in (signal.SIGCHLD, signal.SIGPIPE, *FORWARDED):
        signal.signal(number, signal.SIG_DFL)
    os.setsid()
    os.setgroups([])
    os.setgid(uid)
    os.setuid(uid)
    prctl(PR_SET_NO_NEW_PRIVS, 1)
    # Cleared by a change of uid, so it comes after it.
    prctl(PR_SET_PDEATHSIG, signal.SIGKILL)


class NotApartError(OSError):
    """The kernel lets one user look into another's processes."""


def require_apart() -> None:
    """Raises NotApartError where this user is shown what its parent, who is root, has open: then it could also read and
    write the evaluator's pipes. Linux refuses that; gVisor allows it."""
    try:
        os.listdir(f"/proc/{os.getppid()}/fd")  # noqa: PTH208 - descriptors, not files
    except OSError:
        return
    message = "this kernel does not keep its user out of the evaluator's processes"
    raise NotApartError(message)


def set_limits(limits: dict[str, tuple[int, int]], processes: int) -> None:
    """These resource limits, by their names in `resource`, and never more processes and threads than `processes`: the
    kernel counts them by user, so that what the solution starts leaves the evaluator room to start its own."""
    for name, pair in {"RLIMIT_NPROC": (processes, processes), **limits}.items():
        soft, hard = pair
        wanted = (_at_most(processes, soft), _at_most(processes, hard)) if name == "RLIMIT_NPROC" else pair
        if resource.getrlimit(getattr(resource, name)) != wanted:  # gVisor refuses to set some, even to what they are
            resource.setrlimit(getattr(resource, name), wanted)


def _at_most(most: int, limit: int) -> int:
    return most if limit == resource.RLIM_INFINITY else min(most, limit)


def pipe_of(uid: int) -> tuple[int, int]:
    """A pipe that this uid may open again by its name below /proc, and the other uid may not."""
    os.seteuid(uid)
    try:
        return os.pipe2(os.O_CLOEXEC)
    finally:
        os.seteuid(0)


def kill_all_of(uid: int) -> None:
    """SIGKILL to every process of `uid`.

    The supervisor itself takes the uid for a moment instead of forking: a fork bomb that fills the pid limit can
    neither prevent this nor outrun it, since the kernel signals all of them while no fork can complete. Its real uid
    is one that nobody has and its saved uid stays 0, so nobody can signal it meanwhile and it can come back.
    """
    os.setresuid(SWEEP_UID, uid, 0)
    try:
        with contextlib.suppress(ProcessLookupError):  # there is no other process at all
            os.kill(-1, signal.SIGKILL)
    finally:
        os.setresuid(0, 0, 0)


def tasks_of(uid: int) -> int:
    """How many processes and threads of `uid` live; zombies do not."""
    return sum(_counted(uid))


def _counted(uid: int) -> Iterator[int]:
    """For each process of the container, how many threads of `uid` it has."""
    return (_tasks(name, uid) for name in os.listdir("/proc") if name.isdigit())  # noqa: PTH208 - processes, not files


def _tasks(process: str, uid: int) -> int:
    """Threads of this entry of /proc if it is a process of `uid`; the owner of the entry would not tell."""
    with contextlib.suppress(OSError):
        lines = Path("/proc", process, "status").read_text(encoding="utf-8", errors="replace").splitlines()
        said = dict(line.split(":", 1) for line in lines if ":" in line)
        if str(uid) in said["Uid"].split() and said["State"].split()[0] not in "ZX":
            return int(said.get("Threads", "1"))
    return 0  # gone


def sweep(uid: int) -> bool:
    """Kill the processes of `uid` until none lives; False if some would not go."""
    for _ in range(SWEEP_ROUNDS):
        kill_all_of(uid)  # before looking: who forks while being looked for would be missed
        if not any(_counted(uid)):
            return True
        time.sleep(0.001)
    return False
