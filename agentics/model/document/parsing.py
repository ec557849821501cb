"""The one way from bytes to a model: every problem of a document at once, each with its place, code and hint.

`load` gives findings as values; `parse` raises them.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import islice
from typing import Generic, TypeVar

from pydantic import BaseModel, ValidationError

from agentics.errors import InvalidDocument
from agentics.model.document.finding import Finding, shown_pointer
from agentics.model.document.json_text import (
    MAX_PROBLEMS,
    Json,
    Path,
    Problem,
    Scan,
    locate,
    pointer,
    positions,
    scan,
)
from agentics.model.document.problems import explain
from agentics.model.document.shape import owner
from agentics.model.document.size_caps import RECORD, Cap
from agentics.model.document.sound_parts import sound_part
from agentics.model.document.strict_types import Mistakes

M = TypeVar("M", bound=BaseModel)
MAX_FINDINGS = 1000
TOO_MANY = "too_many_findings"
_LIST_SHOWN = 1000
SIZES = "how large each kind of document may be: docs/bundle-format.md#how-large-a-document-may-be"
_SIZED = frozenset({"too_large", "too_many_values"})
_JUDGED = frozenset({"lone_surrogate", "number_out_of_range", "too_deep"})


@dataclass(frozen=True, kw_only=True)
class Rule(Generic[M]):
    """A rule across fields. It is tried when the top-level keys it `needs` are sound, even if others are not."""

    needs: tuple[str, ...]
    check: Callable[[M], Iterable[Problem]]


@dataclass(frozen=True, kw_only=True)
class Loaded(Generic[M]):
    """`value` is None exactly when a finding is an error.

    `sound` is for checks of what the document names: the document, or what is sound of it, as `part.sound_part` has
    it. None where nothing could be read.
    """

    value: M | None
    findings: tuple[Finding, ...]
    sound: M | None = None


def load(model: type[M], data: bytes, file: str, rules: Sequence[Rule[M]] = ()) -> Loaded[M]:
    """Read a document within the model's `cap`. `file` is how findings name it. Never raises on bad input."""
    read = scan(data, cap_of(model))
    if not read.complete:
        return Loaded(value=None, findings=_placed(read, read.problems, file))
    textual = [problem for problem in read.problems if not _skipped(model, read.value, problem)]
    if any(problem.code == "too_deep" for problem in textual):
        return Loaded(value=None, findings=_placed(read, textual, file))
    value, shape = _shape(model, read)
    found = [*textual, *islice(_duplicates(model, read), MAX_PROBLEMS), *shape]
    sound: M | None = value
    if value is not None:
        found += _apply(value, rules)
    elif all(problem.code != TOO_MANY for problem in shape):
        part = sound_part(model, read.value, found, deep=False) if rules else None
        sound = sound_part(model, read.value, found, deep=True)
        found += [] if part is None else _apply(part, [r for r in rules if all(hasattr(part, n) for n in r.needs)])
    findings = _placed(read, found, file)
    failed = any(f.severity == "error" for f in findings)
    return Loaded(value=None if failed else value, findings=findings, sound=sound)


def parse(model: type[M], data: bytes, file: str, rules: Sequence[Rule[M]] = ()) -> M:
    """Read a document. Raises InvalidDocument with all findings."""
    loaded = load(model, data, file, rules)
    if loaded.value is None:
        raise invalid(loaded.findings)
    return loaded.value


def cap_of(model: type[BaseModel]) -> Cap:
    """How large the text of such a document may be."""
    cap: Cap = getattr(model, "cap", RECORD)
    return cap


def invalid(findings: Sequence[Finding]) -> InvalidDocument:
    """The exception for findings of which at least one is an error: its message is the first of them, and how many."""
    errors = [f for f in findings if f.severity == "error"]
    first = errors[0]
    where = f"{first.file}:{first.line}:{first.column}" if first.line else first.file
    more = f" (and {len(errors) - 1} more)" if len(errors) > 1 else ""
    at = f" at {_printable(shown_pointer(first.pointer))}" if first.pointer else ""
    return InvalidDocument(f"{where}: {first.message}{at}{more}", capped(findings), hint=first.hint)


def capped(findings: Sequence[Finding]) -> tuple[Finding, ...]:
    """The first MAX_FINDINGS, and where there are more one that says so: a tree can hold a hundred thousand links."""
    if len(findings) <= MAX_FINDINGS:
        return tuple(findings)
    message = f"{len(findings)} findings, of which only the first {MAX_FINDINGS} are listed"
    return (*findings[:MAX_FINDINGS], Finding(code=TOO_MANY, message=message, file=findings[0].file))


def place(data: bytes, problems: Iterable[Problem], file: str) -> tuple[Finding, ...]:
    """Findings for problems of a document that `load` could read, such as those that only files reveal. At most
    MAX_PROBLEMS of them, and one more that says so."""
    listed = _first(problems)
    return _placed(scan(data, RECORD), listed, file) if listed else ()


def _printable(text: str) -> str:
    """A key may hold anything, also what a terminal would obey."""
    return "".join(c if c.isprintable() else "\ufffd" for c in text)


def _shape(model: type[M], read: Scan) -> tuple[M | None, list[Problem]]:
    try:
        return model.model_validate(read.value, context=Mistakes(most=MAX_PROBLEMS)), []
    except ValidationError as errors:
        if errors.error_count() <= MAX_PROBLEMS:
            return None, explain(model, read.value, errors)
    # A hostile document can hold a million mistakes; listing them all would cost more than reading it.
    return None, [*_first_mistakes(model, read.value), _too_many()]


def _first_mistakes(model: type[M], value: Json) -> list[Problem]:
    try:
        model.model_validate(_shortened(value), context=Mistakes(most=MAX_PROBLEMS))
    except ValidationError as errors:
        return explain(model, value, errors)[:MAX_PROBLEMS]
    return []


def _shortened(value: Json) -> Json:
    if isinstance(value, list):
        return [_shortened(item) for item in value[:_LIST_SHOWN]]
    if isinstance(value, dict):
        return {key: _shortened(item) for key, item in list(value.items())[:_LIST_SHOWN]}
    return value


def _first(problems: Iterable[Problem]) -> list[Problem]:
    listed = list(islice(problems, MAX_PROBLEMS + 1))
    return [*listed[:MAX_PROBLEMS], _too_many()] if len(listed) > MAX_PROBLEMS else listed


def _too_many() -> Problem:
    return Problem(code=TOO_MANY, message=f"more than {MAX_PROBLEMS} problems, of which only the first are listed")


def _skipped(model: type[M], value: Json, problem: Problem) -> bool:
    """Whether the problem is in a value that the document ignores. Such a value must be JSON, and nothing more."""
    if problem.code not in _JUDGED:
        return False
    owners = (owner(model, value, problem.path[:length]) for length in range(len(problem.path)))
    return any(at is not None and at.skips and key not in at.keys for at, key in zip(owners, problem.path, strict=True))


def _duplicates(model: type[M], read: Scan) -> Iterator[Problem]:
    for path, offset in read.duplicates:
        at = owner(model, read.value, path[:-1])
        if at is not None and (path[-1] in at.keys or at.closed):
            message = f"the key {path[-1]!r:.100} is there more than once"
            yield Problem(code="duplicate_key", message=message, path=path, offset=offset, hint="keep one of them")


def _apply(value: M, rules: Sequence[Rule[M]]) -> list[Problem]:
    return _first(problem for rule in rules for problem in rule.check(value))


def _placed(read: Scan, problems: Iterable[Problem], file: str) -> tuple[Finding, ...]:
    listed = list(problems)
    said = {p.path for p in listed if p.offset is not None and p.code not in {"duplicate_key", "trailing_text"}}
    # What the text itself got wrong has been said; that the stand-in for it has the wrong type is no second finding.
    listed = [p for p in listed if p.offset is not None or not p.path or p.path not in said or p.code == "unknown_key"]
    keys, values = locate(read.text, [p.path for p in listed if p.offset is None]) if read.complete else ({}, {})
    offsets = [p.offset if p.offset is not None else _offset(p, keys, values) for p in listed]
    places = positions(read.text, offsets)
    findings = [_finding(problem, file, *places[offset]) for problem, offset in zip(listed, offsets, strict=True)]
    return tuple(sorted(findings, key=lambda f: (f.line, f.column)))


def _offset(problem: Problem, keys: Mapping[Path, int], values: Mapping[Path, int]) -> int:
    if problem.code == "unknown_key" and problem.path in keys:
        return keys[problem.path]
    path = problem.path
    while path and path not in values:
        path = path[:-1]
    return values.get(path, 0)


def _finding(problem: Problem, file: str, line: int, column: int) -> Finding:
    return Finding(
        code=problem.code,
        message=problem.message,
        file=file,
        line=line,
        column=column,
        pointer=pointer(problem.path),
        hint=problem.hint or (SIZES if problem.code in _SIZED else None),
        severity="warning" if problem.severity == "warning" else "error",
    )
