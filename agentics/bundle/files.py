"""Reads the files of a bundle, through no link, and checks what only files can tell: the levels of validation.

`public` is what an author may show; `runtime` is what evaluators run on, private data included.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Literal, TypeVar

from agentics.archive import tree
from agentics.model.challenge import Challenge, Piped
from agentics.model.document import Loaded, invalid, place
from agentics.model.finding import Finding
from agentics.model.jsontext import Path as Pointer
from agentics.model.jsontext import Problem
from agentics.model.manifest import RunManifest, SessionManifest
from agentics.policy.checks import commands, locator, script
from agentics.policy.exposure import below
from agentics.policy.manifests import check_run_manifest, check_session_manifest, sources

SPEC = "spec.json"
STATEMENT = "statement.md"
DOCUMENT_BYTES = 256 << 20

Level = Literal["public", "runtime"]
M = TypeVar("M", RunManifest, SessionManifest)


@dataclass(frozen=True, kw_only=True)
class Files:
    """The files below `root`. Findings call them by their path with `root` before it."""

    root: Path

    def kind(self, path: str) -> tree.Kind | None:
        with tree.opened(self.root) as fd:
            return tree.kind_at(fd, path)

    def name(self, path: str) -> str:
        return str(self.root / path)

    def read(self, path: str) -> bytes | Finding:
        try:
            with tree.opened(self.root) as fd:
                data = tree.read_below(fd, path, DOCUMENT_BYTES + 1)
        except OSError:
            return self.missing(path)
        if len(data) > DOCUMENT_BYTES:
            return Finding(code="too_large", message=f"more than {DOCUMENT_BYTES} bytes", file=self.name(path))
        return data

    def missing(self, path: str, wanted: Literal["file", "directory"] = "file") -> Finding:
        found = self.kind(path) if self.root.is_dir() else None
        message = f"no such {wanted}" if found is None else f"a {found} where a {wanted} should be"
        return Finding(code=f"missing_{wanted}", message=message, file=self.name(path))


def read_run_manifest(data: bytes, file: str, root: Path) -> RunManifest:
    """A run manifest whose sources are regular files below `root`. Raises InvalidDocument."""
    return _sound(check_run_manifest(data, file), data, file, Files(root=root))


def read_session_manifest(data: bytes, file: str, root: Path) -> SessionManifest:
    """As `read_run_manifest`."""
    return _sound(check_session_manifest(data, file), data, file, Files(root=root))


def problems_of_files(files: Files, challenge: Challenge, level: Level) -> list[Finding]:
    """What is missing or wrong below the bundle, except for scripts. `public` skips what overlays will bring."""
    found = [] if files.kind(STATEMENT) == "file" else [files.missing(STATEMENT)]
    datasets = challenge.datasets
    if files.kind(datasets.public_dir) != "directory":
        found.append(files.missing(datasets.public_dir, "directory"))
    if any(target.validation_enabled for target in challenge.targets):
        found += _static_manifest(files, challenge, "validation", level)
    if _official_is_due(files, challenge, level):
        found += _static_manifest(files, challenge, "official", level)
    private = datasets.private_benchmark_dir if datasets.private_benchmark_enabled else None
    if level == "runtime" and private is not None and files.kind(private) != "directory":
        found.append(_no_private(files, private))
    return found


def problems_of_scripts(
    files: Files, challenge: Challenge, spec: bytes, comes_later: Callable[[Pointer, str], bool] = lambda *_: False
) -> tuple[Finding, ...]:
    """Scripts of the challenge that are no files, unless `comes_later` says so of a command's path and its script."""
    problems = []
    for path, command in commands(challenge.execution):
        found = script(command)
        if found is not None and files.kind(found) != "file" and not comes_later(path, found):
            message = f"there is no file {found}"
            at = (*path, command.index(found))
            problems.append(Problem(code="missing_file", message=message, path=at, hint=f"create {files.name(found)}"))
    return place(spec, problems, files.name(SPEC))


def _no_private(files: Files, private: str) -> Finding:
    missing = files.missing(private, "directory")
    hint = "official data arrives as an overlay: --overlay DIR or --overlay ZIP"
    return Finding(code=missing.code, message=missing.message, file=missing.file, hint=hint)


def _official_is_due(files: Files, challenge: Challenge, level: Level) -> bool:
    """Whether the official manifest can be checked: it is there, it must be there, or no overlay will bring it."""
    static = locator(challenge.execution, "official")
    if static is None:
        return False
    datasets = challenge.datasets
    return (
        files.kind(static[1]) is not None
        or below(static[1], datasets.public_dir)
        or (level == "runtime" and datasets.private_benchmark_enabled)
    )


def _static_manifest(files: Files, challenge: Challenge, side: str, level: Level) -> list[Finding]:
    static = locator(challenge.execution, side)
    if static is None:
        return []
    data = files.read(static[1])
    if isinstance(data, Finding):
        return [data]
    name = files.name(static[1])
    piped = isinstance(challenge.execution, Piped)
    loaded: Loaded[SessionManifest] | Loaded[RunManifest] = (
        check_session_manifest(data, name) if piped else check_run_manifest(data, name)
    )
    if loaded.value is None:
        return list(loaded.findings)
    later = challenge.datasets.private_benchmark_dir if level == "public" and side == "official" else None
    return list(place(data, _absent_sources(files, loaded.value, later), name))


def _absent_sources(files: Files, manifest: RunManifest | SessionManifest, later: str | None) -> Iterator[Problem]:
    for path, source in sources(manifest):
        if later is not None and below(source, later):
            continue
        found = files.kind(source)
        if found != "file":
            message = f"there is no file {source}" if found is None else f"{source} is a {found}, not a file"
            yield Problem(code="missing_file", message=message, path=path)


def _sound(loaded: Loaded[M], data: bytes, file: str, files: Files) -> M:
    if loaded.value is None:
        raise invalid(loaded.findings)
    absent = place(data, _absent_sources(files, loaded.value, None), file)
    if absent:
        raise invalid(absent)
    return loaded.value
