"""Where words go: data to stdout, talk to stderr; and nothing that a stranger wrote steers a terminal."""

from __future__ import annotations

import json
import os
import sys
import unicodedata
from typing import Any

from rich.console import Console

out = Console(highlight=False, soft_wrap=True)
err = Console(stderr=True, highlight=False, soft_wrap=True)

# Invisible or reordering: zero widths, bidirectional overrides and isolates, byte order mark, soft hyphen.
_UNSEEN = frozenset("\u00ad\u200b\u200c\u200d\u200e\u200f\u2028\u2029\u2060\ufeff")
_REORDERING = frozenset("\u202a\u202b\u202c\u202d\u202e\u2066\u2067\u2068\u2069\u061c")


def plain(text: str, limit: int = 2000) -> str:
    """Text of a stranger, fit for a terminal: control characters shown, not obeyed; tabs and newlines kept."""
    shown = "".join(_visible(character) for character in text[:limit])
    return shown if len(text) <= limit else f"{shown}…"


def one_line(text: str, limit: int = 300) -> str:
    return plain(" ".join(text.split()), limit)


def print_json(document: Any) -> None:  # noqa: ANN401 - anything that JSON can say
    """One JSON document on stdout, indented for people when stdout is a terminal."""
    indent = 2 if sys.stdout.isatty() else None
    sys.stdout.write(json.dumps(document, indent=indent, ensure_ascii=not sys.stdout.isatty()) + "\n")
    sys.stdout.flush()


def is_interactive() -> bool:
    """A person is watching stderr: a terminal, not CI, not a dumb one."""
    return err.is_terminal and not os.environ.get("CI") and os.environ.get("TERM") != "dumb"


def _visible(character: str) -> str:
    if character in "\n\t":
        return character
    if character in _UNSEEN or character in _REORDERING or unicodedata.category(character) in ("Cc", "Cs"):
        return f"\\u{ord(character):04x}"
    return character
