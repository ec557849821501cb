"""Asks solutions that take part in their own control: for a checkpoint, then to stop; and waits for their word."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from contextlib import suppress
from typing import Literal

from agentics.control.active_attempts import ActiveAttempt
from agentics.model.run.control import ControlRequest
from agentics.rundir.files.atomic import utc_now

_LOOK_S = 0.05


class NotCooperating(Exception):
    """A solution did not acknowledge in time."""


class CooperationRequest:
    """One pause, as far as it concerns the attempts that cooperate. `chosen`: those that have a live case to ask.

    `between` is called between two looks at the answers; what it raises ends the asking.
    """

    def __init__(
        self,
        chosen: Mapping[str, ActiveAttempt],
        request: ControlRequest,
        between: Callable[[], None],
        *,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self.request = request
        self.chosen = {name: t for name, t in chosen.items() if t.cooperation is not None and t.cooperation.active}
        self._between = between
        self._clock = clock
        self._deadline = clock() + request.timeout_s
        self.acknowledged: dict[str, bool] = {}
        """By action, whether every case that was asked did answer. False where nobody was there to be asked."""

    @property
    def stopped(self) -> dict[str, ActiveAttempt]:
        """Those of which a case has acknowledged a stop. The others' cases have all ended by themselves."""
        return {name: t for name, t in self.chosen.items() if t.cooperation is not None and t.cooperation.stops}

    def checkpoint(self) -> None:
        """Raises Deaf, OSError when a control file cannot be written, and what `between` raises."""
        self._ask("checkpoint")

    def stop(self) -> None:
        """Raises as `checkpoint` does."""
        self._ask("stop")

    def take_back(self) -> None:
        """Tell all of them to go on, as far as they can be told."""
        for active in self.chosen.values():
            with suppress(OSError):
                self._write(active, "continue")

    def _ask(self, action: Literal["checkpoint", "stop"]) -> None:
        versions = {name: self._write(active, action) for name, active in self.chosen.items()}
        while True:
            silent = {
                (name, alias)
                for name, asked in versions.items()
                for alias in asked.keys() - self._answered(name, action, asked)
            }
            missing = [f"{name} ({alias})" for name, alias in sorted(silent) if self._lives(name, alias)]
            if not missing:
                self.acknowledged[action] = any(versions.values()) and not silent
                return
            if self._clock() >= self._deadline:
                msg = f"no acknowledgement of {action} within {self.request.timeout_s:g} s from {', '.join(missing)}"
                raise NotCooperating(msg)
            time.sleep(_LOOK_S)
            self._between()

    def _write(self, active: ActiveAttempt, action: Literal["continue", "checkpoint", "stop"]) -> dict[str, str]:
        if active.cooperation is None:
            return {}
        return active.cooperation.ask(action, label=self.request.called, requested_by="lab_pause", at=utc_now())

    def _lives(self, name: str, alias: str) -> bool:
        cooperation = self.chosen[name].cooperation
        return cooperation is not None and alias in cooperation.active

    def _answered(self, name: str, action: Literal["checkpoint", "stop"], asked: Mapping[str, str]) -> frozenset[str]:
        cooperation = self.chosen[name].cooperation
        return cooperation.acknowledged(action, asked) if cooperation is not None else frozenset()
