"""A session: one model with its plugins, carrying out its orders one after the other."""

from __future__ import annotations

import importlib
import json
import os
import sys
import tempfile
import time
import traceback
from collections.abc import Callable
from pathlib import Path
from typing import Any

from agentics.lighteval.entry.emit import Emitter, OrderError, Stop
from agentics.lighteval.entry.hiding import first, last

MOUNTS = "AGENTICS_MOUNTS"
"""Of a worker that is a process: the folder that stands for the root of a container."""

_LOOK_S, _IDLE_LOOK_S = 0.005, 0.1
"""How long to wait before looking for the next order: at first, and after a while without one."""
_KINDS = ("evaluate", "judge", "details", "describe")
_OUT_OF_MEMORY = ("OutOfMemoryError", "MemoryError")


def carry_out_orders(folder: Path, parent: int) -> None:
    """Until an order says that it is the last, or whoever forked us is gone."""
    os.chdir(tempfile.mkdtemp(dir=os.getcwd()))  # noqa: PTH109 - what is written beside us is of this session alone
    sys.path[:] = [place for place in sys.path if place != ""]
    number, look, kept = 1, _LOOK_S, dict[str, Any]()
    while os.getppid() == parent:
        order = _order(folder / f"order-{number}.json")
        if order is None:
            time.sleep(look)
            look = min(look * 1.2, _IDLE_LOOK_S)
            continue
        look = _LOOK_S
        if order["kind"] == "end":
            return
        _carry_out(rooted(order), folder, kept)
        number += 1


def rooted(order: dict[str, Any]) -> dict[str, Any]:
    """An order with its folders where they are here: a container has them at their paths, a process below MOUNTS."""
    root = os.environ.get(MOUNTS, "")
    if not root or order["kind"] != "evaluate":
        return order
    backend, params = order["backend"], order["task"]["params"]
    repo = params.get("hf_repo")
    if backend["model_path"]:
        order = {**order, "backend": {**backend, "model_path": root + backend["model_path"]}}
    if isinstance(repo, str) and repo.startswith("/"):
        order = {**order, "task": {**order["task"], "params": {**params, "hf_repo": root + repo}}}
    plugins = [{**plugin, "path": root + plugin["path"]} for plugin in order["plugins"]]
    return {**order, "plugins": plugins}


def _order(path: Path) -> dict[str, Any] | None:
    try:
        order: dict[str, Any] = json.loads(path.read_bytes())
    except FileNotFoundError:
        return None
    return order


def _carry_out(order: dict[str, Any], folder: Path, kept: dict[str, Any]) -> None:
    emit = Emitter(folder / "events.jsonl", order["order"])
    emit("accepted")
    try:
        _run(order["kind"])(order, folder, emit, Stop(folder), kept)
    except BaseException as error:  # noqa: BLE001 - whatever a plugin raises is an answer, not our end
        emit("failed", **_facts(error, kept))
    else:
        emit("done")
    finally:
        emit.close()


def _run(kind: str) -> Callable[..., None]:
    if kind not in _KINDS:
        msg = f"this worker knows no order {kind!r}"
        raise OrderError(msg, "mapping", "unknown_order")
    module = importlib.import_module(f"agentics.lighteval.entry.{kind}")
    run: Callable[..., None] = module.run
    return run


def _facts(error: BaseException, kept: dict[str, Any]) -> dict[str, Any]:
    if isinstance(error, OrderError):
        if error.facts["code"] == "model_failed":
            kept.clear()
        cause = error.__cause__
        return {**error.facts, "traceback": _trace(cause)} if cause is not None else error.facts
    # A model that ran out of memory may have left anything behind.
    kept.clear()
    memory = type(error).__name__ in _OUT_OF_MEMORY
    return {
        "stage": "internal",
        "code": "out_of_memory" if memory else "worker_error",
        "message": first(f"{type(error).__name__}: {error}", 2000),
        "traceback": _trace(error),
    }


def _trace(error: BaseException) -> str:
    return last("".join(traceback.format_exception(error)), 8000)
