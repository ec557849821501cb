"""Event lines: strict JSON, whole, one writer."""

from __future__ import annotations

import json
import math
import re
import threading
from collections.abc import Mapping
from dataclasses import asdict, is_dataclass
from enum import Enum
from pathlib import Path
from typing import Any

_LOCAL = re.compile(r"\b[\w.]+\.<locals>\.")
_ADDRESS = re.compile(
    r"<(?:bound method |built-in \w+ |function )?([\w.<>]+?)(?: object)?(?: of .*?)? at 0x[0-9a-f]+>+"
)
_LAST = frozenset({"done", "failed"})


class OrderError(Exception):
    """Why an order cannot be carried out, where it was noticed, and how to mend it."""

    def __init__(self, message: str, stage: str, code: str, *, field: str = "", hint: str | None = None) -> None:
        super().__init__(message)
        self.facts = {"stage": stage, "code": code, "message": message, "field": field, "hint": hint}


class Stop:
    """Whether the session was told to stop asking."""

    def __init__(self, folder: Path) -> None:
        self._file = folder / "stop"
        self._seen = False

    def is_set(self) -> bool:
        self._seen = self._seen or self._file.exists()
        return self._seen

    def check(self) -> None:
        """Raises OrderError (stopped)."""
        if self.is_set():
            msg = "told to stop"
            raise OrderError(msg, "generation", "stopped")


class Emitter:
    """Appends lines to a session's events. Thread-safe, and nothing follows the line that ends the order."""

    def __init__(self, path: Path, order: int) -> None:
        self._file = path.open("ab", buffering=0)
        self._order = order
        self._lock = threading.Lock()
        self._ended = False

    def __call__(self, kind: str, **facts: Any) -> None:  # noqa: ANN401 - by kind
        line = json.dumps(plain({"type": kind, "order": self._order, **facts}), ensure_ascii=False, allow_nan=False)
        with self._lock:
            # A request that nobody waits for any more may still be answered.
            if not self._ended:
                self._file.write(line.encode("utf-8", "replace") + b"\n")
            self._ended = self._ended or kind in _LAST

    def close(self) -> None:
        with self._lock:
            self._ended = True
            self._file.close()


def metric_name(name: object) -> str:
    """LightEval puts the parameters of a metric into its name, functions with their address in memory."""
    return without_addresses(str(name))


def names_of(metric: Any) -> list[str]:  # noqa: ANN401 - LightEval's
    """The names that one metric gives values for."""
    names = metric.metric_name if isinstance(metric.metric_name, list) else [metric.metric_name]
    return [metric_name(name) for name in names]


def without_addresses(text: str) -> str:
    """How Python shows functions and objects, without what is another one in every process."""
    return _ADDRESS.sub(r"\1", _LOCAL.sub("", text))


def plain(value: Any) -> Any:  # noqa: ANN401, PLR0911 - whatever LightEval and its plugins hand out
    """As JSON has it: what is not a number is null, arrays are lists, what has no form is its text."""
    if value is None or isinstance(value, bool | str):
        return value
    if isinstance(value, int):
        return int(value)
    if isinstance(value, float):
        return float(value) if math.isfinite(value) else None
    if isinstance(value, Enum):
        return value.value
    if is_dataclass(value) and not isinstance(value, type):
        return plain(asdict(value))
    if isinstance(value, Mapping):
        return {str(key): plain(item) for key, item in value.items()}
    if isinstance(value, list | tuple | set | frozenset):
        return [plain(item) for item in (sorted(value, key=str) if isinstance(value, set | frozenset) else value)]
    if hasattr(value, "tolist"):
        return plain(value.tolist())
    return getattr(value, "__name__", None) or without_addresses(repr(value))
