"""Damaged files of trials that a run can do without are set aside: an attempt has the same, or another one is made."""

from __future__ import annotations

from pydantic import BaseModel

from agentics.model.run.directory import Alteration, TrialMetadata, TrialResult, TrialState
from agentics.rundir.files import safe_files
from agentics.rundir.files.atomic import make_directory, storing, write_bytes
from agentics.rundir.files.contents import place_of
from agentics.rundir.files.layout import Layout, TrialLayout
from agentics.rundir.integrity.checks import COPY, parsed

_LOST: dict[str, type[BaseModel]] = {
    "trial_state.json": TrialState,
    "trial_metadata.json": TrialMetadata,
    "result.json": TrialResult,
}
"""Without one of these a trial fills no slot, so its slot is filled again."""


def can_be(layout: Layout, found: Alteration) -> bool:
    """Whether the file is damaged so that nobody can read it, or repeats what an attempt has."""
    path = layout.root / found.path
    if not safe_files.is_file(path) or not found.path.startswith("trials/"):
        return False
    if _source(layout, found.path) is not None:
        return True
    model = _LOST.get(path.name)
    return model is not None and place_of(found.path) is not None and parsed(safe_files.read_file(path), model) is None


def set_aside(layout: Layout, found: tuple[Alteration, ...]) -> bool:
    """Move files to `damaged/`, below their paths; a copy is made again from what it repeats. Whether one was no copy,
    so that its slot is to be filled again."""
    lost = False
    for each in found:
        aside = layout.damaged(each.path)
        make_directory(aside.parent)
        with storing(aside):
            safe_files.move(layout.root / each.path, aside)
        source = _source(layout, each.path)
        if source is not None:
            write_bytes(layout.root / each.path, source)
        lost = lost or source is None
    return lost


def _source(layout: Layout, path: str) -> bytes | None:
    """The record of the newest attempt that a file of a trial repeats."""
    match = COPY.fullmatch(path)
    place = place_of(path)
    if match is None or place is None or place.kind != "copy":
        return None
    trial = TrialLayout(layout.root / match["trial"])
    record = trial.attempt(max(1, trial.last_attempt())) / match["name"]
    return safe_files.read_file(record) if safe_files.is_file(record) else None
