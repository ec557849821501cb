"""Packs a solution directory into a ZIP: the same files give the same bytes, and what is ignored stays out.

Ignored is what the walker of ripgrep leaves out: `.ignore` files come before `.gitignore` files, hidden files stay out
unless a pattern keeps them, and so do names that are not UTF-8.
"""

from __future__ import annotations

import io
import os
import re
import stat
import zipfile
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

from agentics.archive import hostile, tree
from agentics.archive.envelope import SOLUTION
from agentics.archive.glob import MatchBudget, TooMuchWork
from agentics.archive.ignore import MAX_FILE_BYTES, Pattern, ignores, patterns
from agentics.errors import InvalidDocument
from agentics.model.bundle.solution import MANIFEST_FILE, SolutionCommands, SolutionManifest
from agentics.model.document.finding import Finding
from agentics.model.document.json_text import Path as Pointer
from agentics.model.document.json_text import Problem
from agentics.model.document.parsing import invalid, parse, place

SKIPPED = frozenset({".git", ".venv", ".next", ".pytest_cache", ".ruff_cache", ".mypy_cache"}) | frozenset(
    {"target", "node_modules", "__pycache__", "dist", "build"}
)
_EPOCH = (1980, 1, 1, 0, 0, 0)
_EXCLUDES_FILE = re.compile(r'^\s*excludesfile\s*=\s*"?\s*(\S+?)\s*"?\s*$', re.IGNORECASE | re.MULTILINE)


@dataclass(frozen=True, kw_only=True)
class _File:
    """One ignore file. Its patterns are matched with `prefix` and the path without its first `strip` characters."""

    patterns: tuple[Pattern, ...]
    prefix: str = ""
    strip: int = 0

    def ignores(self, path: str, *, directory: bool) -> bool | None:
        return ignores(self.patterns, self.prefix + path[self.strip :], directory=directory)


@dataclass(frozen=True, kw_only=True)
class _Ignored:
    """The ignore files that hold in a directory. A later file decides before an earlier one, and any of `own`, which
    are called `.ignore`, before any of git's."""

    git: tuple[_File, ...] = ()
    own: tuple[_File, ...] = ()
    work: MatchBudget = field(default_factory=MatchBudget)

    def within(self, fd: int, prefix: str) -> _Ignored:
        """With the files of the directory `fd`, whose path is `prefix`."""
        git, own = (
            _of(_read(fd, name, MAX_FILE_BYTES), f"{prefix}{name}", self.work, strip=len(prefix))
            for name in (".gitignore", ".ignore")
        )
        return _Ignored(git=self.git + git, own=self.own + own, work=self.work)

    def has(self, entry: tree.Entry) -> bool:
        for file in (*reversed(self.own), *reversed(self.git)):
            said = file.ignores(entry.path, directory=entry.kind == "directory")
            if said is not None:
                return said
        return tree.name_of(entry).startswith(".")


def pack(root: Path) -> bytes:
    """The ZIP of the solution in `root`. Raises InvalidDocument when the packager's rules are broken."""
    root = root.resolve()
    with hostile.opened(root) as fd:
        data, commands = _manifest(fd)
        try:
            found = sorted(_files(fd, "", _outer(root), 0), key=lambda entry: entry.path)
        except TooMuchWork as error:
            raise _too_costly() from error
        problems = list(_left_out(fd, commands, {entry.path for entry in found}))
        if problems:
            raise invalid(place(data, problems, MANIFEST_FILE))
        _limited(found)
        return _zip(fd, found)


def _too_costly() -> InvalidDocument:
    message, hint = "the ignore files have too many patterns for so many files", "use fewer patterns, with fewer '*'"
    return invalid([Finding(code="ignore_files_too_costly", message=message, file=".", hint=hint)])


def _manifest(fd: int) -> tuple[bytes, SolutionCommands]:
    data = _read(fd, MANIFEST_FILE, SolutionManifest.cap.bytes)
    if data is None:
        hint = "a solution directory has it at its top"
        raise invalid([Finding(code="missing_file", message="no such file", file=MANIFEST_FILE, hint=hint)])
    return data, parse(SolutionManifest, data, MANIFEST_FILE).commands


def _left_out(fd: int, commands: SolutionCommands, packed: set[str]) -> Iterator[Problem]:
    """The manifest and the scripts that it declares, where they would not be in the archive."""
    named: dict[Pointer, str] = {
        (): MANIFEST_FILE,
        **{("commands", key): path for key, path in commands if path is not None},
    }
    for pointer, path in named.items():
        if path in packed:
            continue
        if _is_file(fd, path):
            message, hint = "is declared but would not be packed", "see .gitignore, .ignore, and skipped names"
            yield Problem(code="ignored_file", message=f"{path} {message}", path=pointer, hint=hint)
        else:
            message, hint = "is declared but there is no such file", "create it, or correct the path"
            yield Problem(code="missing_file", message=f"{path} {message}", path=pointer, hint=hint)


def _limited(found: list[tree.Entry]) -> None:
    sizes = [entry.size for entry in found]
    for code, value, limit, unit in (
        ("too_many_entries", len(sizes), SOLUTION.entries, "files"),
        ("archive_too_large", sum(sizes), SOLUTION.expanded, "bytes"),
    ):
        if value > limit:
            message = f"{value} {unit}, at most {limit} are allowed"
            raise invalid(
                [Finding(code=code, message=message, file=".", hint="list what is not needed in .gitignore or .ignore")]
            )


def _files(fd: int, prefix: str, ignored: _Ignored, depth: int) -> Iterator[tree.Entry]:
    ignored = ignored.within(fd, prefix)
    for entry in tree.entries(fd, prefix):
        name = tree.name_of(entry)
        if name in SKIPPED or not _is_utf8(name) or ignored.has(entry):
            continue
        if entry.kind == "directory":
            if depth + 1 >= tree.MAX_DEPTH:
                tree.refuse_too_deep(entry.path)
            with tree.below(fd, name) as inner:
                yield from _files(inner, f"{entry.path}/", ignored, depth + 1)
        elif entry.kind == "file":
            yield entry


def _is_utf8(name: str) -> bool:
    """Python holds the bytes of a name that are not UTF-8 as surrogates."""
    return not any("\ud800" <= character <= "\udfff" for character in name)


def _outer(root: Path) -> _Ignored:
    """The user's own excludes, then what stands above the workspace, the farthest first.

    Git's files count up to the repository, as in git; `.ignore` files count up to the root of the file system.
    """
    above = list(root.parents)
    repository = next((folder for folder in (root, *above) if (folder / ".git").exists()), None)
    gits = above if repository is None else above[: above.index(repository) + 1] if repository != root else []
    work = MatchBudget()
    git = _of_file(_personal(), work)
    if repository is not None:
        git += _of_file(repository / ".git" / "info" / "exclude", work, prefix=_within(root, repository))
    for folder in reversed(gits):
        git += _of_file(folder / ".gitignore", work, prefix=_within(root, folder))
    own: tuple[_File, ...] = ()
    for folder in reversed(above):
        own += _of_file(folder / ".ignore", work, prefix=_within(root, folder))
    return _Ignored(git=git, own=own, work=work)


def _within(root: Path, folder: Path) -> str:
    """The path of the workspace below a directory, with a final slash; "" if it is that directory."""
    path = root.relative_to(folder).as_posix()
    return "" if path == "." else f"{path}/"


def _personal() -> Path:
    """The file that git calls `core.excludesFile`."""
    configured = os.environ.get("XDG_CONFIG_HOME")
    config = Path(configured) if configured else Path.home() / ".config"
    for settings in (Path.home() / ".gitconfig", config / "git" / "config"):
        found = _EXCLUDES_FILE.search((_read_file(settings) or b"").decode("utf-8", "replace"))
        if found is not None:
            return Path(found[1]).expanduser()
    return config / "git" / "ignore"


def _of_file(path: Path, work: MatchBudget, *, prefix: str = "") -> tuple[_File, ...]:
    return _of(_read_file(path), str(path), work, prefix=prefix)


def _of(data: bytes | None, file: str, work: MatchBudget, *, prefix: str = "", strip: int = 0) -> tuple[_File, ...]:
    return () if data is None else (_File(patterns=patterns(data, file, work), prefix=prefix, strip=strip),)


def _read_file(path: Path) -> bytes | None:
    try:
        with hostile.opened(path.parent) as fd:
            return _read(fd, path.name, MAX_FILE_BYTES)
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
