"""Users for participant code. The kernel counts inotify instances, message queues, pipe pages and more for each user of
the host: two containers of one user can take them from each other."""

from __future__ import annotations

import os
import random
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

from agentics.errors import EngineError
from agentics.sandbox.filelock import try_lock

PATIENCE_S = 60.0
_LOOK_S = 0.1


@dataclass(frozen=True, kw_only=True)
class Uids:
    """The numbers that containers may have. `locks`: a directory that processes on one host share, with a lock for each
    number in use; None: there is one number, and all containers have it."""

    numbers: range
    locks: Path | None

    @contextmanager
    def lease(self) -> Iterator[int]:
        """A number that no other container on this host has meanwhile, where there are locks.

        Raises EngineError (`no_free_uid`) when none becomes free within a minute, or the locks cannot be used."""
        if self.locks is None:
            yield self.numbers[0]
            return
        try:
            number, held = self._wait(self.locks)
        except OSError as error:
            msg = f"{self.locks}: {error.strerror}"
            raise EngineError(msg, code="no_free_uid", hint="its owner is root", retryable=False) from error
        try:
            yield number
        finally:
            _lock(self.locks, number).unlink(missing_ok=True)
            os.close(held)

    def _wait(self, locks: Path) -> tuple[int, int]:
        deadline = time.monotonic() + PATIENCE_S
        while True:
            # Not the one that was given back last: the kernel may not have freed all of its former container yet.
            for number in random.sample(self.numbers, len(self.numbers)):
                held = try_lock(_lock(locks, number), exclusive=True, create=True)
                if held is not None:
                    return number, held
            if time.monotonic() > deadline:
                msg = f"all users from {self.numbers[0]} to {self.numbers[-1]} are in use by containers"
                hint = "give [sandbox] uids in agentics.toml more numbers"
                raise EngineError(msg, code="no_free_uid", hint=hint, retryable=True)
            time.sleep(_LOOK_S)


def reap(locks: Path) -> None:
    """Remove the locks of processes that are gone."""
    for lock in locks.glob("uid-*.lock"):
        with suppress(OSError):  # another user's
            held = try_lock(lock, exclusive=True)
            if held is not None:
                lock.unlink()
                os.close(held)


def _lock(locks: Path, number: int) -> Path:
    return locks / f"uid-{number}.lock"
