"""Finds planted words wherever they may hide: wrapped over lines, coloured, in capitals, or as base64."""

from __future__ import annotations

import base64
import re
from collections.abc import Mapping
from pathlib import Path

WORD = "cnry"  # nobody may see it but the operator
INPUT = "ptcp"  # a participant's program may see it, the public not: inputs of official cases, the session's name
_CONTROL = re.compile(rb"\x1b\[[0-9;?]*[A-Za-z]|[\s\xe2\x94\x80-\x82|]+")


def _cores(word: str) -> list[bytes]:
    """What is the same in base64 whatever stands before and after the word."""
    forms = (base64.b64encode(b"\0" * shift + word.encode() + b"\0\0\0") for shift in range(3))
    return [form[start:end] for form, (start, end) in zip(forms, ((0, 5), (2, 6), (3, 8)), strict=True)]


def leaks(shown: Mapping[str, bytes], *words: str) -> list[str]:
    """Where a planted word is (any of ours when none is named), with what stands around it. Empty is wanted."""
    return [
        f"{place}: {context}"
        for place, data in shown.items()
        for word in words or (WORD, INPUT)
        if (context := _context(data, word)) is not None
    ]


def files(root: Path, *patterns: str) -> dict[str, bytes]:
    """Every regular file that matches, by its path below `root`."""
    found = {path for pattern in patterns for path in root.glob(pattern) if path.is_file()}
    return {str(path.relative_to(root)): path.read_bytes() for path in sorted(found)}


def _context(data: bytes, word: str) -> str | None:
    for text in (data.lower(), _CONTROL.sub(b"", data).lower()):
        at = text.find(word.encode())
        if at >= 0:
            return text[max(0, at - 80) : at + 60].decode(errors="replace")
    core = next((core for core in _cores(word) if core in data), None)
    return f"as base64: {core.decode()}" if core else None
