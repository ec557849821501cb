"""Reads a run or session manifest from its place and lays its input files out. The challenge's faults end here."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from agentics.archive.hostile import MAX_DEPTH, walk
from agentics.archive.tree import DIRECTORY_MODE, file_mode
from agentics.bundle import read_run_manifest, read_session_manifest
from agentics.errors import InvalidDocument
from agentics.model.bundle.manifest import InputFile, RunManifest, SessionManifest
from agentics.model.document.strict_types import compact_json
from agentics.model.evidence.trial_evidence import Trouble
from agentics.model.plan.trial_plan import ManifestSource
from agentics.pipeline.attempt_tools import AttemptTools
from agentics.sandbox.regular import read_regular

INPUT_BYTES = 256 << 20
"""The largest input file of a case."""


def run_manifest(tools: AttemptTools, source: ManifestSource) -> RunManifest:
    """Raises InvalidDocument when it is missing or breaks its contract."""
    root = tools.paths[source.place]
    manifest = read_run_manifest(_read(root, source.file, RunManifest.cap.bytes), source.file, root)
    for run in manifest.runs:
        _check_depth(run.input_files)
    return manifest


def session_manifest(tools: AttemptTools, source: ManifestSource) -> SessionManifest:
    """Raises InvalidDocument when it is missing or breaks its contract."""
    root = tools.paths[source.place]
    manifest = read_session_manifest(_read(root, source.file, SessionManifest.cap.bytes), source.file, root)
    _check_depth(manifest.input_files)
    return manifest


def invalid(stage: str, error: InvalidDocument | OSError) -> Trouble:
    return Trouble(stage=stage, code="manifest_invalid", message=str(error), fault="challenge")


def lay_out(inputs: Sequence[InputFile] | None, root: Path, dest: Path) -> None:
    """Write the input files below `dest`, each exclusively. Raises OSError when two of them collide."""
    for item in inputs or ():
        target = dest / item.path
        target.parent.mkdir(parents=True, exist_ok=True)
        with target.open("xb") as file:
            file.write(_content(item, root))
    dest.chmod(DIRECTORY_MODE)
    for node in walk(dest):
        (dest / node.path).chmod(DIRECTORY_MODE if node.is_directory else file_mode(executable=False))


def _check_depth(inputs: Sequence[InputFile] | None) -> None:
    """Raises InvalidDocument for a path that none of our walks would come to the end of."""
    for item in inputs or ():
        if item.path.count("/") >= MAX_DEPTH:
            msg = f"{item.path[:80]}: directories nested deeper than {MAX_DEPTH}"
            raise InvalidDocument(msg)


def _content(item: InputFile, root: Path) -> bytes:
    if item.source_path is not None:
        return _read(root, item.source_path, INPUT_BYTES)
    if item.content is not None:
        return item.content.encode()
    return compact_json(item.content_json).encode()


def _read(root: Path, relpath: str, most: int) -> bytes:
    data = read_regular(root, relpath, most)
    if isinstance(data, str):
        msg = f"{relpath}: {data}"
        raise InvalidDocument(msg)
    return data
