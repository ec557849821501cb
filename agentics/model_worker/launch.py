"""The two ways to start a worker: a container of the image, or a process in an environment of the operator's."""

from __future__ import annotations

import os
import secrets
import shutil
import signal
import subprocess
import threading
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass, field, replace
from importlib import resources
from pathlib import Path
from tempfile import NamedTemporaryFile

from agentics.errors import EngineError
from agentics.lighteval.entry.hiding import NAMES
from agentics.lighteval.exchange import Exchange
from agentics.model_worker.pool import WorkerHost, WorkerNeeds
from agentics.policy.publish.redact import Redactor
from agentics.sandbox.engine import Container, Engine, Exit, Limits, Mount, Running
from agentics.sandbox.network import NetworkAccess
from agentics.sandbox.places import Place, Scratch

WORKER = "org.agentics.worker"
ROLE = "model-worker"
EXCHANGE = "/exchange"
CODE = "/worker"
ALL_GPUS = -1
_MODULE = "agentics.lighteval.entry"
_DISK_BYTES = 64 << 30
_ALIKE = {"PYTHONHASHSEED": "0", "PYTHONDONTWRITEBYTECODE": "1"}
"""The order of sets is not to differ between two runs; and a plugin's folder stays what its digest says."""
_LONG_S = 20 * 86400.0
_GRACE_S = 5.0


def code(dest: Path) -> Path:
    """The worker's own scripts, and no other part of agentics, as a folder to import from."""
    package = dest / "agentics" / "lighteval"
    source = Path(str(resources.files("agentics.lighteval.entry")))
    shutil.copytree(source, package / "entry", ignore=shutil.ignore_patterns("__pycache__"))
    (dest / "agentics" / "__init__.py").touch()
    (package / "__init__.py").touch()
    for path in (dest, *dest.rglob("*")):
        path.chmod(0o755 if path.is_dir() else 0o644)
    return dest


@dataclass(eq=False)
class WorkerContainer:
    """A worker in a container."""

    engine: Engine
    labels: Mapping[str, str]
    exchange: Exchange
    running: Running
    place: Place
    scratch: Scratch
    thread: threading.Thread

    def freeze(self) -> None:
        self.engine.pause(self.labels)

    def thaw(self) -> None:
        self.engine.unpause(self.labels)

    def close(self) -> None:
        self.exchange.shut_down()
        self.thread.join(_GRACE_S)
        if self.thread.is_alive():
            with suppress(EngineError):
                self.engine.remove(self.labels)
            self.thread.join()
        self.exchange.close()
        self.scratch.release(self.place)

    def kill(self) -> None:
        """Whoever removes what carries the run's labels removes this."""


@dataclass(kw_only=True)
class ContainerLauncher:
    """Starts workers in containers of one image, whose id `image` gives or raises EngineError. `gpus`: how many they
    are given; `network`: what those with network get beside it; `runtime`: what runs them, None for the engine's
    default; `redactor`: takes secrets out of what they say."""

    engine: Engine
    scratch: Scratch
    image: Callable[[], str]
    uid: int
    labels: Mapping[str, str]
    gpus: int = 0
    network: NetworkAccess | None = None
    runtime: str | None = None
    redactor: Redactor = field(default_factory=Redactor)

    def start(self, needs: WorkerNeeds) -> WorkerHost:
        needs = _with_hub(needs, self.uid)
        place = self.scratch.bounded(_DISK_BYTES, uid=self.uid)
        labels = {**self.labels, WORKER: secrets.token_hex(4)}
        exchange = Exchange.make(place.path / "exchange", self.redactor)
        running = self.engine.start(self._container(needs, exchange.root, labels))
        ended: list[str] = []
        exchange.gone = lambda: ended[0] if ended else None
        thread = threading.Thread(target=_watch, args=(running, ended, self.redactor), name="worker", daemon=True)
        thread.start()
        return WorkerContainer(self.engine, labels, exchange, running, place, self.scratch, thread)

    def _container(self, needs: WorkerNeeds, exchange: Path, labels: Mapping[str, str]) -> Container:
        facts = self.engine.facts()
        scripts = code(self.scratch.plain())
        folders = [Mount(source=path, target=at, writable=at == needs.hub) for at, path in needs.mounts]
        network = self.network if needs.network else None
        given = network.environment if network else {}
        return Container(
            role=ROLE,
            image=self.image(),
            argv=("python3", "-m", _MODULE, EXCHANGE, *_flags(needs)),
            cwd="/tmp",  # noqa: S108 - a path inside the container
            user=f"{self.uid}:{self.uid}",
            limits=Limits(
                timeout_s=_LONG_S,
                memory_bytes=facts.memory_bytes,
                cpu_millis=facts.cpus * 1000,
                disk_bytes=_DISK_BYTES,
                pids=16384,
                open_files=8192,
                log_bytes=4 << 20,
            ),
            env={**given, "PYTHONPATH": CODE, "HOME": "/tmp", **_ALIKE, **_hub(needs.hub), **_secrets(needs)},  # noqa: S108
            mounts=(
                Mount(source=exchange, target=EXCHANGE, writable=True),
                Mount(source=scripts, target=CODE),
                *folders,
                *(network.mounts if network else ()),
            ),
            labels={**labels, "org.agentics.role": ROLE},
            network=network is not None,
            gpus=self.gpus if needs.preload else 0,
            runtime=self.runtime,
        )


@dataclass(eq=False)
class WorkerProcess:
    """A worker that is a process of this machine, with a process group of its own."""

    exchange: Exchange
    process: subprocess.Popen[bytes]

    def freeze(self) -> None:
        self._signal(signal.SIGSTOP)

    def thaw(self) -> None:
        self._signal(signal.SIGCONT)

    def close(self) -> None:
        self.exchange.shut_down()
        with suppress(subprocess.TimeoutExpired):
            self.process.wait(_GRACE_S)
        self.kill()
        self.process.wait()
        self.exchange.close()

    def kill(self) -> None:
        self._signal(signal.SIGKILL)

    def _signal(self, number: signal.Signals) -> None:
        with suppress(ProcessLookupError):
            os.killpg(self.process.pid, number)


@dataclass(kw_only=True)
class ProcessLauncher:
    """Starts workers with an interpreter in whose environment LightEval is. `network`: the variables that those get
    which use the hub; `redactor` as of containers."""

    python: Path
    scratch: Scratch
    redactor: Redactor = field(default_factory=Redactor)
    inherited: Mapping[str, str] = field(default_factory=dict)
    network: Mapping[str, str] = field(default_factory=dict, repr=False)

    def start(self, needs: WorkerNeeds) -> WorkerHost:
        needs = _with_hub(needs, os.geteuid())
        root, home, mounts = self.scratch.plain(), self.scratch.plain(), self.scratch.plain()
        for target, path in needs.mounts:
            place = mounts / target.lstrip("/")
            place.parent.mkdir(parents=True, exist_ok=True)
            place.symlink_to(path.absolute())
        log = (root / "worker.log").open("wb")
        exchange = Exchange.make(root / "exchange", self.redactor)
        argv = [str(self.python), "-m", _MODULE, str(exchange.root), *_flags(needs)]
        given = {**(self.network if needs.hub is not None else {}), **_hub(needs.hub, str(mounts))}
        own = {"PYTHONPATH": str(code(self.scratch.plain())), "HOME": str(home)}
        env = {**self.inherited, **given, **own, **_secrets(needs)}
        try:
            with log:
                process = subprocess.Popen(
                    argv,
                    cwd=home,
                    env={**env, **_ALIKE, "AGENTICS_PARENT": str(os.getpid()), "AGENTICS_MOUNTS": str(mounts)},
                    stdin=subprocess.DEVNULL,
                    stdout=log,
                    stderr=log,
                    start_new_session=True,
                )
        except OSError as error:
            exchange.close()
            msg = f"{self.python}: {error.strerror}"
            hint = "[lighteval] worker in agentics.toml names the interpreter of a worker's environment"
            raise EngineError(msg, code="worker_missing", retryable=False, hint=hint) from error
        exchange.gone = lambda: _gone(process, root / "worker.log", self.redactor)
        return WorkerProcess(exchange, process)


def _flags(needs: WorkerNeeds) -> tuple[str, ...]:
    return (*(() if needs.preload else ("--no-preload",)), *(("--online",) if needs.network else ()))


def _hub(target: str | None, root: str = "") -> dict[str, str]:
    """The variable by which Hugging Face's packages find their cache."""
    return {} if target is None else {"HF_HOME": f"{root}{target}"}


def _with_hub(needs: WorkerNeeds, uid: int) -> WorkerNeeds:
    """The needs with the cache for the hub that is this user's, made where it is missing. Two users share none: what
    one has written the other cannot change. Raises EngineError (hub_cache_unusable)."""
    if needs.hub is None:
        return needs
    folder = dict(needs.mounts)[needs.hub] / f"uid-{uid}"
    try:
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        if os.geteuid() == 0 and folder.stat().st_uid != uid:
            os.chown(folder, uid, uid)
        with NamedTemporaryFile(dir=folder):
            pass
    except OSError as error:
        msg = f"{folder}: {error.strerror}"
        hint = "[lighteval] hub in agentics.toml names a folder that can be written here"
        raise EngineError(msg, code="hub_cache_unusable", retryable=False, hint=hint) from error
    return replace(needs, mounts=tuple((at, folder if at == needs.hub else path) for at, path in needs.mounts))


def _watch(running: Running, ended: list[str], redactor: Redactor) -> None:
    try:
        ended.append(_how(running.wait(), redactor))
    except BaseException as error:  # whoever waits for the worker must not wait for ever
        ended.append(str(error))
        if not isinstance(error, EngineError):
            raise


def _how(ended: Exit, redactor: Redactor) -> str:
    words = ended.ended.replace("_", " ")
    return f"its container {words} with code {ended.exit_code}{_last_words(ended.log, redactor)}"


def _gone(process: subprocess.Popen[bytes], log: Path, redactor: Redactor) -> str | None:
    code = process.poll()
    return None if code is None else f"its process ended with code {code}{_last_words(log.read_bytes(), redactor)}"


def _last_words(log: bytes, redactor: Redactor) -> str:
    """Cut after secrets are taken out: half a secret is no longer found."""
    tail = redactor.known_bytes(log)[-2000:].decode(errors="replace").strip()
    return f": {tail}" if tail else ""


def _secrets(needs: WorkerNeeds) -> dict[str, str]:
    """With their names: the worker does not score or cut what it is to take out."""
    found = {name: os.environ[name] for name in needs.secrets if name in os.environ}
    return {**found, NAMES: ",".join(found)} if found else {}
