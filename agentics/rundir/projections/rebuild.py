"""Every projection of a run, from nothing but what the run holds: to write them, and to compare them with those there.

Two renderings of one run are the same to the byte, but for the time of writing.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

from agentics.errors import Refused
from agentics.model.run.directory import InvocationStarted
from agentics.model.run.outcome import RunOutcome
from agentics.policy.publish.public_run import public_run
from agentics.rundir.derived import REGRADE
from agentics.rundir.files import safe_files
from agentics.rundir.files.artifacts import ArtifactStore
from agentics.rundir.files.atomic import document_bytes, make_directory, sync_files, utc_now, write_bytes
from agentics.rundir.files.contents import files
from agentics.rundir.open_run import OpenRun
from agentics.rundir.projections import explain
from agentics.rundir.projections.analysis_files import rendered as rendered_analysis
from agentics.rundir.projections.outcome import projected
from agentics.rundir.reader import RunView, read_run

Render = Callable[[RunView], dict[str, bytes]]
"""A family of projections: bytes by path, relative to the run directory. The time of writing is `WRITTEN_AT`."""

WRITTEN_AT = "0001-01-01T00:00:00.000000Z"
"""Stands for the time of writing, which every file has of its own."""

_STAMP = b'"timestamp": "%s"'
_PLAIN = frozenset({"eval", REGRADE})


@dataclass(frozen=True, kw_only=True)
class ProjectionDifference:
    """A projection that is not what the run makes of itself. `expected` None: it makes no such file."""

    path: str
    expected: bytes | None
    found: bytes | None

    @property
    def text(self) -> str:
        if self.expected is None:
            return "the run makes no such projection"
        return "missing" if self.found is None else "projection differs from what the run holds"


def outcomes(view: RunView) -> dict[str, bytes]:
    """run_outcome.json, run_summary.json and task_status.json of every variant."""
    made: dict[Path, bytes] = {}
    for variant in view.variants:
        found = projected(view, variant, at=WRITTEN_AT)
        made |= {path: document_bytes(status) for path, status in found.statuses.items() if status is not None}
        made[view.layout.summary(variant)] = document_bytes(found.summary)
        made[view.layout.outcome(variant)] = document_bytes(found.outcome)
    return {_relative(view, path): data for path, data in made.items()}


def public(view: RunView) -> dict[str, bytes]:
    """public/run.json of all variants, and what everybody may see of each challenge, in its newest version."""
    made: list[RunOutcome] = [projected(view, variant, at=WRITTEN_AT).outcome for variant in view.variants]
    refs: dict[str, str] = {}
    for entry in view.entries:
        if isinstance(entry, InvocationStarted):
            refs |= entry.public_challenges
    store = ArtifactStore(view.layout.artifacts)
    return {
        **{_relative(view, view.layout.public_challenge(name)): store.read(ref) for name, ref in refs.items()},
        "public/run.json": document_bytes(public_run(view.manifest.run_id, made)),
    }


def _relative(view: RunView, path: Path) -> str:
    return path.relative_to(view.layout.root).as_posix()


def analysis(view: RunView) -> dict[str, bytes]:
    """analysis/, of a run that was asked for as an experiment, or gone on with."""
    started = (entry for entry in view.entries if isinstance(entry, InvocationStarted))
    wanted = (view.layout.root / "analysis").exists() or any(entry.operation not in _PLAIN for entry in started)
    return {f"analysis/{name}": data for name, data in rendered_analysis(view).items()} if wanted else {}


PROJECTIONS: tuple[Render, ...] = (outcomes, public, analysis, explain.rendered)
"""In the order of writing."""


def render(view: RunView) -> dict[str, bytes]:
    return {path: data for each in PROJECTIONS for path, data in each(view).items()}


def differences(view: RunView) -> Iterator[ProjectionDifference]:
    """Projections on disk that the run would make otherwise, in a fixed order. Writes nothing."""
    # Looked at before rendering: what another process writes meanwhile, as a fork does, is not taken for a rest.
    root = view.layout.root
    there = {file.path: file.at for file in files(root) if file.kind == "projection"}
    made = render(view)
    for path in [*there, *(path for path in made if path not in there)]:
        found = safe_files.read_file(there[path]) if path in there else None
        expected = made.get(path)
        if expected is None or found is None or _as_written(expected, found, root) != found:
            yield ProjectionDifference(path=path, expected=expected, found=found)


def write_projections(run: OpenRun) -> tuple[str, ...]:
    """Bring every projection of a run that is held up to date; the paths of those that were written or removed.

    A file that is damaged counts as missing.
    """
    with run.guard:
        return _write(read_run(run.root))


def compare(root: Path) -> tuple[ProjectionDifference, ...]:
    """What `rebuild` would change. Raises Refused (run_locked) where somebody is at work on the run."""
    view = read_run(root)
    if view.held:
        msg = f"run {view.manifest.run_id} is being worked on"
        raise Refused(msg, code="run_locked", hint="wait until it ends")
    return tuple(differences(view))


def _write(view: RunView) -> tuple[str, ...]:
    root, changed = view.layout.root, []
    there = [file for file in files(root) if file.kind == "projection"]  # before rendering, as above
    made = render(view)
    now = utc_now().encode()
    for path, data in made.items():
        place = root / path
        if explain.is_part(path):
            if explain.write_part(root, path, data):
                changed.append(path)
            continue
        found = safe_files.read_file(place) if safe_files.is_file(place) else None
        if found is None or _stamped(data, _stamp_of(found)) != found:
            make_directory(place.parent)
            write_bytes(place, _stamped(data, now))
            changed.append(path)
    for file in there:
        if file.path not in made:
            explain.remove_part(root, file.at) if explain.is_part(file.path) else safe_files.unlink(file.at)
            changed.append(file.path)
    if parts := [root / path for path in made if explain.is_part(path)]:
        sync_files(root, parts)
    return tuple(changed)


def _as_written(expected: bytes, found: bytes, root: Path) -> bytes:
    """What is expected, with the time of writing, and the place of the run then, that the file there names."""
    stamped = _stamped(expected, _stamp_of(found))
    before = _root_of(found)
    if before is None or before == str(root):
        return stamped
    return stamped.replace(_quoted(str(root)), _quoted(before))


def _stamped(data: bytes, stamp: bytes | None) -> bytes:
    return data if stamp is None else data.replace(_STAMP % WRITTEN_AT.encode(), _STAMP % stamp, 1)


def _stamp_of(found: bytes) -> bytes | None:
    said = _key(found, "timestamp")
    return said.encode() if isinstance(said, str) and len(said) == len(WRITTEN_AT) else None


def _root_of(found: bytes) -> str | None:
    """Where the run lay when an outcome was written, which names places absolutely."""
    artifacts = _key(found, "artifacts")
    place = artifacts.get("model_output_dir") if isinstance(artifacts, dict) else None
    path = place.get("path") if isinstance(place, dict) else None
    return str(Path(path).parent) if isinstance(path, str) else None


def _key(found: bytes, key: str) -> object:
    try:
        value: Mapping[str, object] | object = json.loads(found)
    except (ValueError, RecursionError):
        return None
    return value.get(key) if isinstance(value, dict) else None


def _quoted(text: str) -> bytes:
    return json.dumps(text, ensure_ascii=False)[1:-1].encode()
