"""Explanations of trials that did not pass, and the files of their cases that people can open. Both are projections.

The files are copies: a hard link would let an edit of one change the evidence.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any

from agentics.archive.hostile import Manner, walk
from agentics.errors import StorageError
from agentics.model.evidence.explanation import Explanation
from agentics.model.evidence.trial_evidence import TrialEvidence
from agentics.model.run.directory import TrialResult
from agentics.model.run.outcome import RunOutcome
from agentics.policy.verdict.case_files import (
    FILE_BYTES,
    CaseFile,
    CasePlace,
    artifact_path,
    cases_to_explain,
    content,
    placed,
)
from agentics.policy.verdict.explain import ExplainedAttempt, explanation, is_explained, outward
from agentics.rundir.files import safe_files
from agentics.rundir.files.artifacts import ArtifactStore
from agentics.rundir.files.atomic import document_bytes, make_directory, read_document, replace_bytes, storing
from agentics.rundir.files.layout import Layout, TrialLayout
from agentics.rundir.files.names import case_directories
from agentics.rundir.open_run import OpenRun
from agentics.rundir.reader import RunView, TrialView, derived_trials


def rendered(view: RunView) -> dict[str, bytes]:
    """The explanation and the files of every trial that needs them, forks and replays included, by path."""
    made: dict[str, bytes] = {}
    for trial in (*view.trials, *derived_trials(view.layout)):
        made |= _rendered(view.layout, trial.root, trial.result)
    return made


def explained(layout: Layout, trial: TrialView) -> Explanation | None:
    """What the trial's directory says, for the person who holds it; None of one that passed or has no result."""
    attempt = _attempt(layout, trial.root, trial.result)
    return explanation(attempt, ArtifactStore(layout.artifacts)) if attempt is not None else None


def explained_outward(layout: Layout, trial: TrialView) -> Explanation | None:
    """As `explained`, but of an official evaluation only what may be passed on."""
    attempt = _attempt(layout, trial.root, trial.result)
    if attempt is not None and attempt.result.ext.mode == "official":
        return outward(attempt)
    return explained(layout, trial)


def explanations(view: RunView, outcomes: Iterable[RunOutcome]) -> dict[str, dict[str, tuple[Explanation, ...]]]:
    """What may be passed on of why tasks are not passed: by variant and task, an explanation for each trial that is not
    passed. Tasks that are passed, and those without a trial, are left out."""
    found: dict[str, dict[str, tuple[Explanation, ...]]] = {}
    for outcome in outcomes:
        own: dict[str, tuple[Explanation, ...]] = {}
        for trial in view.trials:
            told = None
            if trial.ids.variant_id == outcome.model and trial.ids.task_id in outcome.tasks:
                told = explained_outward(view.layout, trial)
            if told is not None:
                own[trial.ids.task_id] = (*own.get(trial.ids.task_id, ()), told)
        found[outcome.model] = own
    return found


def dumped(told: Mapping[str, Sequence[Explanation]]) -> dict[str, list[dict[str, Any]]]:
    """Explanations as JSON."""
    return {task: [each.model_dump(mode="json") for each in own] for task, own in told.items()}


def write_explanation(run: OpenRun, trial_id: str) -> None:
    """Bring the explanation of one trial up to date. Raises StorageError.

    It is not durable when this returns: whoever ends the invocation syncs all projections.
    """
    place = run.layout.trial(trial_id)
    root = run.layout.root
    made = _rendered(run.layout, place.root, read_document(place.result, TrialResult))
    for path, data in made.items():
        write_part(root, path, data)
    kept = (place.cases / node.path for node in walk(place.cases, Manner(lenient=True)) if not node.is_directory)
    for file in [place.explanation, *kept]:
        if file.relative_to(root).as_posix() not in made:
            remove_part(root, file)


def write_part(root: Path, path: str, data: bytes) -> bool:
    """Write one file of an explanation, unless it is there as it should be; whether it was not."""
    place = root / path
    if safe_files.is_file(place) and safe_files.read_file(place) == data:
        return False
    make_directory(place.parent)
    # Staged in the trial's own directory, where recovery looks for what a killed writer left.
    replace_bytes(place, data, staging=_trial_of(root, place))
    return True


def remove_part(root: Path, file: Path) -> None:
    """Remove a file of an explanation, and the folders that are empty then."""
    with storing(file):
        safe_files.unlink(file)
    trial = _trial_of(root, file)
    for folder in file.parents:
        if folder == trial or not folder.is_relative_to(trial):
            return
        with suppress(OSError):  # it is not empty
            folder.rmdir()


def is_part(path: str) -> bool:
    """Whether this is the path of an explanation's file."""
    return path.startswith(("trials/", "forks/", "replays/"))


def _trial_of(root: Path, file: Path) -> Path:
    parts = file.relative_to(root).parts
    return root.joinpath(*parts[: 2 if parts[0] == "trials" else 3])


def _rendered(layout: Layout, trial: Path, result: TrialResult | None) -> dict[str, bytes]:
    attempt = _attempt(layout, trial, result)
    if attempt is None:
        return {}
    store = ArtifactStore(layout.artifacts)
    made = {f"{attempt.trial}/explanation.json": document_bytes(explanation(attempt, store))}
    for place in attempt.places.values():
        for name, file in place.files.items():
            made[f"{place.folder}/{name}"] = _bytes(file, store)
    return made


def attempt_with(layout: Layout, trial: Path, result: TrialResult) -> ExplainedAttempt:
    """The attempt of this result, with its evidence where that can be read. Cases of a trial that passed have no
    files."""
    name, evidence = trial.relative_to(layout.root).as_posix(), None
    with suppress(StorageError):
        evidence = read_document(TrialLayout(trial).attempt(result.ext.attempt) / "evidence.json", TrialEvidence)
    places = _places(name, evidence) if evidence is not None and is_explained(result) else {}
    return ExplainedAttempt(trial=name, result=result, evidence=evidence, places=places)


def _attempt(layout: Layout, trial: Path, result: TrialResult | None) -> ExplainedAttempt | None:
    return attempt_with(layout, trial, result) if result is not None and is_explained(result) else None


def _places(trial: str, evidence: TrialEvidence) -> Mapping[str, CasePlace]:
    picked = cases_to_explain(evidence)
    # Of all cases, so that a folder's name does not depend on which of them passed.
    names = [*(case.run_name for case in evidence.cases), *_session_name(evidence)]
    folders = {name: f"{trial}/cases/{directory}" for name, directory in case_directories(names).items()}
    return placed(evidence, picked, folders)


def _session_name(evidence: TrialEvidence) -> Iterator[str]:
    if evidence.session is not None:
        yield evidence.session.session_name


def _bytes(file: CaseFile, store: ArtifactStore) -> bytes:
    """The file as it is written: whole, or a part of it that says so."""
    data = content(file, FILE_BYTES, store)
    # A readable transcript is longer than what was said.
    whole = len(data) < FILE_BYTES and not file.is_part if file.source == "transcript" else len(data) >= file.size_bytes
    if whole:
        return data
    is_kept = file.source == "blob" and not file.is_part
    rest = f"the whole is {artifact_path(file.ref)}" if is_kept else "no more is kept"
    if file.end:
        return f"[agentics: the start is left out; these are the last {len(data)} bytes; {rest}]\n".encode() + data
    gap = b"" if data.endswith(b"\n") else b"\n"
    note = f"[agentics: the end is left out; these are {len(data)} of {file.size_bytes} bytes; {rest}]\n"
    return data + gap + note.encode()
