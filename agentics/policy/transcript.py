"""A session's transcript as people read it, and as each side's bytes."""

from __future__ import annotations

import base64
import json
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass
from functools import lru_cache

from agentics.model.evidence import Speaker


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


def readable(transcript: bytes) -> str:
    """A line for each line that was said: when, by whom, what. A last line that was not ended is marked."""
    return "".join(line for chunk in chunks(transcript) for line in _lines(chunk))


def _lines(chunk: Chunk) -> Iterator[str]:
    text = chunk.data.decode(errors="replace")
    *whole, rest = text.split("\n")
    for line in whole:
        yield f"{chunk.at_s:8.2f} s  {chunk.speaker:>9}> {line}\n"
    if rest:
        yield f"{chunk.at_s:8.2f} s  {chunk.speaker:>9}> {rest} [no line end]\n"
