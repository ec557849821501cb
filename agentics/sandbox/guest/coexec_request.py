"""What a launcher asks for: one command, and what of its caller's environment the command may have."""

from __future__ import annotations

import array
import json
import os
import socket
import struct
from dataclasses import dataclass

BUFFER = 65536
MOST_DESCRIPTORS = 3  # stdin, stdout, stderr
_CREDENTIALS = struct.Struct("3i")  # pid, uid, gid


@dataclass(frozen=True)
class Request:
    """One command that the evaluator wants run as the solution's uid."""

    argv: tuple[str, ...]
    env: dict[str, str]
    cwd: str
    rlimits: dict[str, tuple[int, int]]


def receive(sock: socket.socket) -> tuple[bytes, list[int], int | None]:
    """The next bytes, the descriptors that came with them, and the uid of who sent them, as the kernel says."""
    room = socket.CMSG_SPACE(MOST_DESCRIPTORS * array.array("i").itemsize) + socket.CMSG_SPACE(_CREDENTIALS.size)
    data, parts, _, _ = sock.recvmsg(BUFFER, room, socket.MSG_CMSG_CLOEXEC)
    fds, uid = array.array("i"), None
    for level, kind, content in parts:
        if (level, kind) == (socket.SOL_SOCKET, socket.SCM_RIGHTS):
            fds.frombytes(content[: len(content) - len(content) % fds.itemsize])
        elif (level, kind) == (socket.SOL_SOCKET, socket.SCM_CREDENTIALS):
            uid = _CREDENTIALS.unpack(content)[1]
    return data, list(fds), uid


def parse(message: bytes, descriptors: int) -> Request:
    """The request in a launcher's message; ValueError where it is none."""
    try:
        raw = json.loads(message)
        env = {str(name): str(value) for name, value in raw["env"].items()}
        rlimits = {str(name): (int(soft), int(hard)) for name, (soft, hard) in raw["rlimits"].items()}
        request = Request(tuple(map(str, raw["argv"])), solution_env(env), str(raw["cwd"]), rlimits)
    except (KeyError, TypeError, AttributeError, RecursionError) as error:
        raise ValueError(repr(error)) from error
    if not request.argv or descriptors != MOST_DESCRIPTORS:
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
