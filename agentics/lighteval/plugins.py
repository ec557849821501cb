"""Finds the plugins that a job names, and identifies each by the content of its folder. Runs nothing of theirs."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from agentics.archive import hostile, tree
from agentics.archive.digest import tree_digest
from agentics.content import as_digest
from agentics.errors import InvalidDocument
from agentics.lighteval.ondisk import is_file, is_folder
from agentics.model.document.finding import Finding
from agentics.model.document.json_text import Path as Pointer
from agentics.model.document.json_text import Problem
from agentics.model.document.parsing import load, place
from agentics.model.job.jobspec import Plugin
from agentics.model.job.plugin import MANIFEST, RULES, PluginManifest


@dataclass(frozen=True, kw_only=True)
class Located:
    """A plugin of a job: its folder, what it says of itself, and `sha256:` of all that is in the folder."""

    index: int
    manifest: PluginManifest
    root: Path
    sha256: str


@dataclass(kw_only=True)
class Search:
    """What was found. `problems` are places in the job; `findings` are in the plugins' own files."""

    found: list[Located] = field(default_factory=list)
    problems: list[Problem] = field(default_factory=list)
    findings: list[Finding] = field(default_factory=list)


def locate(plugins: Sequence[Plugin], folder: Path, places: Sequence[Path]) -> Search:
    """Find each in the folder that it names, relative to `folder`, or else in one of the operator's `places`."""
    search = Search()
    seen: set[str] = set()
    for index, plugin in enumerate(plugins):
        if plugin.name in seen:
            message = f"the plugin {plugin.name!r} is there twice"
            search.problems.append(_problem("duplicate_plugin", message, index, "name", "keep one of them"))
            continue
        seen.add(plugin.name)
        root = _root(search, index, plugin, folder, places)
        located = None if root is None else _read(search, index, plugin, root)
        if located is not None:
            search.found.append(located)
    return search


def installed(places: Sequence[Path]) -> tuple[PluginManifest, ...]:
    """The plugins in the operator's folders. What is not in order is not among them."""
    return tuple(manifest for _, manifest in _listed(places))


def _problem(code: str, message: str, index: int, key: str, hint: str | None = None) -> Problem:
    path: Pointer = ("custom_plugins", index, key)
    return Problem(code=code, message=message, path=path, hint=hint)


def _root(search: Search, index: int, plugin: Plugin, folder: Path, places: Sequence[Path]) -> Path | None:
    if plugin.path is not None:
        root = folder / plugin.path
        if is_file(root / MANIFEST):
            return root
        hint = f"a plugin is a folder with {MANIFEST}; paths are relative to the file"
        search.problems.append(_problem("plugin_not_found", f"there is no {MANIFEST} in {root}", index, "path", hint))
        return None
    named = [(root, said.version) for root, said in _listed(places) if said.name == plugin.name]
    right = [root for root, version in named if version == plugin.version]
    if len(right) == 1:
        return right[0]
    if right:
        message = f"{plugin.name} {plugin.version} is there {len(right)} times: {', '.join(map(str, right))}"
        search.problems.append(_problem("duplicate_plugin", message, index, "name", "say which with `path`"))
    elif named:
        message = f"there is no version {plugin.version} of {plugin.name}"
        hint = f"there is {', '.join(sorted(version for _, version in named))}"
        search.problems.append(_problem("plugin_version_mismatch", message, index, "version", hint))
    else:
        search.problems.append(_problem("plugin_not_found", _nowhere(plugin, places), index, "name", _HOW))
    return None


_HOW = "give its folder as `path`, or list the folder above it in agentics.toml: [lighteval] plugins = [...]"


def _nowhere(plugin: Plugin, places: Sequence[Path]) -> str:
    where = f" in {', '.join(map(str, places))}" if places else ""
    return f"no plugin is called {plugin.name!r}{where}"


def _listed(places: Sequence[Path]) -> Iterator[tuple[Path, PluginManifest]]:
    for above in dict.fromkeys(places):
        for root in sorted(above.iterdir()) if is_folder(above) else ():
            data = _bytes(root)
            said = None if data is None else load(PluginManifest, data, MANIFEST).value
            if said is not None:
                yield root, said


def _bytes(root: Path) -> bytes | None:
    try:
        with hostile.opened(root) as fd:
            return tree.read_below(fd, MANIFEST, PluginManifest.cap.bytes + 1)
    except (OSError, ValueError):
        return None


def _read(search: Search, index: int, plugin: Plugin, root: Path) -> Located | None:
    file = root / MANIFEST
    data = _bytes(root)
    if data is None:
        message = f"{file} cannot be read, or is no regular file"
        search.problems.append(_problem("plugin_invalid", message, index, "name"))
        return None
    loaded = load(PluginManifest, data, str(file), RULES)
    findings = [*loaded.findings, *_module_missing(loaded.value, data, root)]
    if loaded.value is None or any(f.severity == "error" for f in findings):
        search.findings += findings
        message = f"{file} is not in order"
        search.problems.append(_problem("plugin_invalid", message, index, "name", "see what is said of that file"))
        return None
    search.findings += findings
    mismatches = list(_mismatches(index, plugin, loaded.value))
    digest = _digest(search, index, root)
    if digest is not None:
        mismatches += _other_digest(index, plugin, digest, root)
    search.problems += mismatches
    if digest is None or mismatches:
        return None
    return Located(index=index, manifest=loaded.value, root=root.resolve(), sha256=digest)


def _module_missing(manifest: PluginManifest | None, data: bytes, root: Path) -> Sequence[Finding]:
    if manifest is None:
        return ()
    with hostile.opened(root) as fd:
        found = tree.kind_at(fd, manifest.module)
    if found == "file":
        return ()
    message = f"there is no file {manifest.module}" if found is None else f"{manifest.module} is a {found}"
    return place(data, [Problem(code="missing_file", message=message, path=("module",))], str(root / MANIFEST))


def _mismatches(index: int, plugin: Plugin, manifest: PluginManifest) -> Iterator[Problem]:
    if manifest.name != plugin.name:
        message = f"the plugin in this folder is called {manifest.name!r}"
        yield _problem("plugin_name_mismatch", message, index, "name", f"write {manifest.name!r}, or another path")
    if manifest.version != plugin.version:
        message = f"{plugin.name} is there in version {manifest.version}, not {plugin.version}"
        hint = f"write {manifest.version!r}, or bring the version that was meant"
        yield _problem("plugin_version_mismatch", message, index, "version", hint)


def _digest(search: Search, index: int, root: Path) -> str | None:
    try:
        return as_digest(tree_digest(root))
    except InvalidDocument as error:
        for finding in error.findings:
            if isinstance(finding, Finding):
                code = "plugin_symlink" if finding.code == "symlink" else "plugin_invalid"
                message = f"{root / finding.file}: {finding.message}"
                search.problems.append(_problem(code, message, index, "name", finding.hint))
    except OSError as error:
        message = f"{root}: {error.strerror}"
        search.problems.append(_problem("plugin_invalid", message, index, "name"))
    return None


def _other_digest(index: int, plugin: Plugin, digest: str, root: Path) -> Iterator[Problem]:
    if plugin.sha256 in (None, digest):
        return
    cached = next(root.rglob("__pycache__"), None)
    hint = f"{cached} counts too: remove it" if cached else f"if the change is meant, write {digest!r}"
    message = f"the content of {root} is not what the job was written for"
    yield _problem("plugin_digest_mismatch", message, index, "sha256", hint)
