"""The worker's first process: it imports once, forks a child for every session, and says how each ended."""

from __future__ import annotations

import ctypes
import json
import os
import signal
import sys
import time
import traceback
from pathlib import Path

from agentics.lighteval.entry import surroundings
from agentics.lighteval.entry.hiding import first
from agentics.lighteval.entry.session import carry_out_orders

PROTOCOL = 1
_LOOK_S = 0.02
_BEAT_S = 1.0
_PR_SET_PDEATHSIG = 1


class WorkerEnded(Exception):
    """Somebody asked the worker to end, by a signal."""


def main(exchange: Path, *, preload: bool, online: bool) -> int:
    """Serve until `shutdown` appears, the exchange is gone, or whoever started us is."""
    home = exchange / "home"
    home.mkdir(exist_ok=True)
    os.chdir(home)
    surroundings.arrange(home, online=online)
    parent = os.environ.get("AGENTICS_PARENT")
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, _end)
    try:
        if preload:
            surroundings.load()
    except BaseException as error:  # noqa: BLE001 - whoever waits for us has to be told, whatever it is
        _put(exchange / "ready.json", {"error": {"code": "worker_broken", "message": _sentence(error)}})
        return 1
    _put(exchange / "ready.json", {"protocol": PROTOCOL, "pid": os.getpid()})
    children: dict[int, Path] = {}
    try:
        _serve(exchange, children, int(parent) if parent else None)
    except WorkerEnded:
        pass
    finally:
        for pid in children:
            _kill(pid)
    return 0


def _serve(exchange: Path, children: dict[int, Path], parent: int | None) -> None:
    beaten, known = 0.0, set[str]()
    sessions = exchange / "sessions"
    while not (exchange / "shutdown").exists() and sessions.is_dir() and (parent is None or os.getppid() == parent):
        now = time.monotonic()
        if now - beaten > _BEAT_S:
            (exchange / "heartbeat").touch()
            beaten = now
        for folder in sessions.iterdir():
            if folder.name not in known and (folder / "order-1.json").exists():
                known.add(folder.name)
                children[_fork(folder)] = folder
        for pid, folder in children.items():
            if (folder / "kill").exists():
                _kill(pid)
        _reap(children)
        time.sleep(_LOOK_S)


def _fork(folder: Path) -> int:
    parent = os.getpid()
    pid = os.fork()
    if pid:
        return pid
    status = 1
    try:
        _end_with_parent()
        for number in (signal.SIGTERM, signal.SIGINT):
            signal.signal(number, signal.SIG_DFL)
        os.setpgid(0, 0)
        carry_out_orders(folder, parent)
        status = 0
    except BaseException:  # noqa: BLE001 - a child must never go on as its parent
        traceback.print_exc()
    finally:
        sys.stdout.flush()
        sys.stderr.flush()
        os._exit(status)


def _end_with_parent() -> None:
    """Nobody else would end a session that is in the middle of an answer when its worker is killed."""
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)


def _reap(children: dict[int, Path]) -> None:
    while children:
        pid, status = os.waitpid(-1, os.WNOHANG)
        if pid == 0:
            return
        folder = children.pop(pid, None)
        if folder is not None and folder.is_dir():
            _put(folder / "ended.json", {"exit_code": os.waitstatus_to_exitcode(status)})


def _kill(pid: int) -> None:
    """The child and whatever it has started."""
    for target in (-pid, pid):
        try:
            os.kill(target, signal.SIGKILL)
        except ProcessLookupError:
            continue


def _end(*_: object) -> None:
    raise WorkerEnded


def _put(path: Path, value: object) -> None:
    half = path.with_name(f".{path.name}.half")
    half.write_text(json.dumps(value), encoding="utf-8")
    half.chmod(0o644)
    half.rename(path)


def _sentence(error: BaseException) -> str:
    return first(f"{type(error).__name__}: {error}", 2000)
