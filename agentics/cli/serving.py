"""Carries out commands for the attack suite, each in a process of its own with limits.

Started as `python -m agentics.cli.serving`. Modules are imported once; each command is a fork. Each line of stdin is a
JSON object: `argv` of the command; `folder`, where it runs; `out` and `err`, the files of its streams; `seconds` and
`bytes` (of address space) at most. The answer on stdout is one, too: `status`, what the command ended with (negative:
the signal); `late`, whether it was killed because it took too long.
"""

from __future__ import annotations

import ctypes
import json
import os
import resource
import select
import signal
import sys
from contextlib import suppress
from typing import Any, NoReturn

from agentics.cli import command_tree, main
from agentics.rundir.integrity import validate as _imported  # noqa: F401 - before the fork, so that each command starts at once

_PR_SET_PDEATHSIG = 1


def serve() -> None:
    """Until stdin ends, or the process that started this one."""
    _die_with_parent()
    command_tree()
    for line in sys.stdin:
        wanted = json.loads(line)
        child = os.fork()
        if child == 0:
            _carry_out(wanted)
        with suppress(OSError):  # the child does the same, and one of the two is first
            os.setpgid(child, child)
        late = not _ends_within(child, wanted["seconds"])
        if late:
            os.killpg(child, signal.SIGKILL)
        _, status = os.waitpid(child, 0)
        answer = {"status": os.waitstatus_to_exitcode(status), "late": late}
        print(json.dumps(answer), flush=True)


def _die_with_parent() -> None:
    ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)


def _ends_within(child: int, seconds: float) -> bool:
    descriptor = os.pidfd_open(child)
    try:
        poll = select.poll()
        poll.register(descriptor, select.POLLIN)
        return bool(poll.poll(seconds * 1000))
    finally:
        os.close(descriptor)


def _carry_out(wanted: dict[str, Any]) -> NoReturn:
    os.setpgid(0, 0)
    _die_with_parent()
    os.dup2(os.open(os.devnull, os.O_RDONLY), 0)
    for number, name in ((1, "out"), (2, "err")):
        os.dup2(os.open(wanted[name], os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), number)
    os.chdir(wanted["folder"])
    resource.setrlimit(resource.RLIMIT_AS, (wanted["bytes"], wanted["bytes"]))
    end_as(wanted["argv"])


def end_as(argv: list[str]) -> NoReturn:
    """Run the command, and end this process with its exit status; 70 where it raises."""
    status = 70
    try:
        main(argv)
        status = 0
    except SystemExit as end:
        status = end.code if isinstance(end.code, int) else int(end.code is not None)
    finally:
        sys.stdout.flush()
        sys.stderr.flush()
        os._exit(status)


if __name__ == "__main__":
    serve()
