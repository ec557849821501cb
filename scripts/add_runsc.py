"""Adds gVisor's runsc to the runtimes of the Docker on this machine, for the tests that ask for it. Needs root.

add_runsc.py --listed    ends with 0 where the engine has it already, with 1 where not; changes nothing
add_runsc.py             adds it to daemon.json, keeps what is there, and waits until the engine has it
"""

from __future__ import annotations

import json
import os
import shutil
import signal
import sys
import time
from pathlib import Path

from agentics.errors import AgenticsError
from agentics.sandbox.docker.engine import connect_api

NAME = "runsc"
# Without a network of its own gVisor needs no rights on the host's; ptrace works on every machine.
ARGUMENTS = ["--platform=ptrace", "--network=none", "--oci-seccomp"]
FILE = Path("/etc/docker/daemon.json")
PID = Path("/var/run/docker.pid")
WAIT_S = 30


def is_listed() -> bool:
    with connect_api() as api:
        return NAME in (api.info().get("Runtimes") or {})


def with_runsc(settings: str, path: str) -> str:
    """The daemon's settings with the runtime; a runtime of that name stays as it is. Raises ValueError."""
    found = json.loads(settings) if settings.strip() else {}
    runtimes = found.setdefault("runtimes", {})
    runtimes.setdefault(NAME, {"path": path, "runtimeArgs": ARGUMENTS})
    return json.dumps(found, indent=2) + "\n"


def add() -> str | None:
    """Why it could not be added; None when the engine has it."""
    program = shutil.which(NAME)
    if program is None:
        return f"there is no {NAME} on PATH"
    text = FILE.read_text(encoding="utf-8") if FILE.exists() else ""
    fresh = FILE.with_suffix(".new")
    FILE.parent.mkdir(exist_ok=True)
    fresh.write_text(with_runsc(text, program), encoding="utf-8")
    fresh.replace(FILE)
    os.kill(int(PID.read_text(encoding="ascii")), signal.SIGHUP)  # reads its runtimes again, and stops nothing
    deadline = time.monotonic() + WAIT_S
    while not is_listed():
        if time.monotonic() > deadline:
            return f"the engine does not list {NAME} after {WAIT_S} s"
        time.sleep(0.2)
    return None


def main() -> int:
    try:
        if "--listed" in sys.argv[1:]:
            return 0 if is_listed() else 1
        why = None if is_listed() else add()
    except (AgenticsError, OSError, ValueError) as error:
        why = str(error)
    if why is not None:
        print(f"setup: {NAME} was not added to the engine: {why}", file=sys.stderr)
    return int(why is not None)


if __name__ == "__main__":
    sys.exit(main())
