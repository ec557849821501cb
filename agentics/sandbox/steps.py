"""The long steps of making an image or an environment: a program whose lines are passed on, and word while nothing is
said. It knows no image."""

from __future__ import annotations

import os
import subprocess
import threading
import time
from collections import deque
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager

from agentics.errors import EngineError

Log = Callable[[str], None]

_TAIL_LINES = 15
_SILENCE_S = 5.0


@contextmanager
def step(log: Log, what: str, silence_s: float = _SILENCE_S) -> Iterator[None]:
    """Say what begins, and from then on every `silence_s` that it still goes on."""
    log(what)
    started, over = time.monotonic(), threading.Event()

    def tell() -> None:
        while not over.wait(silence_s):
            log(f"still {what} ({time.monotonic() - started:.0f} s)")

    teller = threading.Thread(target=tell, daemon=True)
    teller.start()
    try:
        yield
    finally:
        over.set()
        teller.join()


def run(argv: Sequence[str], log: Log, *, env: Mapping[str, str] | None = None, hint: str | None = None) -> None:
    """Run a program without input and hand on each line that it says; `env` is added to this process's own.

    Raises EngineError (image_build_failed, with `hint`) with the end of what it said unless it ends with status 0.
    """
    tail: deque[str] = deque(maxlen=_TAIL_LINES)
    with subprocess.Popen(
        argv,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        env={**os.environ, **(env or {})},
        text=True,
        errors="replace",
    ) as process:
        assert process.stdout is not None
        for line in process.stdout:
            log(line.rstrip())
            tail.append(line.rstrip())
    if process.returncode:
        said = "\n".join(tail)
        msg = f"{argv[0]} ended with status {process.returncode}:\n{said}"
        raise EngineError(msg, code="image_build_failed", hint=hint)
