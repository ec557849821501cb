"""An engine that goes away or falls silent while containers run: an EngineError to try again after, never an Exit."""

from __future__ import annotations

import contextlib
import os
import socket
import subprocess
import sys
import threading
from pathlib import Path

import pytest

from agentics.errors import EngineError, EngineMissing
from agentics.sandbox import labels
from agentics.sandbox.docker.engine import connect
from agentics.sandbox.engine import Link
from agentics.sandbox.places import dead, reap
from agentics.sandbox.settings import EngineSettings

pytestmark = pytest.mark.docker


class Proxy:
    """A socket in front of the engine's. `cut` drops every connection, `mute` lets nothing through any more."""

    def __init__(self, path: Path, target: str) -> None:
        self.url = f"unix://{path}"
        self._target = target.removeprefix("unix://").removeprefix("http+unix://")
        self._muted = threading.Event()
        self._pairs: list[socket.socket] = []
        self._made: list[socket.socket] = []
        self._threads: list[threading.Thread] = []
        self._server = socket.socket(socket.AF_UNIX)
        self._server.bind(str(path))
        self._server.listen(64)
        self._spawn(self._accept)

    def cut(self) -> None:
        pairs, self._pairs = self._pairs, []
        for each in pairs:
            with contextlib.suppress(OSError):
                each.shutdown(socket.SHUT_RDWR)

    def mute(self) -> None:
        self._muted.set()

    def close(self) -> None:
        self.cut()
        with contextlib.suppress(OSError):
            self._server.shutdown(socket.SHUT_RDWR)
        for thread in self._threads:
            thread.join(5)
        for each in (self._server, *self._made):
            each.close()

    def _accept(self) -> None:
        with contextlib.suppress(OSError):
            while True:
                near, _ = self._server.accept()
                far = socket.socket(socket.AF_UNIX)
                far.connect(self._target)
                self._pairs += [near, far]
                self._made += [near, far]
                for one, other in ((near, far), (far, near)):
                    self._spawn(self._carry, one, other)

    def _spawn(self, target, *args) -> None:
        self._threads.append(threading.Thread(target=target, args=args, daemon=True))
        self._threads[-1].start()

    def _carry(self, one: socket.socket, other: socket.socket) -> None:
        with contextlib.suppress(OSError):
            while data := one.recv(65536):
                if self._muted.is_set():
                    return
                other.sendall(data)
            other.shutdown(socket.SHUT_WR)


@pytest.fixture
def proxy(engine, tmp_path):
    made = Proxy(tmp_path / "engine.sock", engine.api.host)
    yield made
    made.close()


@pytest.fixture
def behind(proxy, scratch):
    """The engine behind the proxy; calls have ten seconds, so that a silent one is soon found out."""
    with contextlib.ExitStack() as stack:
        found = connect(proxy.url, scratch=scratch.plain(), settings=EngineSettings(api_timeout_s=10))
        stack.callback(found.close)
        yield found


def test_a_dropped_connection_is_an_engine_error_worth_a_retry(behind, proxy, container, engine):
    mine = {"org.agentics.test": "dropped"}
    running = behind.start(container("sleep 60", labels=mine))
    threading.Timer(0.5, proxy.cut).start()
    with pytest.raises(EngineError) as caught:
        running.wait()
    assert caught.value.retryable
    behind.drain()
    assert engine.remove(mine) == 0


def test_a_dropped_connection_ends_a_session_the_same_way(behind, proxy, container, engine):
    mine = {"org.agentics.test": "dropped session"}
    threading.Timer(2.0, proxy.cut).start()
    with pytest.raises(EngineError) as caught:
        behind.run_linked(
            container("sleep 60", stdio="pipe", labels=mine), container("sleep 60", stdio="pipe", labels=mine), Link()
        )
    assert caught.value.retryable
    behind.drain()
    assert engine.remove(mine) == 0


def test_an_engine_that_falls_silent_meets_a_deadline(behind, proxy, container, engine):
    mine = {"org.agentics.test": "silent"}
    behind.probe(container("true", "x").image)
    proxy.mute()
    with pytest.raises(EngineError) as caught:
        behind.start(container("sleep 60", labels=mine))
    assert caught.value.code == "engine_timeout"
    assert caught.value.retryable
    proxy.cut()
    engine.remove(mine)


def test_an_engine_that_is_not_there_is_missing_with_a_hint(tmp_path):
    with pytest.raises(EngineMissing) as caught:
        connect(f"unix://{tmp_path}/nothing.sock", scratch=tmp_path)
    assert "DOCKER_HOST" in (caught.value.hint or "")
    assert "nothing.sock" in caught.value.message


def test_a_socket_without_permission_is_told_from_an_engine_that_is_not_there(tmp_path):
    path = tmp_path / "closed.sock"
    with socket.socket(socket.AF_UNIX) as server:
        server.bind(str(path))
        server.listen(1)
        path.chmod(0)
        with not_root(), pytest.raises(EngineMissing) as caught:
            connect(f"unix://{path}", scratch=tmp_path)
    assert caught.value.code == "engine_forbidden"
    assert "Permission denied" in caught.value.message
    assert "usermod -aG docker" in (caught.value.hint or "")


@contextlib.contextmanager
def not_root():
    """For this process: root may use every socket."""
    own = os.geteuid()
    if own == 0:
        os.seteuid(65534)
    try:
        yield
    finally:
        os.seteuid(own)


def test_something_that_is_no_engine_is_missing_too(tmp_path):
    with socket.socket(socket.AF_UNIX) as server:
        server.bind(str(tmp_path / "other.sock"))
        server.listen(8)

        def answer():
            with contextlib.suppress(OSError):
                while True:
                    near, _ = server.accept()
                    with near, contextlib.suppress(OSError):
                        near.recv(1000)
                        near.sendall(b"SSH-2.0-not-an-engine\r\n")

        thread = threading.Thread(target=answer)
        thread.start()
        with pytest.raises(EngineMissing):
            connect(f"unix://{tmp_path}/other.sock", scratch=tmp_path)
        server.shutdown(socket.SHUT_RDWR)
        thread.join(5)


CRASH = """
import os, sys
from pathlib import Path
from agentics.sandbox.docker.engine import connect
from agentics.sandbox.engine import Container, Limits
from agentics.sandbox.places import Scratch
with Scratch(Path(sys.argv[1])) as scratch:
    engine = connect(scratch=scratch.plain())
    scratch.bounded(1 << 20)
    limits = Limits(timeout_s=60, memory_bytes=64 << 20, cpu_millis=1000, disk_bytes=1 << 20)
    engine.start(Container(role="run", image=sys.argv[2], argv=("sleep", "60"), cwd="/", user="1:1", limits=limits,
                           labels={"org.agentics.test": "crash"}))
    os.kill(os.getpid(), 9)
"""


def test_what_a_killed_process_left_is_found_and_removed_by_the_next(engine, cpu_image, tmp_path):
    ended = subprocess.run([sys.executable, "-c", CRASH, str(tmp_path), cpu_image], check=False)
    assert ended.returncode == -9
    assert len(dead(tmp_path)) == 1
    assert engine.leftovers() >= 1
    assert engine.reap() >= 1
    assert engine.remove({"org.agentics.test": "crash"}) == 0
    assert reap(tmp_path) == 1
    assert list(tmp_path.iterdir()) == []
    assert str(tmp_path) not in Path("/proc/self/mountinfo").read_text()


def test_a_container_that_the_engine_does_not_remove_stops_nobody_and_is_counted(
    engine, cpu_image, tmp_path, monkeypatch
):
    ended = subprocess.run([sys.executable, "-c", CRASH, str(tmp_path), cpu_image], check=False)
    assert ended.returncode == -9

    def refuses(_):
        raise EngineError("device or resource busy", code="engine_refused")

    with monkeypatch.context() as patched:
        patched.setattr(engine.api, "remove", refuses)
        assert engine.reap() == 0
        assert engine.leftovers() >= 1
    assert engine.reap() >= 1
    assert reap(tmp_path) == 1


def test_reaping_spares_the_living(engine, container):
    running = engine.start(container("sleep 60", labels={"org.agentics.test": "alive"}))
    try:
        engine.reap()
        assert len(engine.api.containers({"org.agentics.test": "alive"})) == 1
    finally:
        running.discard()


def test_closing_an_engine_removes_what_was_left_running(scratch, engine, container):
    mine = {"org.agentics.test": "closing"}
    with connect(scratch=scratch.plain()) as second:
        second.start(container("sleep 60", labels=mine))
        second.start(container("sleep 60", labels=mine, stdio="none"), gated=True)
        assert len(engine.api.containers(mine)) == 2
    assert engine.remove(mine) == 0


def test_an_engine_that_is_closed_under_a_waiter_lets_it_go(scratch, container):
    second = connect(scratch=scratch.plain())
    running = second.start(container("sleep 60"))
    told = []

    def wait():
        try:
            told.append(running.wait().ended)
        except EngineError as error:
            told.append(error.code)

    thread = threading.Thread(target=wait)
    thread.start()
    second.close()
    thread.join(30)
    assert len(told) == 1


def test_a_container_carries_its_owner(engine, container):
    running = engine.start(container("sleep 60", labels={"org.agentics.test": "owner"}))
    try:
        (one,) = engine.api.containers({"org.agentics.test": "owner"})
        owner = labels.parse(one["Labels"][labels.OWNER])
        assert owner is not None
        assert owner.pid == os.getpid()
        assert not labels.is_dead(owner, labels.this_process())
    finally:
        running.discard()


def test_nothing_of_many_runs_stays_open_or_mounted(engine, container, scratch):
    def count():
        engine.drain()
        return sum(1 for _ in Path("/proc/self/fd").iterdir()), sum(1 for _ in scratch.path.rglob("*"))

    engine.start(container("echo warm")).wait()
    before = count()
    for _ in range(5):
        engine.start(container("echo x")).wait()
        engine.start(container("echo x", stdio="none"), gated=True).discard()
        engine.run_linked(container("cat", stdio="pipe"), container("echo hi", stdio="pipe"), Link())
    after = count()
    assert after[1] == before[1]
    assert after[0] <= before[0] + 3  # idle connections that the client keeps
