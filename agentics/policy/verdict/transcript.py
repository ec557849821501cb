"""What the two sides wrote, as people read it: marked line by line, so that no text can be taken for another's.

Also a session's transcript as each side's bytes.
"""

from __future__ import annotations

import base64
import json
import unicodedata
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass
from functools import lru_cache

from agentics.model.evidence.trial_evidence import Speaker

LINE_CHARACTERS = 4000
_UNSEEN = frozenset({"Cc", "Cf", "Cs", "Co", "Cn", "Zl", "Zp"})
"""Unicode categories of what is not printed, or is obeyed: controls, bidi marks, zero widths, separators of lines."""


@dataclass(frozen=True, kw_only=True)
class Chunk:
    """What one side said before the other spoke; `at_s`: when it began, in seconds from the session's start."""

    speaker: Speaker
    at_s: float
    data: bytes


@lru_cache(maxsize=1)
def chunks(transcript: bytes) -> tuple[Chunk, ...]:
    """The chunks of a kept transcript, a JSON line each, up to the first line that cannot be read."""
    found: list[Chunk] = []
    with suppress(ValueError, KeyError, TypeError, AttributeError):
        for line in transcript.split(b"\n")[:-1]:
            said = json.loads(line)
            data = said["text"].encode() if "text" in said else base64.b64decode(said["base64"])
            found.append(Chunk(speaker=said["speaker"], at_s=float(said["at_s"]), data=data))
    return tuple(found)


def said_by(speaker: Speaker, transcript: bytes) -> bytes:
    """Everything that one side said."""
    return b"".join(chunk.data for chunk in chunks(transcript) if chunk.speaker == speaker)


def last_chunk(transcript: bytes, speaker: Speaker | None = None) -> Chunk | None:
    """What was said last, or last by one side; None where nothing was said."""
    said = (chunk for chunk in reversed(chunks(transcript)) if speaker in (None, chunk.speaker))
    return next(said, None)


def marked(author: str, text: bytes) -> bytes:
    """The text with `author| ` before each line; only a line feed ends one. Empty where there is no text.

    What is not printable is written as an escape: `\\r`, `\\x1b`, `\\u202e`, and `\\xff` for a byte that is not UTF-8.
    A line longer than 4000 characters is broken, with `author+ ` before each further part.
    """
    if not text:
        return b""
    lines = text.decode(errors="backslashreplace").removesuffix("\n").split("\n")
    return "".join(part for line in lines for part in _parts(author, visible(line))).encode()


def _parts(author: str, line: str) -> Iterator[str]:
    yield f"{author}| {line[:LINE_CHARACTERS]}\n"
    for start in range(LINE_CHARACTERS, len(line), LINE_CHARACTERS):
        yield f"{author}+ {line[start : start + LINE_CHARACTERS]}\n"


def visible(text: str) -> str:
    """The text on one line of printable characters; what is not printable, a line feed too, is written as an escape."""
    if text.isprintable():
        return text
    return "".join(_escaped(c) if c != "\t" and unicodedata.category(c) in _UNSEEN else c for c in text)


def _escaped(character: str) -> str:
    return character.encode("unicode_escape").decode()


def readable(transcript: bytes) -> str:
    """A line for each line that was said: when, by whom, what. A last line that was not ended is marked."""
    return "".join(line for chunk in chunks(transcript) for line in _lines(chunk))


def _lines(chunk: Chunk) -> Iterator[str]:
    text = chunk.data.decode(errors="backslashreplace")
    *whole, rest = text.split("\n")
    for line in whole:
        yield f"{chunk.at_s:8.2f} s  {chunk.speaker:>9}> {visible(line)}\n"
    if rest:
        yield f"{chunk.at_s:8.2f} s  {chunk.speaker:>9}> {visible(rest)} [no line end]\n"
