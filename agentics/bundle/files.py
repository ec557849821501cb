"""Reads the files of a bundle, through no link, and checks what only files can tell: the levels of validation.

`public` is what an author may show; `runtime` is what evaluators run on, private data included.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Literal, TypeVar

from agentics.archive import hostile, tree
from agentics.model.bundle.challenge import Challenge, Execution, Piped
from agentics.model.bundle.manifest import RunManifest, SessionManifest
from agentics.model.document.finding import Finding
from agentics.model.document.json_text import Path as Pointer
from agentics.model.document.json_text import Problem
from agentics.model.document.parsing import Loaded, invalid, place
from agentics.model.document.strict_types import Document
from agentics.policy.bundle.checks import commands, locator, script
from agentics.policy.bundle.manifests import check_run_manifest, check_session_manifest, sources
from agentics.policy.publish.exposure import below

SPEC = "spec.json"
STATEMENT = "statement.md"
_OVERLAY = "official data arrives as an overlay: --overlay DIR or --overlay ZIP"
_FIXED = {STATEMENT: f"every bundle has a {STATEMENT} beside its {SPEC}"}

Level = Literal["public", "runtime"]
WantedFile = Literal["file", "directory"]
M = TypeVar("M", RunManifest, SessionManifest)


@dataclass(frozen=True, kw_only=True)
class BundleFiles:
    """The files below `root`. Findings call them by their path with `root` before it."""

    root: Path

    def kind(self, path: str) -> tree.EntryKind | None:
        with hostile.opened(self.root) as fd:
            return tree.kind_at(fd, path)

    def name(self, path: str) -> str:
        return str(self.root / path)

    def read(self, path: str, model: type[Document]) -> bytes | Finding:
        """The text of a document; one that is too large for its kind is cut, which its loader reports."""
        try:
            with hostile.opened(self.root) as fd:
                return tree.read_below(fd, path, model.cap.bytes + 1)
        except OSError:
            return self.missing(path)

    def missing(self, path: str) -> Finding:
        """That a file is not there, or is no regular file, whose name no document gives."""
        found = self.kind(path) if self.root.is_dir() else None
        message = "no such file" if found is None else f"a {found} where a file should be"
        return Finding(code="missing_file", message=message, file=self.name(path), hint=_FIXED.get(path))


def directories_with(folder: Path, *documents: str) -> list[Path]:
    """The directories in `folder` that have one of the documents, by name. A link is none, and nothing is read. A
    document that is a link counts: its reader reports it."""
    if not folder.is_dir():
        return []
    with hostile.opened(folder) as fd:
        inside = [entry.path for entry in tree.entries(fd) if entry.kind == "directory"]
        return [folder / path for path in inside if any(tree.kind_at(fd, f"{path}/{name}") for name in documents)]


def read_run_manifest(data: bytes, file: str, root: Path) -> RunManifest:
    """A run manifest whose sources are regular files below `root`. Raises InvalidDocument."""
    return _sound(check_run_manifest(data, file), data, file, BundleFiles(root=root))


def read_session_manifest(data: bytes, file: str, root: Path) -> SessionManifest:
    """As `read_run_manifest`."""
    return _sound(check_session_manifest(data, file), data, file, BundleFiles(root=root))


@dataclass(frozen=True, kw_only=True)
class Specified:
    """What a specification says of files, as far as it is sound. What is None asks for no file.

    `private` is the directory of private data, and `enabled` whether official evaluations need it.
    """

    files: BundleFiles
    data: bytes
    execution: Execution | None
    public: str | None
    private: str | None
    enabled: bool
    validates: bool

    def place(self, problems: Iterable[Problem]) -> tuple[Finding, ...]:
        """Findings in the specification."""
        return place(self.data, problems, self.files.name(SPEC))


def specified(files: BundleFiles, data: bytes, challenge: Challenge | None) -> Specified:
    """`challenge` may be the sound part of one. Where its targets cannot be read, some may offer validation."""
    targets, datasets = getattr(challenge, "targets", None), getattr(challenge, "datasets", None)
    return Specified(
        files=files,
        data=data,
        execution=getattr(challenge, "execution", None),
        public=getattr(datasets, "public_dir", None),
        private=getattr(datasets, "private_benchmark_dir", None),
        enabled=getattr(datasets, "private_benchmark_enabled", False),
        validates=targets is None or any(target.validation_enabled for target in targets),
    )


def problems_of_files(spec: Specified, level: Level) -> list[Finding]:
    """What is missing or wrong below the bundle, except for scripts. `public` skips what overlays will bring."""
    found = [] if spec.files.kind(STATEMENT) == "file" else [spec.files.missing(STATEMENT)]
    found += spec.place(_directories(spec, level))
    for side, due in (("validation", spec.validates), ("official", _official_is_due(spec, level))):
        static = locator(spec.execution, side) if spec.execution is not None and due else None
        if static is not None:
            found += _static_manifest(spec, static, side, level)
    return found


def problems_of_scripts(
    spec: Specified, comes_later: Callable[[Pointer, str], bool] = lambda *_: False
) -> tuple[Finding, ...]:
    """Scripts of the challenge that are no files, unless `comes_later` says so of a command's path and its script."""
    problems = []
    for path, command in commands(spec.execution) if spec.execution is not None else ():
        found = script(command)
        if found is not None and spec.files.kind(found) != "file" and not comes_later(path, found):
            problems.append(unfit(spec.files, (*path, command.index(found)), found))
    return spec.place(problems)


def unfit(files: BundleFiles, pointer: Pointer, path: str, wanted: WantedFile = "file") -> Problem:
    """That the key at `pointer` names a path below `files` that is not there, or is not what is wanted."""
    found = files.kind(path)
    key = next(part for part in reversed(pointer) if isinstance(part, str))
    what = "does not exist" if found is None else f"is a {found}, not a {wanted}"
    hint = "create it, or correct the path" if found is None else None
    return Problem(code=f"missing_{wanted}", message=f"{key} names {path}, which {what}", path=pointer, hint=hint)


def _directories(spec: Specified, level: Level) -> Iterator[Problem]:
    if spec.public is not None and spec.files.kind(spec.public) != "directory":
        yield unfit(spec.files, ("datasets", "public_dir"), spec.public, "directory")
    needed = level == "runtime" and spec.enabled
    if needed and spec.private is not None and spec.files.kind(spec.private) != "directory":
        problem = unfit(spec.files, ("datasets", "private_benchmark_dir"), spec.private, "directory")
        yield replace(problem, hint=_OVERLAY)


def _official_is_due(spec: Specified, level: Level) -> bool:
    """Whether the official manifest can be checked: it is there, it must be there, or no overlay will bring it."""
    static = locator(spec.execution, "official") if spec.execution is not None else None
    if static is None:
        return False
    if spec.files.kind(static[1]) is not None or (level == "runtime" and spec.enabled):
        return True
    return spec.public is not None and below(static[1], spec.public)


def _static_manifest(spec: Specified, static: tuple[str, str], side: str, level: Level) -> Sequence[Finding]:
    key, path = static
    files, name = spec.files, spec.files.name(path)
    if files.kind(path) != "file":
        problem = unfit(files, ("execution", key), path)
        return spec.place([replace(problem, hint=_OVERLAY) if side == "official" and level == "runtime" else problem])
    piped = isinstance(spec.execution, Piped)
    data = files.read(path, SessionManifest if piped else RunManifest)
    if isinstance(data, Finding):
        return [data]
    loaded: Loaded[SessionManifest] | Loaded[RunManifest] = (
        check_session_manifest(data, name) if piped else check_run_manifest(data, name)
    )
    if loaded.value is None:
        return loaded.findings
    later = spec.private if level == "public" and side == "official" else None
    return place(data, _absent_sources(files, loaded.value, later), name)


def _absent_sources(
    files: BundleFiles, manifest: RunManifest | SessionManifest, later: str | None
) -> Iterator[Problem]:
    for path, source in sources(manifest):
        if files.kind(source) != "file" and (later is None or not below(source, later)):
            yield unfit(files, path, source)


def _sound(loaded: Loaded[M], data: bytes, file: str, files: BundleFiles) -> M:
    if loaded.value is None:
        raise invalid(loaded.findings)
    absent = place(data, _absent_sources(files, loaded.value, None), file)
    if absent:
        raise invalid(absent)
    return loaded.value
