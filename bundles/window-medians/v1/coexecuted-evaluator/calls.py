"""Timed calls into another process: its clock, its memory and its word are its own, so none of them is used here."""

import contextlib
import json
import os
import resource
import secrets
import select
import shlex
import signal
import subprocess
import sys
import time
from pathlib import Path

LAUNCHER = "AGENTICS_RUN_AS_SOLUTION"  # set where the platform can run a command as another user
WORKER = Path(__file__).with_name("worker.py").read_text(encoding="utf-8")
MEMORY_BYTES = 256 * 1024 * 1024
MAX_ANSWER_BYTES = 1024 * 1024
END_SECONDS = 10


class Failed(Exception):
    """The called side did not do its part; the text is the reason."""


def launcher() -> list:
    """The command that runs another command as the solution's user; empty where there is none."""
    return shlex.split(os.environ.get(LAUNCHER, ""))


def limit_memory() -> None:
    resource.setrlimit(resource.RLIMIT_AS, (MEMORY_BYTES, MEMORY_BYTES))


@contextlib.contextmanager
def worker(prefix: list, source: Path, directory: Path):
    """A process that serves `source`, behind `prefix`; dead with all its children when the block ends."""
    command = [*prefix, sys.executable, "-I", "-B", "-c", WORKER, str(source)]
    process = subprocess.Popen(
        command,
        cwd=directory,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        bufsize=0,
        start_new_session=True,
        preexec_fn=limit_memory,
    )
    os.set_blocking(process.stdin.fileno(), False)
    os.set_blocking(process.stdout.fileno(), False)
    try:
        yield process
    finally:
        end(process)


def end(process: subprocess.Popen) -> None:
    """A launcher that is asked to end does so when nothing of the solution's user runs any more."""
    process.terminate()
    with contextlib.suppress(subprocess.TimeoutExpired):
        process.wait(timeout=END_SECONDS)
    with contextlib.suppress(ProcessLookupError):
        os.killpg(process.pid, signal.SIGKILL)
    process.wait()
    process.stdout.close()
    with contextlib.suppress(BrokenPipeError):
        process.stdin.close()


def call(process: subprocess.Popen, values: list, window: int, seconds: float) -> tuple:
    """One call: the seconds until the whole answer was here, and its bytes, unread."""
    if select.select([process.stdout], [], [], 0)[0]:
        raise Failed("answered-before-asked" if process.stdout.read(1) else "crashed")
    # Of random length and content: an answer cannot be prepared before its question is known.
    nonce = secrets.token_hex(8 + secrets.randbelow(9)).encode()
    body = json.dumps([values, window]).encode()
    started = time.perf_counter()
    deadline = started + seconds
    send(process, b"%s %d\n%s" % (nonce, len(body), body), deadline)
    answer = receive(process, nonce, deadline)
    return time.perf_counter() - started, answer


def send(process: subprocess.Popen, data: bytes, deadline: float) -> None:
    rest = memoryview(data)
    while rest:
        if not select.select([], [process.stdin], [], max(0.0, deadline - time.perf_counter()))[1]:
            raise Failed("time-limit")
        try:
            rest = rest[process.stdin.write(rest) or 0 :]
        except BrokenPipeError:
            raise Failed("crashed") from None


def receive(process: subprocess.Popen, nonce: bytes, deadline: float) -> bytes:
    received = bytearray()
    while True:
        if not select.select([process.stdout], [], [], max(0.0, deadline - time.perf_counter()))[0]:
            raise Failed("time-limit")
        part = process.stdout.read(1 << 18)
        if not part:
            raise Failed("crashed")
        received += part
        if len(received) > MAX_ANSWER_BYTES:
            raise Failed("too-much-output")
        header, newline, body = bytes(received).partition(b"\n")
        if newline and len(body) >= announced(header, nonce):
            return body


def announced(header: bytes, nonce: bytes) -> int:
    word, _, length = header.partition(b" ")
    if word != nonce or not length.isdigit() or len(length) > 9:
        raise Failed("not-an-answer")
    return int(length)
