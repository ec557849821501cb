"""Waiting for one container's end in the background, so that a selector can wait for it beside everything else."""

from __future__ import annotations

import os
import threading
import time
from collections.abc import Callable
from contextlib import suppress

from agentics.errors import EngineError


class EndWatch:
    """`fileno()` becomes readable when the container has ended, or when the engine was lost."""

    def __init__(self, block: Callable[[], int]) -> None:
        self._block = block
        self._code: int | None = None
        self._error: EngineError | None = None
        self._ended = threading.Event()
        self._ended_at = 0.0
        self._read, self._write = os.pipe()
        self._lock = threading.Lock()
        self._closed = False
        # A daemon: an engine that never answers must not keep the process from ending.
        threading.Thread(target=self._wait, name="container-watch", daemon=True).start()

    def fileno(self) -> int:
        return self._read

    @property
    def ended(self) -> bool:
        return self._ended.is_set()

    @property
    def ended_at(self) -> float:
        """When we heard of the end, on the monotonic clock; now, if we have not."""
        return self._ended_at if self.ended else time.monotonic()

    @property
    def exit_code(self) -> int:
        """Raises EngineError if the engine was lost on the way."""
        if self._error is not None:
            raise self._error
        if self._code is None:
            msg = "the container has not ended"
            raise EngineError(msg, code="engine_not_ended")
        return self._code

    def join(self, timeout_s: float) -> bool:
        """Wait for the end; whether it came."""
        return self._ended.wait(timeout_s)

    def close(self) -> None:
        with self._lock:
            if not self._closed:
                self._closed = True
                os.close(self._read)
                os.close(self._write)

    def _wait(self) -> None:
        try:
            self._code = self._block()
        except EngineError as error:
            self._error = error
        self._ended_at = time.monotonic()
        self._ended.set()
        with self._lock, suppress(OSError):
            if not self._closed:
                os.write(self._write, b".")
