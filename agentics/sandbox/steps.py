"""The long steps of making an image or an environment: how they are told to a person who waits, and how they are
stopped. It knows no image."""

from __future__ import annotations

import os
import signal
import subprocess
import threading
import time
from collections import deque
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from typing import TypeVar

from agentics.errors import EngineError, StopFlag, Stopped

StepLog = Callable[[str], None]
_T = TypeVar("_T")

STILL = "still "
"""How a line begins that only says that a step goes on."""

_TAIL_LINES = 15
_POLL_S = 0.1


def ignore(_: str) -> None:
    """A Log for those who do not want to know."""


@dataclass(frozen=True, kw_only=True)
class Steps:
    """`log` is told what is being done, and every `silence_s` seconds that it still goes on; `output` each line of the
    programs that do it. Everything ends with Stopped soon after `interrupt` is set."""

    log: StepLog
    output: StepLog = ignore
    interrupt: StopFlag = field(default_factory=threading.Event)
    silence_s: float = 5.0

    @contextmanager
    def step(self, what: str) -> Iterator[None]:
        """Tell that a step begins, and until it ends that it goes on."""
        self.log(what)
        started, over = time.monotonic(), threading.Event()

        def tell() -> None:
            while not over.wait(self.silence_s):
                self.log(f"{STILL}{what} ({time.monotonic() - started:.0f} s)")

        teller = threading.Thread(target=tell, daemon=True)
        teller.start()
        try:
            yield
        finally:
            over.set()
            teller.join()

    def run(self, argv: Sequence[str], *, env: Mapping[str, str] | None = None, hint: str | None = None) -> None:
        """Run a program without input; `env` is added to this process's own.

        Raises EngineError (image_build_failed, with `hint`) with the end of what it said unless it ends with status 0,
        and Stopped. Whatever is raised, the program and its children have ended then.
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
            # A group of its own: Ctrl-C reaches this process alone, which then ends the program and its children.
            start_new_session=True,
        ) as process:
            try:
                self.wait_for(lambda: self._read(process, tail))
            finally:
                _end(process)
        if process.returncode:
            said = "\n".join(tail)
            msg = f"{argv[0]} ended with status {process.returncode}:\n{said}"
            raise EngineError(msg, code="image_build_failed", hint=hint)

    def wait_for(self, call: Callable[[], _T]) -> _T:
        """The result of a call that may block for minutes, or what it raised. Raises Stopped as soon as somebody asked:
        the call is then left to end by itself, and this process does not wait for it."""
        results: list[_T] = []
        errors: list[BaseException] = []

        def work() -> None:
            try:
                results.append(call())
            except BaseException as error:  # noqa: BLE001 - raised again below, in the thread that waits
                errors.append(error)

        thread = threading.Thread(target=work, daemon=True)
        thread.start()
        while thread.is_alive():
            self.check()
            thread.join(_POLL_S)
        if errors:
            raise errors[0]
        return results[0]

    def pause(self) -> None:
        """Let a moment pass. Raises Stopped."""
        self.check()
        time.sleep(_POLL_S)

    def check(self) -> None:
        """Raises Stopped when somebody asked to stop."""
        if self.interrupt.is_set():
            msg = "stopped while an image was being made"
            raise Stopped(msg)

    def _read(self, process: subprocess.Popen[str], tail: deque[str]) -> None:
        assert process.stdout is not None
        for line in process.stdout:
            self.output(line.rstrip())
            tail.append(line.rstrip())
        process.wait()


def _end(process: subprocess.Popen[str]) -> None:
    """End the program and its children if it still runs. What it leaves is in a folder that its caller removes."""
    if process.poll() is None:
        with suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)
        process.wait()
