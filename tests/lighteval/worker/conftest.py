"""A real worker, as a process; what it is given and what it says go through the exchange."""

from __future__ import annotations

import os
import subprocess
import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
from pydantic import BaseModel

from agentics.lighteval.exchange import Exchange, WorkerSession
from agentics.model.job.worker_protocol import Answer, EndOrder, EvaluateOrder, WorkerEvent
from tests.lighteval.environment import PLUGINS, ROOT, tiny_checkpoint, worker_python


@dataclass
class Told:
    """What one order came to."""

    events: list[WorkerEvent]

    def of(self, kind: str) -> list[Any]:
        return [event for event in self.events if event.type == kind]

    def one(self, kind: str) -> Any:
        (found,) = self.of(kind)
        return found

    @property
    def scores(self) -> dict[str, float | None]:
        return {name: metric.value for name, metric in self.one("report").seeds[0].metrics.items()}


@dataclass
class Worker:
    exchange: Exchange
    process: subprocess.Popen[bytes]
    sessions: int = 0
    stop: threading.Event = field(default_factory=threading.Event)

    def session(self) -> WorkerSession:
        self.sessions += 1
        return self.exchange.session(f"s{self.sessions}")

    def ask(
        self, order: dict[str, Any], known: list[BaseModel] | None = None, session: WorkerSession | None = None
    ) -> Told:
        """Give the order to a session of its own, which ends with it, or to one that goes on."""
        asked = session or self.session()
        if known is not None:
            order = {**order, "known": asked.file("known.jsonl", known)}
        try:
            return self.follow(lambda number: EvaluateOrder.model_validate({**order, "order": number}), asked)
        finally:
            if session is None:
                asked.send(lambda number: EndOrder(order=number))

    def follow(self, order: Callable[[int], Any], session: WorkerSession) -> Told:
        return Told([event for batch in session.carry_out(order, self.stop) for event in batch])


def plugin(root: Path, kind: str, module: str, name: str | None = None) -> dict[str, Any]:
    facts = {"name": name or root.name, "version": "1.0.0", "sha256": f"sha256:{'0' * 64}"}
    return {**facts, "type": kind, "path": str(root), "module": module}


QUICK = [plugin(PLUGINS / "quick-tasks", "task", "tasks.py"), plugin(PLUGINS / "quick-model", "model", "model.py")]
LOOKUP = {"type": "custom", "model_name": "acme/lookup", "model_plugin": "quick-model", "model_class": "Lookup"}
SECRETS = {"ACME_KEY": "correct-horse-battery", "AGENTICS_SECRETS": "ACME_KEY"}
NOWHERE = "http://127.0.0.1:9"
"""Where a worker that may use the network looks for a hub: no test asks a real one."""
DUMMY = {"type": "dummy", "model_name": "dummy"}


def evaluate(backend: dict[str, Any], task: str = "quick_capitals", fewshot: int = 0, **more: Any) -> dict[str, Any]:
    params = more.pop("params", {})
    about = {"id": task, "fewshot": fewshot, "params": params, "modules": more.pop("modules", ())}
    return {"kind": "evaluate", "backend": backend, "task": about, "plugins": QUICK, **more}


@pytest.fixture(scope="session")
def worker(tmp_path_factory) -> Iterator[Worker]:
    yield from started(tmp_path_factory.mktemp("worker"), "--online", **SECRETS, HF_ENDPOINT=NOWHERE)


@pytest.fixture(scope="session")
def light(tmp_path_factory) -> Iterator[Worker]:
    """A worker that has not loaded LightEval: for judges, details and what it is like."""
    yield from started(tmp_path_factory.mktemp("light"), "--no-preload", **SECRETS)


def started(root: Path, *flags: str, **env: str) -> Iterator[Worker]:
    own = {"PYTHONPATH": str(ROOT), "PYTHONDONTWRITEBYTECODE": "1", "PYTHONHASHSEED": "0", "HOME": str(root)}
    log = (root / "log").open("wb")
    argv = [str(worker_python()), "-m", "agentics.lighteval.entry", str(root / "exchange"), *flags]
    exchange = Exchange.make(root / "exchange")
    env = {"PATH": os.environ["PATH"], "AGENTICS_PARENT": str(os.getpid()), **own, **env}
    process = subprocess.Popen(argv, env=env, cwd=root, stdout=log, stderr=log)
    exchange.gone = lambda: None if process.poll() is None else (root / "log").read_text(errors="replace")[-2000:]
    exchange.wait_ready(threading.Event())
    yield Worker(exchange, process)
    exchange.shut_down()
    process.wait(20)
    exchange.close()
    log.close()


@pytest.fixture(scope="session")
def tiny(tmp_path_factory) -> Path:
    return tiny_checkpoint(tmp_path_factory.mktemp("tiny"))


@pytest.fixture(scope="session")
def checkpoint(tiny) -> dict[str, Any]:
    options = {"dtype": "float32", "batch_size": 4}
    return {"type": "accelerate", "model_name": "acme/tiny", "model_path": str(tiny), "options": options}


def keys(told: Told) -> list[str]:
    return [answer.key for answer in told.of("answer")]


def asked(told: Told) -> list[Answer]:
    return [answer for answer in told.of("answer") if not answer.known]
