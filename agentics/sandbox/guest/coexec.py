"""The supervisor of a coexecuted container: keeps participant code on another uid than the evaluator.

Started as root with no capability but SETUID, SETGID, KILL and SETPCAP; gives up the last of them at once, and all of
them for what it starts. Runs the evaluator as one uid, and the commands that it asks for as the other uid; leaves no
process of either behind; ends with the evaluator's exit code. A command that is given the evaluator's own stdout or
stderr gets a stream of its own instead, which is read here and reported. The container's log says which commands could
not be started.
"""

from __future__ import annotations

import argparse
import contextlib
import json
import os
import selectors
import shlex
import signal
import socket
import struct
import sys
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, NoReturn

if TYPE_CHECKING or __package__:
    from agentics.sandbox.guest import coexec_report, coexec_request, coexec_usage, coexec_users
else:  # inside the container these files lie side by side, in no package
    import coexec_report
    import coexec_request
    import coexec_usage
    import coexec_users

LAUNCHER_VARIABLE = "AGENTICS_RUN_AS_SOLUTION"
WORKSPACE = "/workspace"
FAILED = 125  # the supervisor's own failure, as `env` and `docker run` use it
MAX_REQUEST_BYTES = 4 * 1024 * 1024
MAX_CLIENTS = 64
LENGTH = struct.Struct("!I")
LAST = 19  # of what runs beside the evaluator: a fork bomb leaves it some of the processor
BUFFER = 65536
GO = b"\n"  # a launcher speaks after this: what it said before would not say who it is
DRAINED = 32  # buffers: twice what a pipe can be made to hold


@dataclass(eq=False)
class LauncherClient:
    """A connected launcher: first its request arrives, then its command runs until it ends or the launcher goes."""

    sock: socket.socket
    received: bytearray = field(default_factory=bytearray)
    fds: list[int] = field(default_factory=list)
    pid: int = 0
    failure_fd: int = -1
    log_fd: int = -1


@dataclass
class State:
    evaluator_uid: int
    solution_uid: int
    processes: int
    selector: selectors.BaseSelector
    report: coexec_report.Report
    usage: coexec_usage.Watch
    clients: list[LauncherClient] = field(default_factory=list)
    runs: int = 0
    refused: int = 0
    left_behind: bool = False


def execute(request: coexec_request.Request, state: State, fds: list[int]) -> NoReturn:
    """Replace this forked child by the command; OSError or ValueError where that cannot be."""
    coexec_users.prctl(
        coexec_users.PR_SET_DUMPABLE, 1
    )  # lost by sweeping; without it a root that is not the host's does not own its /proc/self
    Path("/proc/self/oom_score_adj").write_text("1000", encoding="ascii")  # memory runs out: not the evaluator first
    for target, fd in enumerate(fds):
        os.dup2(fd, target)
    os.nice(LAST)
    coexec_users.become(state.solution_uid)
    coexec_users.require_apart()
    try:  # evaluators start in /challenge, which this uid cannot enter: who chose no directory means the workspace
        os.chdir(WORKSPACE if request.cwd == os.getcwd() else request.cwd)  # noqa: PTH109
    except OSError:
        os.chdir(WORKSPACE)
    coexec_users.set_limits(request.rlimits, state.processes)
    os.execvpe(request.argv[0], request.argv, request.env)  # noqa: S606 - that is the wish


def start(state: State, client: LauncherClient, request: coexec_request.Request) -> None:
    """Fork the command; `failure_fd` tells afterwards why it could not start."""
    lend_log(state, client)
    reading, writing = os.pipe2(os.O_CLOEXEC | os.O_NONBLOCK)
    pid = os.fork()
    if pid == 0:
        try:
            execute(request, state, client.fds)
        except (OSError, ValueError, AttributeError, TypeError, MemoryError) as error:
            text = f"cannot run {request.argv[0]!r} in {os.getcwd()!r} as the solution: {error}"  # noqa: PTH109
            code = 127 if isinstance(error, FileNotFoundError) else 126
            apart = not isinstance(error, coexec_users.NotApartError)
            answer = {"error": text[:1000], "exit_code": code, "users_apart": apart}
            os.write(writing, json.dumps(answer).encode())
        finally:
            os._exit(FAILED)
    os.close(writing)
    client.pid, client.failure_fd = pid, reading


def lend_log(state: State, client: LauncherClient) -> None:
    """In place of the evaluator's own stdout and stderr, a stream of the solution's that is read here."""
    own = [os.fstat(fd) for fd in (1, 2)]
    taken = [fd for fd in client.fds if any(os.path.samestat(os.fstat(fd), each) for each in own)]
    if not taken:
        return
    client.log_fd, writing = coexec_users.pipe_of(state.solution_uid)
    os.set_blocking(client.log_fd, False)
    state.selector.register(client.log_fd, selectors.EVENT_READ, lambda: read_log(state, client))
    for fd in taken:
        os.dup2(writing, fd, inheritable=False)
    os.close(writing)


def read_log(state: State, client: LauncherClient) -> bool:
    """Take what a command wrote to its log; whether there may be more."""
    if client.log_fd < 0:
        return False
    try:
        data = os.read(client.log_fd, BUFFER)
    except BlockingIOError:
        return False
    state.report.add_log(data)
    if not data:
        close_log(state, client)
    elif state.report.flooded and client.pid:
        tell(f"ended a command that made the solution's log larger than {coexec_report.FLOOD_BYTES} bytes")
        kill_session(client.pid)
    return bool(data)


def drain_log(state: State, client: LauncherClient) -> None:
    """What a command that has ended left in its pipe; a process of another command may hold it and go on."""
    for _ in range(DRAINED):
        if not read_log(state, client):
            return


def close_log(state: State, client: LauncherClient) -> None:
    if client.log_fd >= 0:
        state.selector.unregister(client.log_fd)
        os.close(client.log_fd)
        client.log_fd = -1


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
            coexec_users.become(evaluator_uid)
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
    # gVisor tells of its caller in place of the peer, so what is sent must also say who sent it.
    if uid not in (state.evaluator_uid, os.getuid()) or len(state.clients) >= MAX_CLIENTS:
        state.refused += 1
        sock.close()
        return
    sock.settimeout(0)
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_PASSCRED, 1)
    with contextlib.suppress(OSError):  # it may be gone again
        sock.send(GO)
    client = LauncherClient(sock)
    state.clients.append(client)
    state.selector.register(sock, selectors.EVENT_READ, lambda: read(state, client))


def read(state: State, client: LauncherClient) -> None:
    """Take in what a launcher sent: the request, or the end that means stop."""
    try:
        data, fds, uid = coexec_request.receive(client.sock)
    except BlockingIOError:
        return
    except ConnectionError:
        data, fds, uid = b"", [], None
    client.fds += fds
    client.received += data
    if data and uid != state.evaluator_uid:
        state.refused += 1
        data = b""
    if client.pid:  # the launcher went away or asks for the end; it is answered when the command is gone
        state.selector.unregister(client.sock)
        kill_session(client.pid)
    elif not data or len(client.received) > MAX_REQUEST_BYTES or len(client.fds) > 3:  # noqa: PLR2004
        drop(state, client)
    else:
        try_to_start(state, client)


def try_to_start(state: State, client: LauncherClient) -> None:
    """Start the command once the whole request is here."""
    length = LENGTH.unpack_from(client.received)[0] if len(client.received) >= LENGTH.size else MAX_REQUEST_BYTES
    if len(client.received) < LENGTH.size + length:
        return
    try:
        start(state, client, coexec_request.parse(bytes(client.received[LENGTH.size :]), len(client.fds)))
        state.runs += 1
        state.report.say(runs=state.runs)
    except (OSError, ValueError) as error:
        reply(client, {"error": f"no such request: {error}"[:1000], "exit_code": FAILED})
        drop(state, client)
    while client.fds:
        os.close(client.fds.pop())


def reply(client: LauncherClient, answer: dict[str, object]) -> None:
    with contextlib.suppress(OSError):  # perhaps nobody waits for it any more
        client.sock.sendall(json.dumps(answer).encode())
    if "error" in answer:  # evaluators capture what a launcher says, and many throw it away
        tell(str(answer["error"]))


def tell(text: str) -> None:
    """Say it in the evaluator's log."""
    with contextlib.suppress(OSError):
        os.write(2, f"agentics: {text}\n".encode())


def drop(state: State, client: LauncherClient) -> None:
    with contextlib.suppress(KeyError):  # of one that was stopped
        state.selector.unregister(client.sock)
    state.clients.remove(client)
    close_log(state, client)
    while client.fds:
        os.close(client.fds.pop())
    client.sock.close()


def finish(state: State, client: LauncherClient) -> None:
    """A command ended: kill what it left behind before anybody hears of it."""
    look(state)
    kill_session(client.pid)
    _, status = os.waitpid(client.pid, 0)
    client.pid = 0
    if not any(other.pid for other in state.clients):
        state.left_behind |= not coexec_users.sweep(state.solution_uid)
    drain_log(state, client)
    told = os.read(client.failure_fd, 4096) if not os.WIFSIGNALED(status) else b""
    os.close(client.failure_fd)
    answer = json.loads(told) if told else ending(status)
    if not answer.pop("users_apart", True):
        state.report.say(users_apart=False)
    reply(client, answer)
    drop(state, client)


def look(state: State, *, at_once: bool = False) -> None:
    for use in state.usage.look(at_once=at_once):
        state.report.say(used_up={"resource": use.resource, "used": use.used, "limit": use.limit})


def look_at_processes(state: State) -> None:
    """Where the kernel keeps no count for each user, as many as are allowed can be more than the evaluator bears."""
    tasks = coexec_users.tasks_of(state.solution_uid)
    if 8 * tasks >= 7 * state.processes:  # forks that fail at the same moment count against each other
        state.report.say(used_up={"resource": "processes", "used": tasks, "limit": state.processes})


def ending(status: int) -> dict[str, object]:
    return {"signal": os.WTERMSIG(status)} if os.WIFSIGNALED(status) else {"exit_code": os.WEXITSTATUS(status)}


def has_ended(pid: int) -> bool:
    return os.waitid(os.P_PID, pid, os.WEXITED | os.WNOHANG | os.WNOWAIT) is not None


def start_evaluator(argv: list[str], uid: int, address: str) -> int:
    launcher = [sys.executable, "-I", "-S", str(Path(__file__).with_name("as_solution.py")), address]
    pid = os.fork()
    if pid == 0:
        try:
            coexec_users.become(uid)
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
    for number in coexec_users.FORWARDED:
        signal.signal(number, lambda received, _: os.kill(evaluator, received))
    signal.set_wakeup_fd(waker.fileno(), warn_on_full_buffer=False)
    state.selector.register(woken, selectors.EVENT_READ, lambda: woken.recv(4096))
    state.selector.register(listener, selectors.EVENT_READ, lambda: accept(state, listener))
    while True:
        for client in [each for each in state.clients if each.pid and has_ended(each.pid)]:
            finish(state, client)
        if has_ended(evaluator):
            for number in coexec_users.FORWARDED:  # before its pid can be another's
                signal.signal(number, signal.SIG_IGN)
            signal.set_wakeup_fd(-1)
            return os.waitpid(evaluator, 0)[1]
        running = any(client.pid for client in state.clients)
        for key, _ in state.selector.select(coexec_usage.LOOK_S if running else None):
            key.data()
        if running:
            look(state)


def end_everything(state: State) -> None:
    """After the evaluator: nothing of either uid outlives it."""
    look(state, at_once=True)
    look_at_processes(state)
    for client in list(state.clients):
        if client.pid:
            kill_session(client.pid)
            os.waitpid(client.pid, 0)
            drain_log(state, client)
        drop(state, client)
    for uid in (state.solution_uid, state.evaluator_uid):
        state.left_behind |= not coexec_users.sweep(uid)


def report_end(state: State, status: int) -> None:
    counted = {"runs": state.runs, "refused": state.refused, "log_bytes": state.report.log_bytes}
    state.report.say(**counted, left_behind=state.left_behind, evaluator=ending(status))


def arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description="Run an evaluator, and commands of its choice as another uid.")
    parser.add_argument("--evaluator-uid", type=int, required=True)
    parser.add_argument("--solution-uid", type=int, required=True)
    parser.add_argument("--solution-processes", type=int, required=True, help="and threads, that may be at once")
    parser.add_argument("evaluator", nargs="+")
    asked = parser.parse_args()
    if len({0, coexec_users.SWEEP_UID, asked.evaluator_uid, asked.solution_uid}) != 4:  # noqa: PLR2004 - all different
        parser.error(f"the two uids must differ from each other, from 0 and from {coexec_users.SWEEP_UID}")
    return asked


def main() -> int:
    asked = arguments()
    coexec_report.close_inherited()
    coexec_users.give_up_capabilities()
    listener, address = listen(asked.evaluator_uid)
    state = State(
        asked.evaluator_uid,
        asked.solution_uid,
        asked.solution_processes,
        selectors.DefaultSelector(),
        coexec_report.Report(),
        coexec_usage.Watch(asked.evaluator_uid, asked.solution_uid),
    )
    evaluator = start_evaluator(asked.evaluator, asked.evaluator_uid, address)
    status = serve(state, listener, evaluator)
    end_everything(state)
    report_end(state, status)
    return 128 + os.WTERMSIG(status) if os.WIFSIGNALED(status) else os.WEXITSTATUS(status)


if __name__ == "__main__":
    try:
        code = main()
    except OSError as error:
        sys.stderr.write(f"agentics: the supervisor failed: {error}\n")
        code = FAILED
    sys.exit(code)
