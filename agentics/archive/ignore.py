"""Patterns of `.gitignore` and `.ignore` files, matched as the walker of ripgrep matches them.

A pattern is matched with one path, and says nothing of the paths below it. A walk leaves out a directory that is
ignored, and with it everything that the directory holds. The library pathspec lets a pattern match everything below a
path, too; then `*` with `!*/` and `!*.py` keeps the wrong files.

Unlike in ripgrep, a file may have at most 1 MiB, 2048 patterns, and 1024 bytes in one pattern; and all matching for one
solution is bounded.
"""

from __future__ import annotations

import os
from dataclasses import dataclass

from agentics.archive.glob import Glob, InvalidGlob, MatchBudget, compiled
from agentics.errors import InvalidDocument
from agentics.model.document.finding import Finding
from agentics.model.document.parsing import invalid

MAX_FILE_BYTES = 1 << 20
MAX_PATTERNS = 2048
MAX_PATTERN_BYTES = 1024


@dataclass(frozen=True, kw_only=True)
class Pattern:
    """`keeps`: what it matches is not ignored, whatever patterns before it say."""

    glob: Glob
    keeps: bool
    directories_only: bool


def patterns(data: bytes, file: str, work: MatchBudget) -> tuple[Pattern, ...]:
    """The patterns of a file, in its order. Lines that are no pattern match nothing, as in git. `file` is how a finding
    calls it; `work`: what matching all of the patterns may take. Raises InvalidDocument beyond the limits."""
    if len(data) > MAX_FILE_BYTES:
        raise _too_large(file, f"more than {MAX_FILE_BYTES} bytes")
    lines = data.decode("utf-8", "replace").removeprefix("\ufeff").split("\n")
    found = []
    for number, line in enumerate(lines, 1):
        if len(line.encode()) > MAX_PATTERN_BYTES and not line.startswith("#"):
            raise _too_large(file, f"line {number} has more than {MAX_PATTERN_BYTES} bytes")
        if (pattern := _pattern(line.removesuffix("\r"), work)) is not None:
            found.append(pattern)
        if len(found) > MAX_PATTERNS:
            raise _too_large(file, f"more than {MAX_PATTERNS} patterns")
    return tuple(found)


def ignores(found: tuple[Pattern, ...], path: str, *, directory: bool) -> bool | None:
    """Whether the file ignores `path`, which is relative to the file's directory. None: no pattern matches it.
    Raises TooMuchWork."""
    raw = os.fsencode(path)
    for pattern in reversed(found):
        if (directory or not pattern.directories_only) and pattern.glob.matches(raw):
            return not pattern.keeps
    return None


def _pattern(line: str, work: MatchBudget) -> Pattern | None:
    if line.startswith("#") or not line.strip():
        return None
    glob = line if line.endswith("\\ ") else line.rstrip()
    keeps = glob.startswith("!")
    glob = glob[1:] if keeps or glob.startswith(("\\!", "\\#")) else glob
    anchored = glob.startswith("/")
    glob = glob.removeprefix("/")
    if not glob:
        return None
    directories_only = glob.endswith("/")
    if directories_only:
        glob = glob[:-1].removesuffix("\\")
    if not anchored and "/" not in glob and glob != "**":
        glob = f"**/{glob}"
    if glob.endswith("/**"):
        glob += "/*"  # what is in the directory, and not the directory
    try:
        return Pattern(glob=compiled(glob, work), keeps=keeps, directories_only=directories_only)
    except InvalidGlob:
        return None


def _too_large(file: str, message: str) -> InvalidDocument:
    return invalid([Finding(code="ignore_file_too_large", message=message, file=file, hint="shorten it")])
