"""Patterns of `.gitignore` and `.ignore` files, matched as the walker of ripgrep matches them.

A pattern is matched with one path, and says nothing of the paths below it. A walk leaves out a directory that is
ignored, and with it everything that the directory holds. The library pathspec lets a pattern match everything below a
path, too; then `*` with `!*/` and `!*.py` keeps the wrong files.
"""

from __future__ import annotations

import os
import re
from dataclasses import dataclass

_ANYWHERE, _BELOW, _BETWEEN, _ANY = "(?:.*/)?", "/.*", "(?:/|/.*/)", "[^/]*"
_BRACES = {"{": "(?:", "}": ")", ",": "|"}


@dataclass(frozen=True, kw_only=True)
class Pattern:
    """`keeps`: what it matches is not ignored, whatever patterns before it say."""

    regex: re.Pattern[bytes]
    keeps: bool
    directories_only: bool


def patterns(data: bytes) -> tuple[Pattern, ...]:
    """The patterns of a file, in its order. Lines that are no pattern match nothing, as in git."""
    lines = data.decode("utf-8", "replace").removeprefix("\ufeff").split("\n")
    return tuple(found for line in lines if (found := _pattern(line.removesuffix("\r"))) is not None)


def ignores(found: tuple[Pattern, ...], path: str, *, directory: bool) -> bool | None:
    """Whether the file ignores `path`, which is relative to the file's directory. None: no pattern matches it."""
    raw = os.fsencode(path)
    for pattern in reversed(found):
        if (directory or not pattern.directories_only) and pattern.regex.fullmatch(raw):
            return not pattern.keeps
    return None


def _pattern(line: str) -> Pattern | None:
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
        # Bytes, as in git: `?` is one byte of a name.
        regex = re.compile((".*" if glob in {"**", "**/"} else _regex(glob)).encode(), re.DOTALL)
    except re.error:
        return None
    return Pattern(regex=regex, keeps=keeps, directories_only=directories_only)


def _regex(glob: str) -> str:
    """The glob as a regular expression; one that does not compile for an invalid glob, such as an unclosed brace."""
    parts: list[str] = []
    depth = at = 0
    while at < len(glob):
        here = glob[at]
        if glob.startswith("**", at):
            at = _stars(glob, at, parts, depth)
            continue
        at += 1
        if here == "*":
            parts.append(_ANY)
        elif here == "?":
            parts.append("[^/]")
        elif here == "[":
            at = _class(glob, at, parts)
        elif here in "{}" or (here == "," and depth):
            depth += (here == "{") - (here == "}")
            parts.append(_BRACES[here])
        elif here == "\\":
            parts.append(re.escape(glob[at]) if at < len(glob) else "\\")
            at += 1
        else:
            parts.append(re.escape(here))
    return "".join(parts)


def _stars(glob: str, at: int, parts: list[str], depth: int) -> int:
    """Take `**`, which means directories only where it stands alone between slashes. Where to go on."""
    before, after = glob[at - 1 : at], glob[at + 2 : at + 3]
    ends = not after or (depth > 0 and after in ",}")
    if not parts or parts[-1] in {"(?:", "|"}:
        parts.append(_ANYWHERE if ends or after == "/" else _ANY)
    elif before == "/" and (ends or after == "/"):
        if parts[-1] not in {_ANYWHERE, _BELOW}:
            parts[-1] = _BELOW if ends else _BETWEEN
    else:
        parts.append(_ANY)
        return at + 2
    return at + 3 if after == "/" else at + 2


def _class(glob: str, at: int, parts: list[str]) -> int:
    """Take the characters between brackets, the first of which has been read. Where to go on."""
    negated = glob[at : at + 1] in {"!", "^"}
    start = at + negated
    end = glob.find("]", start + 1)
    if end < 0:
        parts.append(r"\[")
        return at
    inside = "".join("-" if c == "-" else re.escape(c) for c in glob[start:end])
    parts.append(f"(?!/)[{'^' if negated else ''}{inside}]")
    return end + 1
