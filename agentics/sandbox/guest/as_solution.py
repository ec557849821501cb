"""The launcher: `as_solution.py SOCKET COMMAND...` runs the command as the solution's uid, as if it were run directly.

For evaluators, who find the whole call (words as in a shell) in AGENTICS_RUN_AS_SOLUTION. Passes on its own stdin,
stdout, stderr, environment, working directory and resource limits; ends as the command ended, by exit code or signal.
SIGTERM, SIGINT and SIGHUP end the command first, so that nothing of it runs once this has ended; after a SIGKILL the
supervisor does the same a moment later.
"""

from __future__ import annotations

import json
import os
import resource
import signal
import socket
import struct
import sys
from types import FrameType
from typing import Any, NoReturn

FAILED = 125


def request() -> bytes:
    limits = {name: resource.getrlimit(getattr(resource, name)) for name in dir(resource) if name.startswith("RLIMIT_")}
    message = {"argv": sys.argv[2:], "env": dict(os.environ), "cwd": os.getcwd(), "rlimits": limits}  # noqa: PTH109
    return json.dumps(message).encode()


def let_go_of_streams() -> None:
    """A reader must see the end of the stream when the command closes it, not when this program ends."""
    null = os.open(os.devnull, os.O_RDWR)
    for fd in (0, 1, 2):
        os.dup2(null, fd)


def receive(sock: socket.socket) -> bytes:
    parts: list[bytes] = []
    while True:
        part = sock.recv(65536)
        if not part:
            return b"".join(parts)
        parts.append(part)


def die_of(number: int) -> NoReturn:
    """End as a program does that this signal killed."""
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    if number not in (signal.SIGKILL, signal.SIGSTOP):
        signal.signal(number, signal.SIG_DFL)
    os.kill(os.getpid(), number)
    sys.exit(128 + number)


def run(sock: socket.socket) -> dict[str, Any]:
    """Have the command run, and wait: what the supervisor says of its end."""
    stopped_by: list[int] = []

    def stop(number: int, _: FrameType | None) -> None:
        stopped_by.append(number)
        sock.shutdown(socket.SHUT_WR)

    message = request()
    sock.recv(1)  # from here on the supervisor is told who sends
    socket.send_fds(sock, [struct.pack("!I", len(message))], [0, 1, 2])
    sock.sendall(message)
    for number in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP):
        signal.signal(number, stop)
    own_stderr = os.dup(2)  # for what the supervisor has to say
    let_go_of_streams()
    answer = receive(sock)
    os.dup2(own_stderr, 2)
    if stopped_by:
        die_of(stopped_by[0])
    return dict(json.loads(answer)) if answer else {"error": "the supervisor is gone", "exit_code": FAILED}


def main() -> int:
    if len(sys.argv) < 3:  # noqa: PLR2004 - itself, the socket and a command
        sys.stderr.write("usage: as_solution.py SOCKET COMMAND...\n")
        return FAILED
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as sock:
        try:
            sock.connect(sys.argv[1])
            ended = run(sock)
        except OSError as error:
            ended = {"error": str(error), "exit_code": FAILED}
    if "signal" in ended:
        die_of(int(ended["signal"]))
    if "error" in ended:
        sys.stderr.write(f"agentics: {ended['error']}\n")
    return int(ended["exit_code"])


if __name__ == "__main__":
    sys.exit(main())
