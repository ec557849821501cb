"""Packs a solution directory into a ZIP: the same files give the same bytes, and what git ignores stays out."""

from __future__ import annotations

import io
import os
import stat
import zipfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from pathspec import GitIgnoreSpec

from agentics.archive import tree
from agentics.archive.envelope import SOLUTION
from agentics.model.document import invalid, parse
from agentics.model.finding import Finding
from agentics.model.solution import MANIFEST_BYTES, MANIFEST_FILE, SolutionManifest

SKIPPED = frozenset({".git", ".venv", ".next", ".pytest_cache", ".ruff_cache", ".mypy_cache"}) | frozenset(
    {"target", "node_modules", "__pycache__", "dist", "build"}
)
_IGNORE_BYTES = 1 << 20
_EPOCH = (1980, 1, 1, 0, 0, 0)


@dataclass(frozen=True, kw_only=True)
class _Ignore:
    """One ignore file: a path is put to it behind `prefix` and without its first `strip` characters."""

    spec: GitIgnoreSpec
    prefix: str = ""
    strip: int = 0

    def says(self, path: str) -> bool | None:
        """Ignored, kept by a negation, or None: not mentioned."""
        return self.spec.check_file(self.prefix + path[self.strip :]).include


def pack(root: Path) -> bytes:
    """The ZIP of the solution in `root`. Raises InvalidDocument when the packager's rules are broken."""
    root = root.resolve()
    with tree.opened(root) as fd:
        scripts = _scripts(fd)
        found = sorted(_files(fd, "", list(_outer(root))), key=lambda entry: entry.path)
        _complete(fd, scripts, {entry.path for entry in found})
        _within(found)
        return _zip(fd, found)


def _scripts(fd: int) -> list[str]:
    data = _read(fd, MANIFEST_FILE, MANIFEST_BYTES)
    if data is None:
        hint = "a solution directory has it at its top"
        raise invalid([Finding(code="missing_file", message="no such file", file=MANIFEST_FILE, hint=hint)])
    commands = parse(SolutionManifest, data, MANIFEST_FILE).commands
    return [path for path in (commands.setup, commands.build, commands.run) if path is not None]


def _complete(fd: int, scripts: list[str], packed: set[str]) -> None:
    findings = []
    for path in [MANIFEST_FILE, *scripts]:
        if path in packed:
            continue
        if _is_file(fd, path):
            code, message, hint = (
                "ignored_file",
                "is declared but would not be packed",
                "see .gitignore and hidden or skipped names",
            )
        else:
            code, message, hint = (
                "missing_file",
                "is declared but there is no such file",
                "create it or change commands",
            )
        findings.append(Finding(code=code, message=f"{path} {message}", file=MANIFEST_FILE, hint=hint))
    if findings:
        raise invalid(findings)


def _within(found: list[tree.Entry]) -> None:
    sizes = [entry.size for entry in found]
    for code, value, limit, unit in (
        ("too_many_entries", len(sizes), SOLUTION.entries, "files"),
        ("archive_too_large", sum(sizes), SOLUTION.expanded, "bytes"),
    ):
        if value > limit:
            message = f"{value} {unit}, at most {limit} are allowed"
            raise invalid([Finding(code=code, message=message, file=".", hint="list what is not needed in .gitignore")])


def _files(fd: int, prefix: str, ignores: list[_Ignore]) -> Iterator[tree.Entry]:
    own = _read(fd, ".gitignore", _IGNORE_BYTES)
    if own is not None:
        ignores = [*ignores, _Ignore(spec=_spec(own), strip=len(prefix))]
    for entry in tree.entries(fd, prefix):
        name = tree.name_of(entry)
        if name.startswith(".") or name in SKIPPED:
            continue
        if entry.kind == "directory" and not _ignored(f"{entry.path}/", ignores):
            with tree.below(fd, name) as inner:
                yield from _files(inner, f"{entry.path}/", ignores)
        elif entry.kind == "file" and not _ignored(entry.path, ignores):
            yield entry


def _ignored(path: str, ignores: list[_Ignore]) -> bool:
    for ignore in reversed(ignores):
        said = ignore.says(path)
        if said is not None:
            return said
    return False


def _outer(root: Path) -> Iterator[_Ignore]:
    """The user's own excludes, then what stands above the workspace, the farthest first."""
    configured = os.environ.get("XDG_CONFIG_HOME")
    config = Path(configured) if configured else Path.home() / ".config"
    parents = []
    for folder in (root, *root.parents):
        if folder != root:
            parents.append((folder / ".gitignore", folder))
        if (folder / ".git").exists():
            parents.append((folder / ".git" / "info" / "exclude", folder))
            break
    for path, base in [(config / "git" / "ignore", root), *reversed(parents)]:
        data = _read_file(path)
        if data is not None:
            within = root.relative_to(base).as_posix()
            yield _Ignore(spec=_spec(data), prefix="" if within == "." else f"{within}/")


def _spec(data: bytes) -> GitIgnoreSpec:
    lines = data.decode("utf-8", "replace").splitlines()
    return GitIgnoreSpec.from_lines([line for line in lines if _is_pattern(line)])


def _is_pattern(line: str) -> bool:
    """As in git, a line that is no pattern matches nothing."""
    try:
        GitIgnoreSpec.from_lines([line])
    except ValueError:
        return False
    return True


def _read_file(path: Path) -> bytes | None:
    try:
        with tree.opened(path.parent) as fd:
            return _read(fd, path.name, _IGNORE_BYTES)
    except OSError:
        return None


def _read(fd: int, name: str, limit: int) -> bytes | None:
    """A regular file up to one byte beyond `limit`, so that the reader sees that it is too large; None without one."""
    try:
        return tree.read_below(fd, name, limit + 1)
    except OSError:
        return None


def _is_file(fd: int, path: str) -> bool:
    try:
        return stat.S_ISREG(os.stat(path, dir_fd=fd, follow_symlinks=False).st_mode)
    except OSError:
        return False


def _zip(fd: int, found: list[tree.Entry]) -> bytes:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED) as archive:
        for entry in found:
            info = zipfile.ZipInfo(entry.path, _EPOCH)
            info.create_system = 3  # Unix, wherever this runs: the permission bits are Unix bits
            info.compress_type = zipfile.ZIP_DEFLATED
            info.external_attr = (stat.S_IFREG | entry.mode & 0o777) << 16
            archive.writestr(info, tree.read_below(fd, entry.path, entry.size))
    return buffer.getvalue()
