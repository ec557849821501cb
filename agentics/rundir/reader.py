"""A run directory as values. Reads without the lock, takes nothing for granted, changes nothing."""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path
from typing import TypeVar

from pydantic import BaseModel

from agentics.errors import StorageError, UsageError
from agentics.model.evidence import TrialEvidence
from agentics.model.record import Ids
from agentics.model.rundir import (
    InvocationEntry,
    InvocationStarted,
    Manifest,
    RunControl,
    TrialMetadata,
    TrialResult,
    TrialState,
)
from agentics.rundir import ledger, lock
from agentics.rundir.atomic import read_document
from agentics.rundir.held import ENTRIES, Slot
from agentics.rundir.layout import Layout, TrialLayout

M = TypeVar("M", bound=BaseModel)


@dataclass(frozen=True, kw_only=True)
class TrialView:
    """One trial. `result` is that of the newest attempt, None while there is none; `measured` the newest one that has
    metrics, of whichever attempt."""

    ids: Ids
    root: Path
    metadata: TrialMetadata
    state: TrialState | None
    attempts: int
    result: TrialResult | None
    measured: TrialResult | None

    @property
    def slot(self) -> Slot:
        return (self.ids.variant_id, self.ids.task_id, self.ids.repl_idx)


@dataclass(frozen=True, kw_only=True)
class RunView:
    """One run. `held`: a process is working on it now. `damaged`: files that are there and cannot be believed."""

    layout: Layout
    manifest: Manifest
    control: RunControl | None
    trials: tuple[TrialView, ...]
    entries: tuple[InvocationEntry, ...]
    held: bool
    damaged: tuple[str, ...]

    @property
    def variants(self) -> dict[str, str]:
        """Directory -> full name, of every invocation."""
        return {d: n for e in self.entries if isinstance(e, InvocationStarted) for d, n in e.variants.items()}


def read_run(root: Path) -> RunView:
    """Raises UsageError (no_such_run) where there is no run, StorageError where its manifest or ledger is damaged."""
    layout = Layout(Path(os.path.abspath(root)))  # noqa: PTH100 - keeps links as they are
    manifest = read_document(layout.manifest, Manifest)
    if manifest is None:
        msg = f"{root}: no run directory (manifest.json is missing)"
        raise UsageError(msg, code="no_such_run")
    damaged: list[str] = []
    return RunView(
        layout=layout,
        manifest=manifest,
        control=_believed(layout.control, RunControl, damaged),
        trials=_trials(layout, damaged),
        entries=ledger.read(layout.invocations, ENTRIES),
        held=lock.is_held(layout.lock),
        damaged=tuple(damaged),
    )


def read_evidence(trial: TrialView, attempt: int | None = None) -> TrialEvidence | None:
    """What was observed of an attempt, of the newest by default; None where nothing was."""
    number = trial.attempts if attempt is None else attempt
    return read_document(trial.root / "attempts" / str(number) / "evidence.json", TrialEvidence)


def derived_trials(layout: Layout) -> tuple[TrialView, ...]:
    """Forks and replays, forks first. What cannot be read of them is left out."""
    views = (_trial(place, []) for place in layout.derived())
    return tuple(view for view in views if view is not None)


def _trials(layout: Layout, damaged: list[str]) -> tuple[TrialView, ...]:
    places = [place for place in layout.trials.iterdir() if place.is_dir()] if layout.trials.is_dir() else []
    views = (_trial(TrialLayout(place), damaged) for place in sorted(places, key=_number))
    return tuple(view for view in views if view is not None)


def _trial(place: TrialLayout, damaged: list[str]) -> TrialView | None:
    metadata = _believed(place.metadata, TrialMetadata, damaged)
    if metadata is None:
        return None
    last = place.last_attempt()
    state = _believed(place.state, TrialState, damaged)
    results = [_believed(place.attempt(n) / "result.json", TrialResult, damaged) for n in range(1, last + 1)]
    current = results[state.attempt - 1] if state is not None and state.attempt <= last else None
    return TrialView(
        ids=metadata.ids,
        root=place.root,
        metadata=metadata,
        state=state,
        attempts=last,
        result=None if state is not None and state.status == "running" else current,
        measured=next((r for r in reversed(results) if r is not None and r.metrics), None),
    )


def _believed(path: Path, model: type[M], damaged: list[str]) -> M | None:
    try:
        return read_document(path, model)
    except StorageError as e:
        damaged.append(e.message)
        return None


def _number(place: Path) -> tuple[int, str]:
    digits = place.name.removeprefix("trial_")
    return (int(digits) if digits.isdecimal() else 0, place.name)
