"""The protocol of a cooperative solution, whatever it computes: copy this file into yours.

In a plain evaluation none of the variables is set, and all of this does nothing.
"""

import hashlib
import json
import os
from pathlib import Path
from typing import Any


def _path(variable: str) -> Path | None:
    return Path(os.environ[variable]) if variable in os.environ else None


CONTROL = _path("AGENTICS_CONTROL_PATH")  # what we are asked to do: replaced while we run
BINDINGS = _path("AGENTICS_BINDINGS_PATH")  # what this variant of the solution is to use
EVENTS = _path("AGENTICS_EVENTS_PATH")  # what we say
CHECKPOINTS = _path("AGENTICS_CHECKPOINTS_DIR")  # what we leave to go on from
CHECKPOINT = _path("AGENTICS_CHECKPOINT_DIR")  # what we are to go on from, if we are


def bindings() -> dict[str, Any]:
    return json.loads(BINDINGS.read_text()) if BINDINGS else {}


def restored() -> Any:
    """The progress in the checkpoint that we are to go on from, or None."""
    return json.loads((CHECKPOINT / "progress.json").read_text()) if CHECKPOINT else None


class Steps:
    """Tells of steps, and between two of them does what it is asked."""

    def __init__(self) -> None:
        self.said = 0
        self.answered = ""

    def begin(self, step: int) -> None:
        self._say("agent_step_start", step_index=step)

    def end(self, step: int, progress: Any) -> bool:
        """False: stop here. `progress` is what `restored` will return after a stop or from a checkpoint."""
        if CONTROL is None:
            return True
        self._say("agent_step_end", step_index=step)
        data = CONTROL.read_bytes()
        asked = json.loads(data)
        # The answer names the very bytes that it answers, so nobody takes it for an answer to a later question.
        version, taken = hashlib.sha256(data).hexdigest(), "none"
        if asked["action"] != "continue" and version != self.answered:
            # First the work, then the answer: whoever reads the answer relies on the checkpoint.
            taken = _write_checkpoint(step, asked["label"], progress)
            self.answered = version
        self._say(
            "control_ack",
            step_index=step,
            control_version=version,
            control_seq=asked["seq"],
            action_observed=asked["action"],
            action_taken=taken,
        )
        return asked["action"] != "stop"

    def _say(self, event_type: str, **facts: Any) -> None:
        """One line, appended at once and whole."""
        if EVENTS is not None:
            with EVENTS.open("a") as file:
                file.write(json.dumps({"event_type": event_type, "seq": self.said, **facts}) + "\n")
            self.said += 1


def _write_checkpoint(step: int, label: str | None, progress: Any) -> str:
    """A directory that appears whole: a name with a dot in front is not a checkpoint yet."""
    name = f"step-{step:06d}"
    staging = CHECKPOINTS / f".{name}"
    staging.mkdir()
    (staging / "progress.json").write_text(json.dumps(progress))
    (staging / "checkpoint.json").write_text(json.dumps({"step": step, "label": label}))
    staging.rename(CHECKPOINTS / name)
    return f"wrote {name}"
