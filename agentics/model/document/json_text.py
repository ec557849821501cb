"""Reads JSON text as strictly as serde_json does, remembers every problem, and goes on where going on makes sense.

Linear in the text, bounded in depth and in the number of values. Knows nothing of documents: whether a repeated key
matters, or a value that a document ignores, is decided elsewhere.
"""

from __future__ import annotations

import math
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from json import JSONDecodeError, JSONDecoder
from json.decoder import scanstring  # type: ignore[attr-defined]  # the C scanner, missing from the type stubs
from typing import Any, NoReturn, TypeAlias

from agentics.model.document.size_caps import Cap

MAX_DEPTH = 127
MIN_INTEGER, MAX_INTEGER = -(1 << 63), (1 << 64) - 1
MAX_PROBLEMS = 200
_SHOWN_KEY = 256

Json: TypeAlias = Any  # None, bool, int, float, str, a list of Json or a dict of str to Json
Path: TypeAlias = tuple[str | int, ...]
Trie: TypeAlias = dict[str | int, Any]

_SPACE = re.compile(r"[ \t\n\r]*")
_NUMBER = re.compile(r"(-?(?:0|[1-9][0-9]*))((?:\.[0-9]+)?(?:[eE][+-]?[0-9]+)?)")
_WORD = re.compile(r"-?[A-Za-z]+")
_SURROGATE = re.compile("[\ud800-\udfff]")
_WORDS = {"true": True, "false": False, "null": None}
_CONSTANTS = frozenset({"NaN", "Infinity", "-Infinity"})
_CLOSERS = {"{": "}", "[": "]"}
# For text that `scan` has read. `float` takes what `int` refuses, a number of ten thousand digits.
_DECODER = JSONDecoder(parse_int=float)
_UNWANTED: Trie = {}


@dataclass(frozen=True, kw_only=True)
class Problem:
    """Something wrong at an offset of the text, or, where `offset` is None, at the value or key that `path` names.

    `meant` is the known key that an unknown one most likely stands for.
    """

    code: str
    message: str
    path: Path = ()
    offset: int | None = None
    hint: str | None = None
    severity: str = "error"
    meant: Path | None = None


@dataclass(frozen=True, kw_only=True)
class Scan:
    """`value` means something only where `complete`. `duplicates` are repeated keys: the last one is in the value."""

    text: str
    value: Json
    complete: bool
    problems: tuple[Problem, ...]
    duplicates: tuple[tuple[Path, int], ...]


class _Stop(Exception):
    """The text cannot be read on from here."""


@dataclass
class _Cursor:
    text: str
    left: int
    at: int = 0
    path: list[str | int] = field(default_factory=list)
    problems: list[Problem] = field(default_factory=list)
    duplicates: list[tuple[Path, int]] = field(default_factory=list)
    keys: dict[Path, int] = field(default_factory=dict)
    values: dict[Path, int] = field(default_factory=dict)

    def note(self, code: str, message: str, offset: int, hint: str | None = None) -> None:
        problem = Problem(code=code, message=message, path=tuple(self.path), offset=offset, hint=hint)
        if len(self.problems) < MAX_PROBLEMS:
            self.problems.append(problem)

    def stop(self, message: str, offset: int, code: str = "syntax", hint: str | None = None) -> NoReturn:
        if len(self.problems) >= MAX_PROBLEMS:
            self.problems.pop()
        self.note(code, message, offset, hint)
        raise _Stop

    def count(self) -> None:
        """One more value begins here."""
        self.left -= 1
        if self.left < 0:
            self.stop("too many values: the rest is not read", self.at, "too_many_values")

    def skip(self) -> str:
        """Move to the next character that is not space; that character, or "" at the end."""
        here = self.text[self.at : self.at + 1]
        if here > " ":
            return here
        found = _SPACE.match(self.text, self.at)
        assert found is not None
        self.at = found.end()
        return self.text[self.at : self.at + 1]


def scan(data: bytes, cap: Cap) -> Scan:
    """Read one JSON document. Never raises. Beyond the cap on bytes nothing is read, beyond that on values no more."""
    if len(data) > cap.bytes:
        problem = Problem(code="too_large", message=f"more than {cap.bytes} bytes", offset=0)
        return Scan(text="", value=None, complete=False, problems=(problem,), duplicates=())
    try:
        text = data.decode("utf-8")
    except UnicodeDecodeError as error:
        good = data[: error.start].decode("utf-8")
        problem = Problem(code="not_utf8", message="not UTF-8", offset=len(good), hint="save the file as UTF-8")
        return Scan(text=good, value=None, complete=False, problems=(problem,), duplicates=())
    cursor = _Cursor(text, left=cap.values)
    value, complete = None, False
    try:
        value = _document(cursor)
        complete = True
    except _Stop:
        pass
    return Scan(
        text=text,
        value=value,
        complete=complete,
        problems=tuple(cursor.problems),
        duplicates=tuple(cursor.duplicates),
    )


def locate(text: str, wanted: Iterable[Path]) -> tuple[Mapping[Path, int], Mapping[Path, int]]:
    """Where keys and values are in a text that `scan` could complete: offsets of keys, and of values."""
    root: Trie = {}
    for path in wanted:
        here = root
        for part in path:
            here = here.setdefault(part, {})
    cursor = _Cursor(text, left=len(text))
    if text.startswith("\ufeff"):
        cursor.at = 1
    _value(cursor, root, 0)
    return cursor.keys, cursor.values


def positions(text: str, offsets: Iterable[int]) -> Mapping[int, tuple[int, int]]:
    """The line and column of each offset, both from 1; a column counts characters."""
    found: dict[int, tuple[int, int]] = {}
    line, start, before = 1, 0, 0
    for offset in sorted(set(offsets)):
        line += text.count("\n", before, offset)
        start = text.rfind("\n", before, offset) + 1 or start
        found[offset] = (line, offset - start + 1)
        before = offset
    return found


def pointer(path: Path) -> str:
    """RFC 6901, but for keys of an absurd length, which are cut."""
    return "".join("/" + str(part)[:_SHOWN_KEY].replace("~", "~0").replace("/", "~1") for part in path)


def _document(cursor: _Cursor) -> Json:
    if cursor.text.startswith("\ufeff"):
        cursor.note("byte_order_mark", "the text starts with a byte order mark", 0, "save it as UTF-8 without BOM")
        cursor.at = 1
    value = _value(cursor, None, 0)
    if cursor.skip():
        cursor.note("trailing_text", "text after the end of the JSON value", cursor.at)
    return value


def _value(cursor: _Cursor, wanted: Trie | None, depth: int) -> Json:
    first = cursor.skip()
    cursor.count()
    if wanted is not None:
        if wanted is not _UNWANTED:
            cursor.values[tuple(cursor.path)] = cursor.at
        if not wanted:
            return _step_over(cursor)
    if first == '"':
        return _string(cursor)
    if first in _CLOSERS:
        if depth >= MAX_DEPTH:
            return _too_deep(cursor)
        return _object(cursor, wanted, depth + 1) if first == "{" else _array(cursor, wanted, depth + 1)
    if first and first in "-0123456789":
        return _number(cursor)
    return _word(cursor)


def _step_over(cursor: _Cursor) -> None:
    """Past a value that `scan` has read, in which nothing is wanted."""
    try:
        _, cursor.at = _DECODER.raw_decode(cursor.text, cursor.at)
    except RecursionError:
        _too_deep(cursor)


def _below(wanted: Trie | None, part: str | int) -> Trie | None:
    return None if wanted is None else wanted.get(part, _UNWANTED)


def _too_deep(cursor: _Cursor) -> None:
    """Step over a value that is nested too deep, without recursion. It must be JSON all the same."""
    cursor.note("too_deep", f"nested deeper than {MAX_DEPTH} levels", cursor.at)
    known = len(cursor.problems)
    closers: list[str] = []
    try:
        while _opened(cursor, closers) or _closed(cursor, closers):
            pass
    except _Stop:
        del cursor.problems[known:]  # that it is too deep says enough
        raise
    cursor.problems[known:] = [problem for problem in cursor.problems[known:] if problem.code == "not_json"]


def _opened(cursor: _Cursor, closers: list[str]) -> bool:
    """Take the next value; whether it is a list or object with something in it."""
    first = cursor.skip()
    if first not in _CLOSERS:
        _value(cursor, None, 0)
        return False
    cursor.count()
    cursor.at += 1
    if cursor.skip() == _CLOSERS[first]:
        cursor.at += 1
        return False
    closers.append(_CLOSERS[first])
    if first == "{":
        _key(cursor)
    return True


def _closed(cursor: _Cursor, closers: list[str]) -> bool:
    """Close whatever ends here; whether another value follows."""
    while closers:
        if not _ends(cursor, closers[-1]):
            if closers[-1] == "}":
                _key(cursor)
            return True
        closers.pop()
    return False


def _object(cursor: _Cursor, wanted: Trie | None, depth: int) -> dict[str, Json]:
    members: dict[str, Json] = {}
    cursor.at += 1
    if cursor.skip() == "}":
        cursor.at += 1
        return members
    while True:
        key, start = _key(cursor)
        cursor.path.append(key)
        below = _below(wanted, key)
        if below is not None and below is not _UNWANTED:
            cursor.keys[tuple(cursor.path)] = start
        if key in members:
            cursor.duplicates.append((tuple(cursor.path), start))
        members[key] = _value(cursor, below, depth)
        cursor.path.pop()
        if _ends(cursor, "}"):
            return members


def _key(cursor: _Cursor) -> tuple[str, int]:
    """A key with the colon after it, and the offset of the key."""
    if cursor.skip() != '"':
        cursor.stop("expected a key in double quotes", cursor.at, hint=_trailing_comma(cursor))
    start = cursor.at
    key = _string(cursor)
    if cursor.skip() != ":":
        cursor.stop("expected ':' after the key", cursor.at)
    cursor.at += 1
    return key, start


def _array(cursor: _Cursor, wanted: Trie | None, depth: int) -> list[Json]:
    items: list[Json] = []
    cursor.at += 1
    if cursor.skip() == "]":
        cursor.at += 1
        return items
    while True:
        cursor.path.append(len(items))
        items.append(_value(cursor, _below(wanted, len(items)), depth))
        cursor.path.pop()
        if _ends(cursor, "]"):
            return items


def _ends(cursor: _Cursor, close: str) -> bool:
    found = cursor.skip()
    if found not in (",", close) or not found:
        cursor.stop(f"expected ',' or '{close}'", cursor.at)
    cursor.at += 1
    return found == close


def _trailing_comma(cursor: _Cursor) -> str | None:
    return "remove the comma before it" if cursor.text[cursor.at : cursor.at + 1] == "}" else None


def _string(cursor: _Cursor) -> str:
    start = cursor.at
    try:
        found, cursor.at = scanstring(cursor.text, start + 1, True)  # noqa: FBT003  takes it by position only
    except JSONDecodeError as error:
        reason = error.msg[0].lower() + error.msg[1:]
        cursor.stop(f"bad string: {reason.removesuffix(' at').removesuffix(' starting')}", error.pos)
    text = str(found)
    if not text.isascii() and _SURROGATE.search(text):
        cursor.note("lone_surrogate", "a surrogate escape without its other half", start)
        return _SURROGATE.sub("\ufffd", text)
    return text


def _number(cursor: _Cursor) -> int | float | bool | None:
    start = cursor.at
    found = _NUMBER.match(cursor.text, start)
    if found is None or _goes_on(cursor.text, found.end()):
        return _word(cursor)
    cursor.at = found.end()
    value = float(found[0])
    if not math.isfinite(value):
        cursor.note("number_out_of_range", "a number beyond the range of a double", start)
        return None
    if found[2] or found[1] == "-0":
        return value
    # A finite whole number has at most 309 digits, so converting it costs nothing.
    whole = int(found[1])
    return whole if MIN_INTEGER <= whole <= MAX_INTEGER else value


def _goes_on(text: str, at: int) -> bool:
    following = text[at : at + 1]
    return following.isalnum() or following in {".", "+", "-"}


def _word(cursor: _Cursor) -> bool | None:
    found = _WORD.match(cursor.text, cursor.at)
    word = found[0] if found else ""
    if word in _WORDS:
        cursor.at += len(word)
        return _WORDS[word]
    if word in _CONSTANTS:
        cursor.note("not_json", f"{word} is not JSON", cursor.at, "use null or a finite number")
        cursor.at += len(word)
        return None
    if not cursor.text[cursor.at :].strip(" \t\n\r"):
        cursor.stop("the text ends where a value should be", cursor.at)
    return cursor.stop("expected a JSON value", cursor.at, hint=_hint(cursor))


def _hint(cursor: _Cursor) -> str | None:
    here = cursor.text[cursor.at : cursor.at + 1]
    if here == "'":
        return "JSON strings have double quotes"
    if here in ("]", "}"):
        return "remove the comma before it"
    if here in ("/", "#"):
        return "JSON has no comments"
    if here in ("+", ".") or here.isdigit() or here == "-":
        return "a JSON number has digits before and after '.', no leading zero and no '+'"
    return None
