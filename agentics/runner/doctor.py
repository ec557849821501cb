"""Examines this machine: everything that an evaluation needs, each as one check with its fix."""

from __future__ import annotations

from typing import TYPE_CHECKING

from agentics.config import Config
from agentics.errors import AgenticsError, EngineMissing
from agentics.runner.machine import open_engine, open_scratch, scratch_root

if TYPE_CHECKING:
    from agentics.sandbox.probe import Check


def examine(config: Config) -> list[Check]:
    """All checks, in the order in which they build on one another. Never raises for what it is there to find."""
    from agentics.sandbox.probe import Check, checks  # noqa: PLC0415 - brings the engine's client, 0.2 s to import

    try:
        with open_scratch(config) as scratch, open_engine(config, scratch) as engine:
            return checks(engine, scratch, scratch_root(config))
    except EngineMissing as error:
        return [Check(name="engine", ok=False, severity="error", detail=error.message, fix=error.hint or "")]
    except AgenticsError as error:
        return [Check(name=error.code, ok=False, severity="error", detail=error.message, fix=error.hint or "")]
