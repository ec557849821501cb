"""Solutions that cooperate, or pretend to: what they write where the fake engine mounted it."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

from agentics.sandbox.engine import Container, Exit
from tests.fake_engine import exited, mounted

AT = "2026-01-01T00:00:00.000000Z"


class Agent:
    """The inside of one container."""

    def __init__(self, container: Container) -> None:
        self.container = container
        self.control = mounted(container, container.env["AGENTICS_CONTROL_PATH"])
        self.events = mounted(container, container.env["AGENTICS_EVENTS_PATH"])
        self.checkpoints = mounted(container, container.env["AGENTICS_CHECKPOINTS_DIR"])
        self.seq = 0

    @property
    def asked(self) -> Any:
        return json.loads(self.control.read_bytes())

    @property
    def version(self) -> str:
        return hashlib.sha256(self.control.read_bytes()).hexdigest()

    def say(self, event_type: str, **facts: Any) -> None:
        with self.events.open("a") as file:
            file.write(json.dumps({"event_type": event_type, "seq": self.seq, **facts}) + "\n")
        self.seq += 1

    def step(self, index: int, **answer: Any) -> None:
        """A whole step; keywords replace what is true in its answer."""
        self.say("agent_step_start", step_index=index)
        self.say("agent_step_end", step_index=index)
        truth = {"control_version": self.version, "action_observed": self.asked["action"]}
        self.say("control_ack", step_index=index, **{**truth, **answer})

    def checkpoint(self, name: str, **files: str | bytes) -> Path:
        folder = self.checkpoints / name
        folder.mkdir()
        for file, text in files.items():
            (folder / file.replace("__", ".")).write_bytes(text if isinstance(text, bytes) else text.encode())
        return folder


def agent(act: Callable[[Agent], None], then: Exit | None = None) -> Callable[[Container], Exit]:
    """A behaviour of the fake engine: `act` is what goes on inside, and outside, while the container is alive."""

    def behave(container: Container) -> Exit:
        act(Agent(container))
        return then or exited()

    return behave
