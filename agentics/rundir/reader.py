"""A run directory as values. Reads without the lock, takes nothing for granted, changes nothing."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import TypeVar

from pydantic import BaseModel

from agentics.errors import StorageError, UsageError
from agentics.model.document.record import Ids
from agentics.model.evidence.trial_evidence import TrialEvidence
from agentics.model.run.directory import (
    InvocationEntry,
    InvocationStarted,
    Manifest,
    RunControl,
    TaskSkipped,
    TrialMetadata,
    TrialResult,
    TrialState,
)
from agentics.rundir.files import ledger, lock, safe_files
from agentics.rundir.files.atomic import read_document
from agentics.rundir.files.layout import Layout, TrialLayout
from agentics.rundir.open_run import ENTRIES, SlotKey

M = TypeVar("M", bound=BaseModel)

SLOTS = 1_000_000
"""The most slots of one run: variants x tasks x replications."""


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
    def slot(self) -> SlotKey:
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

    @cached_property
    def by_slot(self) -> dict[SlotKey, TrialView]:
        """The first trial of every slot that has one."""
        return {trial.slot: trial for trial in reversed(self.trials)}

    @cached_property
    def by_task(self) -> dict[tuple[str, str], tuple[TrialView, ...]]:
        """The trials of a variant on a task."""
        found: dict[tuple[str, str], list[TrialView]] = {}
        for trial in self.trials:
            found.setdefault(trial.slot[:2], []).append(trial)
        return {key: tuple(own) for key, own in found.items()}

    @cached_property
    def skips(self) -> dict[SlotKey, TaskSkipped]:
        """The last word on every slot for which no trial was made."""
        return {(e.variant, e.task, e.repl_idx): e for e in self.entries if isinstance(e, TaskSkipped)}


def read_run(root: Path) -> RunView:
    """Raises UsageError (no_such_run) where there is no run, StorageError where its manifest or ledger is damaged."""
    layout = Layout(safe_files.real(root))
    safe_files.check_tree(layout.root)
    manifest = read_document(layout.manifest, Manifest)
    if manifest is None:
        msg = f"{root}: no run directory (manifest.json is missing)"
        raise UsageError(msg, code="no_such_run")
    damaged: list[str] = []
    view = RunView(
        layout=layout,
        manifest=manifest,
        control=_believed(layout.control, RunControl, damaged),
        trials=_trials(layout, damaged),
        entries=ledger.read(layout.invocations, ENTRIES),
        held=lock.is_held(layout.lock),
        damaged=tuple(damaged),
    )
    starts = [entry for entry in view.entries if isinstance(entry, InvocationStarted)]
    for started in starts:
        for variant in started.variants:
            layout.variant(variant)
        check_slots(layout.invocations, sum(map(len, started.requested.values())) * started.replications)
    return view


def check_slots(path: Path, count: int) -> None:
    """Raises StorageError (unsafe_file) where a run is said to have more slots than SLOTS. `path`: what says so."""
    if count > SLOTS:
        raise safe_files.unsafe(path, f"{count} slots, and a run has at most {SLOTS}")


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
    numbers = place.attempt_numbers()
    state = _believed(place.state, TrialState, damaged)
    results = {n: _believed(place.attempt(n) / "result.json", TrialResult, damaged) for n in numbers}
    current = results.get(state.attempt) if state is not None else None
    return TrialView(
        ids=metadata.ids,
        root=place.root,
        metadata=metadata,
        state=state,
        attempts=max(numbers, default=0),
        result=None if state is not None and state.status == "running" else current,
        measured=next((r for r in reversed(results.values()) if r is not None and r.metrics), None),
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
