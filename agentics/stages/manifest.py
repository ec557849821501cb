"""Reads a run or session manifest from its place and lays its input files out. The challenge's faults end here."""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path

from agentics.archive.tree import DIRECTORY_MODE, file_mode
from agentics.bundle import read_run_manifest, read_session_manifest
from agentics.errors import InvalidDocument
from agentics.model.base import compact_json
from agentics.model.evidence import Trouble
from agentics.model.manifest import InputFile, RunManifest, SessionManifest
from agentics.model.plan import ManifestSource
from agentics.pipeline.bench import Bench
from agentics.sandbox.regular import read_regular

MANIFEST_BYTES = 256 << 20


def run_manifest(bench: Bench, source: ManifestSource) -> RunManifest:
    """Raises InvalidDocument when it is missing or breaks its contract."""
    root = bench.paths[source.place]
    return read_run_manifest(_read(root, source.file), source.file, root)


def session_manifest(bench: Bench, source: ManifestSource) -> SessionManifest:
    """Raises InvalidDocument when it is missing or breaks its contract."""
    root = bench.paths[source.place]
    return read_session_manifest(_read(root, source.file), source.file, root)


def invalid(stage: str, error: InvalidDocument | OSError) -> Trouble:
    return Trouble(stage=stage, code="manifest_invalid", message=str(error), fault="challenge")


def lay_out(inputs: Sequence[InputFile] | None, root: Path, dest: Path) -> None:
    """Write the input files below `dest`, each exclusively. Raises OSError when two of them collide."""
    for item in inputs or ():
        target = dest / item.path
        target.parent.mkdir(parents=True, exist_ok=True)
        with target.open("xb") as file:
            file.write(_content(item, root))
    for folder, _, files in os.walk(dest):
        Path(folder).chmod(DIRECTORY_MODE)
        for each in files:
            (Path(folder) / each).chmod(file_mode(executable=False))


def _content(item: InputFile, root: Path) -> bytes:
    if item.source_path is not None:
        return _read(root, item.source_path)
    if item.content is not None:
        return item.content.encode()
    return compact_json(item.content_json).encode()


def _read(root: Path, relpath: str) -> bytes:
    data = read_regular(root, relpath, MANIFEST_BYTES)
    if isinstance(data, str):
        msg = f"{relpath}: {data}"
        raise InvalidDocument(msg)
    return data
