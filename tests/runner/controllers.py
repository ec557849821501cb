"""Controllers of a run in a lab, and solutions that answer them or do not."""

from __future__ import annotations

import time
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager

from agentics import config as configuration
from agentics.errors import Refused
from agentics.model.run.control import ControlRequest
from agentics.rundir.files.atomic import utc_now
from agentics.rundir.files.layout import Layout
from agentics.usecases import control_run
from tests.fake_engine import Held, exited
from tests.stages.agents import Agent

COOPERATES = {"integration": {"mine": "sdk_full"}}
PATIENCE_S = 60.0


def until(said):
    """Wait for what another thread does; what it came to."""
    deadline = time.monotonic() + PATIENCE_S
    while not (found := said()):
        assert time.monotonic() < deadline, "it never came"
        time.sleep(0.01)
    return found


def place(lab):
    return Layout(lab.home / "outputs" / "r")


def paused_by(lab, timeout_s=300.0):
    """A pause as a function of no arguments; what it was told instead, where it was refused."""

    def pause():
        try:
            return control_run.pause(lab.home / "outputs" / "r", trial_id=None, label=None, timeout_s=timeout_s)
        except Refused as refused:
            return refused.code

    return pause


def killed_by(lab):
    """A kill as a function of no arguments: the run's id, or what it was told instead."""

    def kill():
        try:
            return control_run.kill(lab.home / "outputs" / "r", configuration.load()).run_id
        except Refused as refused:
            return refused.code

    return kill


def left_by_a_dead_controller(lab, action="pause", operation_id="left"):
    """A request that nobody waits for."""
    request = ControlRequest(
        operation_id=operation_id,
        action=action,
        timeout_s=300.0,
        requested_at=utc_now(),
        requested_by="elsewhere:1",
    )
    place(lab).requests.mkdir(exist_ok=True)
    (place(lab).requests / f"{operation_id}.request.json").write_text(request.model_dump_json())


def answer(lab, operation_id="left"):
    path = place(lab).requests / f"{operation_id}.response.json"
    return lab.read(path) if path.exists() else None


class Mute(Held):
    """A case that never says anything, until it is released. `asked`: what its control file says."""

    def __call__(self, container):
        self.one = Agent(container)
        return super().__call__(container)

    @property
    def asked(self):
        return self.one.asked["action"]


def obedient(container):
    """Leaves a checkpoint and stops when it is asked to, and ends at once when it starts from a checkpoint."""
    one = Agent(container)
    if "AGENTICS_CHECKPOINT_DIR" not in container.env:
        until(lambda: one.asked["action"] == "checkpoint")
        one.checkpoint("half", data="x")
        one.step(0)
        until(lambda: one.asked["action"] == "stop")
        one.step(1)
    return exited()


@contextmanager
def running(lab, *bundles, **more):
    """A run in a thread of its own; what it came to."""
    with ThreadPoolExecutor(max_workers=1) as pool:
        yield pool.submit(lab.run, *bundles, **more)
