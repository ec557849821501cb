"""Rules of run and session manifests across entries: unique names and paths."""

from __future__ import annotations

from collections.abc import Iterator

from agentics.model.bundle.manifest import RESERVED_RUN_NAME, InputFile, RunManifest, SessionManifest
from agentics.model.document.json_text import Path, Problem
from agentics.model.document.parsing import Loaded, Rule, load
from agentics.policy.bundle.checks import repeated


def check_run_manifest(data: bytes, file: str) -> Loaded[RunManifest]:
    """The manifest alone. That its sources exist is for whoever reads files. Never raises on bad input."""
    return load(RunManifest, data, file, RUN_RULES)


def check_session_manifest(data: bytes, file: str) -> Loaded[SessionManifest]:
    """As `check_run_manifest`."""
    return load(SessionManifest, data, file, SESSION_RULES)


def sources(manifest: RunManifest | SessionManifest) -> Iterator[tuple[Path, str]]:
    """Every `source_path` with where it is."""
    if isinstance(manifest, SessionManifest):
        yield from _sources(manifest.input_files, ())
        return
    for index, run in enumerate(manifest.runs):
        yield from _sources(run.input_files, ("runs", index))


def _sources(inputs: tuple[InputFile, ...] | None, path: Path) -> Iterator[tuple[Path, str]]:
    for index, item in enumerate(inputs or ()):
        if item.source_path is not None:
            yield (*path, "input_files", index, "source_path"), item.source_path


def _run_names(manifest: RunManifest) -> Iterator[Problem]:
    paths: list[Path] = [("runs", index, "run_name") for index in range(len(manifest.runs))]
    names = [run.run_name for run in manifest.runs]
    yield from repeated(names, paths, "run_name")
    for name, path in zip(names, paths, strict=True):
        if name == RESERVED_RUN_NAME:
            yield Problem(code="reserved_name", message=f"{name} is a file of the platform", path=path)


def _run_files(manifest: RunManifest) -> Iterator[Problem]:
    for index, run in enumerate(manifest.runs):
        yield from _inputs(run.input_files, ("runs", index))
        outputs = run.output_files or ()
        paths: list[Path] = [("runs", index, "output_files", i) for i in range(len(outputs))]
        yield from repeated(outputs, paths, "output file")


def _session_files(manifest: SessionManifest) -> Iterator[Problem]:
    return _inputs(manifest.input_files, ())


def _inputs(inputs: tuple[InputFile, ...] | None, path: Path) -> Iterator[Problem]:
    files = inputs or ()
    paths: list[Path] = [(*path, "input_files", index, "path") for index in range(len(files))]
    return repeated((item.path for item in files), paths, "input file")


RUN_RULES: tuple[Rule[RunManifest], ...] = (
    Rule(needs=("runs",), check=_run_names),
    Rule(needs=("runs",), check=_run_files),
)
SESSION_RULES: tuple[Rule[SessionManifest], ...] = (Rule(needs=("input_files",), check=_session_files),)
