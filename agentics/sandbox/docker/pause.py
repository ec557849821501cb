"""Freezing and thawing all containers of a label: of a linked pair the solution first, and last to go on."""

from __future__ import annotations

from collections.abc import Mapping

from agentics.errors import EngineError
from agentics.sandbox.docker.live import EngineState, Live


def pause(host: EngineState, labels: Mapping[str, str]) -> int:
    """How many containers stand still now that ran before. When it raises EngineError, the pause is not in force."""
    with host.frozen.acting:
        # In force before we look: what starts from here on sees it, and what has started is among those we look at.
        host.frozen.add(labels)
        try:
            return sum(live.freeze() for live in _carrying(host, labels))
        except EngineError:
            host.frozen.drop(labels)
            _thaw(host, labels)
            raise


def unpause(host: EngineState, labels: Mapping[str, str]) -> int:
    """How many containers go on. Raises EngineError after it has tried all; then it can be tried again."""
    with host.frozen.acting:
        host.frozen.drop(labels)
        thawed, errors = _thaw(host, labels)
        if errors:
            raise errors[0]
        return thawed


def _thaw(host: EngineState, labels: Mapping[str, str]) -> tuple[int, list[EngineError]]:
    thawed, errors = 0, []
    for live in reversed(_carrying(host, labels)):
        if host.frozen.holds(live.labels):  # by another pause, of other labels
            continue
        try:
            thawed += live.thaw()
        except EngineError as error:
            errors.append(error)
    return thawed, errors


def _carrying(host: EngineState, labels: Mapping[str, str]) -> list[Live]:
    with host.lock:
        found = [live for live in host.live if labels.items() <= live.labels.items()]
    return sorted(found, key=lambda live: live.turn)
