"""The supervisor of a coexecuted container: keeps participant code on another uid than the evaluator.

Started as root with no capability but SETUID, SETGID and KILL. Runs the evaluator as one uid, and the commands that it
asks for as the other uid; leaves no process of either behind; ends with the evaluator's exit code. Nothing that a
participant says passes through here. The container's log says which commands could not be started.
"""

from __future__ import annotations

import argparse
import contextlib
import ctypes
import json
import os
import resource
import selectors
import shlex
import signal
import socket
import struct
import sys
import time
from dataclasses import dataclass, field
from pathlib import Path
from typing import NoReturn

LAUNCHER_VARIABLE = "AGENTICS_RUN_AS_SOLUTION"
WORKSPACE = "/workspace"
FAILED = 125  # the supervisor's own failure, as `env` and `docker run` use it
MAX_REQUEST_BYTES = 4 * 1024 * 1024
MAX_CLIENTS = 64
SWEEP_UID = 65533  # a uid that nobody has: while sweeping, the supervisor must not be signalable by the uid it sweeps
SWEEP_ROUNDS = 5000  # of a millisecond: longer than the kernel needs to free a killed process's memory
FORWARDED = (signal.SIGTERM, signal.SIGINT, signal.SIGHUP)
LENGTH = struct.Struct("!I")
PR_SET_PDEATHSIG, PR_SET_DUMPABLE, PR_SET_NO_NEW_PRIVS = 1, 4, 38

_libc = ctypes.CDLL(None, use_errno=True)


@dataclass(frozen=True)
class Request:
    """One command that the evaluator wants run as the solution's uid."""

    argv: tuple[str, ...]
    env: dict[str, str]
    cwd: str
    rlimits: dict[str, tuple[int, int]]


@dataclass(eq=False)
class Client:
    """A connected launcher: first its request arrives, then its command runs until it ends or the launcher goes."""

    sock: socket.socket
    received: bytearray = field(default_factory=bytearray)
    fds: list[int] = field(default_factory=list)
    pid: int = 0
    failure_fd: int = -1


@dataclass
class State:
    evaluator_uid: int
    solution_uid: int
    selector: selectors.BaseSelector
    clients: list[Client] = field(default_factory=list)
    runs: int = 0
    refused: int = 0
    left_behind: bool = False


def prctl(option: int, value: int) -> None:
    if _libc.prctl(option, ctypes.c_ulong(value), 0, 0, 0) != 0:
        raise OSError(ctypes.get_errno(), "prctl")


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


def lives(process: str, uid: int) -> bool:
    """Whether this entry of /proc is a process of `uid` and no zombie; the owner of the entry would not tell."""
    with contextlib.suppress(OSError):
        lines = Path("/proc", process, "status").read_text(encoding="utf-8", errors="replace").splitlines()
        said = dict(line.split(":", 1) for line in lines)
        return str(uid) in said["Uid"].split() and said["State"].split()[0] not in "ZX"
    return False  # gone


def sweep(uid: int) -> bool:
    """Kill the processes of `uid` until none lives; False if some would not go."""
    for _ in range(SWEEP_ROUNDS):
        kill_all_of(uid)  # before looking: who forks while being looked for would be missed
        if not any(lives(name, uid) for name in os.listdir("/proc") if name.isdigit()):  # noqa: PTH208
            return True
        time.sleep(0.001)
    return False


def parse(message: bytes, descriptors: int) -> Request:
    """The request in a launcher's message; ValueError where it is none."""
    try:
        raw = json.loads(message)
        env = {str(name): str(value) for name, value in raw["env"].items()}
        rlimits = {str(name): (int(soft), int(hard)) for name, (soft, hard) in raw["rlimits"].items()}
        request = Request(tuple(map(str, raw["argv"])), solution_env(env), str(raw["cwd"]), rlimits)
    except (KeyError, TypeError, AttributeError, RecursionError) as error:
        raise ValueError(repr(error)) from error
    if not request.argv or descriptors != 3:  # noqa: PLR2004 - stdin, stdout, stderr
        raise ValueError(repr(request))
    return request


def solution_env(env: dict[str, str]) -> dict[str, str]:
    """The evaluator's environment without what the platform says in it: the mode is nobody's business but its own.

    HOME and TMPDIR of the platform lie in /output, which this uid cannot enter.
    """
    kept = {name: value for name, value in env.items() if not name.startswith("AGENTICS_")}
    for name in ("HOME", "TMPDIR"):
        if kept.get(name) == os.environ.get(name):
            kept[name] = "/tmp"  # noqa: S108 - the one place of the container that everybody may write
    return kept


def execute(request: Request, uid: int, fds: list[int]) -> NoReturn:
    """Replace this forked child by the command; OSError or ValueError where that cannot be."""
    prctl(PR_SET_DUMPABLE, 1)  # lost by sweeping; without it a root that is not the host's does not own its /proc/self
    Path("/proc/self/oom_score_adj").write_text("1000", encoding="ascii")  # memory runs out: not the evaluator first
    for target, fd in enumerate(fds):
        os.dup2(fd, target)
    become(uid)
    try:  # evaluators start in /challenge, which this uid cannot enter: who chose no directory means the workspace
        os.chdir(WORKSPACE if request.cwd == os.getcwd() else request.cwd)  # noqa: PTH109
    except OSError:
        os.chdir(WORKSPACE)
    for name, limits in request.rlimits.items():
        resource.setrlimit(getattr(resource, name), limits)
    os.execvpe(request.argv[0], request.argv, request.env)  # noqa: S606 - that is the wish


def start(request: Request, uid: int, fds: list[int]) -> tuple[int, int]:
    """Fork the command: its pid, and a descriptor that tells afterwards why it could not start."""
    reading, writing = os.pipe2(os.O_CLOEXEC | os.O_NONBLOCK)
    pid = os.fork()
    if pid == 0:
        try:
            execute(request, uid, fds)
        except (OSError, ValueError, AttributeError, TypeError, MemoryError) as error:
            text = f"cannot run {request.argv[0]!r} in {os.getcwd()!r} as the solution: {error}"  # noqa: PTH109
            code = 127 if isinstance(error, FileNotFoundError) else 126
            os.write(writing, json.dumps({"error": text[:1000], "exit_code": code}).encode())
        finally:
            os._exit(FAILED)
    os.close(writing)
    return pid, reading


def kill_session(pid: int) -> None:
    """Kill a command and what stayed in its process group. Only before it is reaped: its pid is its own."""
    for kill in (os.kill, os.killpg):
        with contextlib.suppress(ProcessLookupError):
            kill(pid, signal.SIGKILL)


def listen(evaluator_uid: int) -> tuple[socket.socket, str]:
    """A listening socket in a directory that only the evaluator's uid can enter, and its path.

    A child that has become this uid makes both: root without CAP_CHOWN and CAP_DAC_OVERRIDE cannot.
    """
    directory = Path("/tmp") / f".agentics-{os.urandom(8).hex()}"  # noqa: S108
    listener = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    pid = os.fork()
    if pid == 0:
        try:
            become(evaluator_uid)
            directory.mkdir(mode=0o700)
            listener.bind(str(directory / "run"))
            listener.listen(MAX_CLIENTS)
            os._exit(0)
        finally:
            os._exit(FAILED)
    if os.waitpid(pid, 0)[1] != 0:
        message = f"cannot make {directory} as uid {evaluator_uid}"
        raise OSError(message)
    listener.settimeout(0)
    return listener, str(directory / "run")


def accept(state: State, listener: socket.socket) -> None:
    sock, _ = listener.accept()
    _, uid, _ = struct.unpack("3i", sock.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, 12))
    if uid != state.evaluator_uid or len(state.clients) >= MAX_CLIENTS:
        state.refused += 1
        sock.close()
        return
    sock.settimeout(0)
    client = Client(sock)
    state.clients.append(client)
    state.selector.register(sock, selectors.EVENT_READ, lambda: read(state, client))


def read(state: State, client: Client) -> None:
    """Take in what a launcher sent: the request, or the end that means stop."""
    try:
        data, fds, _, _ = socket.recv_fds(client.sock, 65536, 3)
    except BlockingIOError:
        return
    except ConnectionError:
        data, fds = b"", []
    for fd in fds:
        os.set_inheritable(fd, False)  # noqa: FBT003 - recv_fds ignores the flag that would do it
    client.fds += fds
    client.received += data
    if client.pid:  # the launcher went away or asks for the end; it is answered when the command is gone
        state.selector.unregister(client.sock)
        kill_session(client.pid)
    elif not data or len(client.received) > MAX_REQUEST_BYTES or len(client.fds) > 3:  # noqa: PLR2004
        drop(state, client)
    else:
        try_to_start(state, client)


def try_to_start(state: State, client: Client) -> None:
    """Start the command once the whole request is here."""
    length = LENGTH.unpack_from(client.received)[0] if len(client.received) >= LENGTH.size else MAX_REQUEST_BYTES
    if len(client.received) < LENGTH.size + length:
        return
    try:
        request = parse(bytes(client.received[LENGTH.size :]), len(client.fds))
        client.pid, client.failure_fd = start(request, state.solution_uid, client.fds)
        state.runs += 1
    except (OSError, ValueError) as error:
        reply(client, {"error": f"no such request: {error}"[:1000], "exit_code": FAILED})
        drop(state, client)
    while client.fds:
        os.close(client.fds.pop())


def reply(client: Client, answer: dict[str, object]) -> None:
    with contextlib.suppress(OSError):  # perhaps nobody waits for it any more
        client.sock.sendall(json.dumps(answer).encode())
    with contextlib.suppress(OSError):  # evaluators capture what a launcher says, and many throw it away
        os.write(2, f"agentics: {answer['error']}\n".encode() if "error" in answer else b"")


def drop(state: State, client: Client) -> None:
    with contextlib.suppress(KeyError):  # of one that was stopped
        state.selector.unregister(client.sock)
    state.clients.remove(client)
    while client.fds:
        os.close(client.fds.pop())
    client.sock.close()


def finish(state: State, client: Client) -> None:
    """A command ended: kill what it left behind before anybody hears of it."""
    kill_session(client.pid)
    _, status = os.waitpid(client.pid, 0)
    client.pid = 0
    if not any(other.pid for other in state.clients):
        state.left_behind |= not sweep(state.solution_uid)
    told = os.read(client.failure_fd, 4096) if not os.WIFSIGNALED(status) else b""
    os.close(client.failure_fd)
    reply(client, json.loads(told) if told else ending(status))
    drop(state, client)


def ending(status: int) -> dict[str, object]:
    return {"signal": os.WTERMSIG(status)} if os.WIFSIGNALED(status) else {"exit_code": os.WEXITSTATUS(status)}


def has_ended(pid: int) -> bool:
    return os.waitid(os.P_PID, pid, os.WEXITED | os.WNOHANG | os.WNOWAIT) is not None


def start_evaluator(argv: list[str], uid: int, address: str) -> int:
    launcher = [sys.executable, "-I", "-S", str(Path(__file__).with_name("as_solution.py")), address]
    pid = os.fork()
    if pid == 0:
        try:
            become(uid)
            os.execvpe(argv[0], argv, {**os.environ, LAUNCHER_VARIABLE: shlex.join(launcher)})  # noqa: S606
        except OSError as error:
            os.write(2, f"agentics: cannot run the evaluator {argv[0]!r}: {error}\n".encode())
        finally:
            os._exit(127)
    return pid


def serve(state: State, listener: socket.socket, evaluator: int) -> int:
    """Serve launchers until the evaluator ends; its wait status."""
    woken, waker = socket.socketpair()
    for end in (woken, waker):
        end.settimeout(0)
    signal.signal(signal.SIGCHLD, lambda *_: None)
    for number in FORWARDED:
        signal.signal(number, lambda received, _: os.kill(evaluator, received))
    signal.set_wakeup_fd(waker.fileno(), warn_on_full_buffer=False)
    state.selector.register(woken, selectors.EVENT_READ, lambda: woken.recv(4096))
    state.selector.register(listener, selectors.EVENT_READ, lambda: accept(state, listener))
    while True:
        for client in [each for each in state.clients if each.pid and has_ended(each.pid)]:
            finish(state, client)
        if has_ended(evaluator):
            for number in FORWARDED:  # before its pid can be another's
                signal.signal(number, signal.SIG_IGN)
            return os.waitpid(evaluator, 0)[1]
        for key, _ in state.selector.select():
            key.data()


def end_everything(state: State) -> None:
    """After the evaluator: nothing of either uid outlives it."""
    for client in list(state.clients):
        if client.pid:
            kill_session(client.pid)
            os.waitpid(client.pid, 0)
        drop(state, client)
    for uid in (state.solution_uid, state.evaluator_uid):
        state.left_behind |= not sweep(uid)


def write_facts(fd: int, state: State, status: int) -> None:
    counted = {"launcher_used": state.runs > 0, "runs": state.runs, "refused": state.refused}
    facts = {"schema_version": 1, **counted, "left_behind": state.left_behind, "evaluator": ending(status)}
    os.write(fd, json.dumps(facts).encode() + b"\n")


def close_inherited() -> None:
    """Leave stdin, stdout and stderr, and make sure that these three exist: no other file may get their numbers."""
    while os.open(os.devnull, os.O_RDWR) <= 2:  # noqa: PLR2004
        pass
    for name in os.listdir("/proc/self/fd"):  # noqa: PTH208 - descriptors, not files
        if int(name) > 2:  # noqa: PLR2004
            with contextlib.suppress(OSError):  # one of them listed the directory
                os.close(int(name))


def arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description="Run an evaluator, and commands of its choice as another uid.")
    parser.add_argument("--evaluator-uid", type=int, required=True)
    parser.add_argument("--solution-uid", type=int, required=True)
    parser.add_argument("--facts", type=Path, help="a file to make; only root can read it")
    parser.add_argument("evaluator", nargs="+")
    asked = parser.parse_args()
    if len({0, SWEEP_UID, asked.evaluator_uid, asked.solution_uid}) != 4:  # noqa: PLR2004 - all different
        parser.error(f"the two uids must differ from each other, from 0 and from {SWEEP_UID}")
    return asked


def main() -> int:
    asked = arguments()
    close_inherited()
    # Made before anybody else runs, and held: what comes later cannot choose where it leads.
    facts_fd = os.open(asked.facts, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW, 0o600) if asked.facts else -1
    listener, address = listen(asked.evaluator_uid)
    state = State(asked.evaluator_uid, asked.solution_uid, selectors.DefaultSelector())
    evaluator = start_evaluator(asked.evaluator, asked.evaluator_uid, address)
    status = serve(state, listener, evaluator)
    end_everything(state)
    if facts_fd >= 0:
        write_facts(facts_fd, state, status)
    return 128 + os.WTERMSIG(status) if os.WIFSIGNALED(status) else os.WEXITSTATUS(status)


if __name__ == "__main__":
    try:
        code = main()
    except OSError as error:
        sys.stderr.write(f"agentics: the supervisor failed: {error}\n")
        code = FAILED
    sys.exit(code)
