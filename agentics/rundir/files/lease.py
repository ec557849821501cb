"""Leases: who runs the trials of a run, and which controller is at work on it, with a time after which they are stale.

The kernel's lock is what keeps two processes of one host apart. A lease says so to people, and to other hosts that see
the same directory: a lease that has not run out is not taken over, unless its owner is certainly dead.
"""

from __future__ import annotations

import fcntl
import os
import secrets
import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path

from agentics.errors import Refused, StorageError
from agentics.model.run.ledger import EngineLease, OperationLease
from agentics.rundir.files import safe_files
from agentics.rundir.files.atomic import make_directory, read_document, storing, utc_now, write_document
from agentics.rundir.files.layout import Layout

HEARTBEAT_S, ENGINE_TTL_S, OPERATION_TTL_S = 2.0, 6.0, 30.0


@dataclass
class Heartbeat:
    """An engine lease that is kept alive in the background until `stop`."""

    path: Path
    lease: EngineLease
    _over: threading.Event = field(default_factory=threading.Event)
    _thread: threading.Thread | None = None

    def start(self) -> None:
        self._thread = threading.Thread(target=self._beat, name="engine-lease", daemon=True)
        self._thread.start()

    def stop(self) -> None:
        """The lease runs out now: nobody has to wait for it."""
        self._over.set()
        if self._thread is not None:
            self._thread.join()
        with suppress(StorageError):
            self._write(0.0)

    def _beat(self) -> None:
        while not self._over.wait(HEARTBEAT_S):
            # A full disk is found, and said, by whoever writes what matters.
            with suppress(StorageError):
                self._write(ENGINE_TTL_S)

    def _write(self, ttl_s: float) -> None:
        now = utc_now()
        write_document(self.path, self.lease.model_copy(update={"heartbeat_at": now, "expires_at": later(now, ttl_s)}))


def take_engine_lease(layout: Layout, run_id: str, *, force: bool = False) -> Heartbeat:
    """A heartbeat that has begun. For the holder of the run's lock.

    Raises Refused (run_owner_alive) when another host's lease has not run out, unless `force`.
    """
    before = _engine_lease(layout.engine_lease)
    elsewhere = before is not None and before.hostname != socket.gethostname()
    if before is not None and elsewhere and not force and not expired(before.expires_at):
        msg = f"run {run_id} is run by process {before.pid} on {before.hostname}, heard of at {before.heartbeat_at}"
        hint = f"its lease runs out at {before.expires_at}; --force takes it over now"
        raise Refused(msg, code="run_owner_alive", hint=hint)
    now = utc_now()
    lease = EngineLease(
        run_id=run_id,
        owner_id=secrets.token_hex(8),
        pid=os.getpid(),
        hostname=socket.gethostname(),
        started_at=now,
        heartbeat_at=now,
        expires_at=later(now, ENGINE_TTL_S),
        epoch=before.epoch + 1 if before is not None else 1,
    )
    write_document(layout.engine_lease, lease)
    beat = Heartbeat(layout.engine_lease, lease)
    beat.start()
    return beat


@contextmanager
def operating(layout: Layout, operation: str, *, force: bool = False) -> Iterator[OperationLease]:
    """Be the one controller at work on this run. Raises Refused (operation_in_progress)."""
    make_directory(layout.runtime)
    with storing(layout.control_lock):
        descriptor = safe_files.open_file(layout.control_lock, os.O_RDWR | os.O_CREAT)
    try:
        before = _operation_lease(layout.operation_lease)
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise _in_progress(before) from None
        alive = before is not None and before.owner_host != socket.gethostname() and not expired(before.expires_at)
        if alive and not force:
            raise _in_progress(before)
        lease = _new_operation(operation, before)
        write_document(layout.operation_lease, lease)
        try:
            yield lease
        finally:
            over = lease.model_copy(update={"expires_at": utc_now()})
            write_document(layout.operation_lease, over)
    finally:
        os.close(descriptor)


def later(moment: str, seconds: float) -> str:
    then = datetime.fromisoformat(moment) + timedelta(seconds=seconds)
    return then.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%S.%fZ")


def expired(moment: str) -> bool:
    return datetime.fromisoformat(moment) <= datetime.now(UTC)


def _new_operation(operation: str, before: OperationLease | None) -> OperationLease:
    now = utc_now()
    return OperationLease(
        operation_id=secrets.token_hex(8),
        op_type=operation,
        owner_pid=os.getpid(),
        owner_host=socket.gethostname(),
        acquired_at=now,
        expires_at=later(now, OPERATION_TTL_S),
        # Whoever ended in good order let it run out in its own time; a lease still to run was left by a dead one.
        stale_takeover_of=before.operation_id if before is not None and not expired(before.expires_at) else None,
    )


def _in_progress(before: OperationLease | None) -> Refused:
    who = "another controller"
    if before is not None:
        who = f"{before.op_type} by process {before.owner_pid} on {before.owner_host} since {before.acquired_at}"
    return Refused(f"another operation is in progress: {who}", code="operation_in_progress", hint="wait until it ends")


def _engine_lease(path: Path) -> EngineLease | None:
    # A damaged lease holds nobody off: the lock has been taken already.
    with suppress(StorageError):
        return read_document(path, EngineLease)
    return None


def _operation_lease(path: Path) -> OperationLease | None:
    with suppress(StorageError):
        return read_document(path, OperationLease)
    return None
