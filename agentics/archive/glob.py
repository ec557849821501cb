"""Matches the globs of ignore files with whole paths, in time that grows with the glob times the path and no faster.

A glob becomes a nondeterministic automaton. All states that a path can lead to are followed side by side, so nothing is
ever tried twice, as regular expressions with several `*` would.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Literal

_SLASH = frozenset(b"/")
_ALL = frozenset(range(256))
_NO_SLASH = _ALL - _SLASH
_MOST_SETS = 1000
STATE_UNITS = 20

_Special = Literal["any", "anywhere", "below", "between", "open", "or", "close"]
_Part = frozenset[int] | _Special
"""A set stands for one byte out of it. `any`: no slash, any number of bytes. `anywhere`: nothing, or up to a slash.
`below`: a slash and anything. `between`: a slash, or anything between two."""
_BRACES: dict[str, _Special] = {"{": "open", "}": "close", ",": "or"}


class InvalidGlob(ValueError):
    """A brace without its counterpart, a range that ends before it begins, or a backslash at the end."""


class TooMuchWork(Exception):
    """The work that several globs share is used up."""


@dataclass
class MatchBudget:
    """How much matching may still be done, in units of about a tenth of a microsecond: a byte of a path is one, and a
    state that is followed for the first time STATE_UNITS."""

    left: int = 200_000_000

    def spend(self, units: int) -> None:
        """Raises TooMuchWork."""
        self.left -= units
        if self.left < 0:
            raise TooMuchWork


@dataclass(eq=False)
class Glob:
    """An automaton: its states are numbers, 0 the first. `steps`: of each state, by which bytes to which state; `free`:
    of each state, where it leads without a byte."""

    work: MatchBudget
    steps: list[list[tuple[frozenset[int], int]]] = field(default_factory=lambda: [[]])
    free: list[list[int]] = field(default_factory=lambda: [[]])
    accepts: int = 0
    _known: dict[frozenset[int], dict[int, frozenset[int]]] = field(default_factory=dict)

    def matches(self, path: bytes) -> bool:
        """Whether the glob matches all of the path. What was found out is remembered for the next path. Raises
        TooMuchWork."""
        self.work.spend(len(path))
        at = self._closed({0})
        for byte in path:
            known = self._known.get(at)
            if known is None:
                if len(self._known) >= _MOST_SETS:
                    self._known.clear()
                known = self._known[at] = {}
            after = known.get(byte)
            if after is None:
                after = known[byte] = self._after(at, byte)
            if not after:
                return False
            at = after
        return self.accepts in at

    def add(self) -> int:
        """A new state."""
        self.steps.append([])
        self.free.append([])
        return len(self.steps) - 1

    def _after(self, states: frozenset[int], byte: int) -> frozenset[int]:
        self.work.spend(STATE_UNITS * len(states))
        return self._closed({target for state in states for taken, target in self.steps[state] if byte in taken})

    def _closed(self, states: set[int]) -> frozenset[int]:
        """The states, and all to which they lead without a byte."""
        pending = list(states)
        while pending:
            for target in self.free[pending.pop()]:
                if target not in states:
                    states.add(target)
                    pending.append(target)
        return frozenset(states)


def compiled(glob: str, work: MatchBudget) -> Glob:
    """The automaton of a glob, in bytes as in git: `?` is one byte of a name. Raises InvalidGlob."""
    made = Glob(work=work)
    if glob in {"**", "**/"}:
        made.steps[0].append((_ALL, 0))
        return made
    at, groups = 0, []
    for part in _parts(glob):
        if part == "open":
            groups.append((at, made.add()))
            at = _leads(made, at)
        elif part in {"or", "close"}:
            if not groups:
                raise InvalidGlob(glob)
            start, end = groups[-1]
            made.free[at].append(end)
            at = _leads(made, start) if part == "or" else groups.pop()[1]
        else:
            at = _taken(made, at, part)
    if groups:
        raise InvalidGlob(glob)
    made.accepts = at
    return made


def _leads(made: Glob, at: int) -> int:
    """A new state that is reached without a byte."""
    new = made.add()
    made.free[at].append(new)
    return new


def _taken(made: Glob, at: int, part: _Part) -> int:
    """The state behind a part that begins at the state `at`."""
    if isinstance(part, frozenset):
        new = made.add()
        made.steps[at].append((part, new))
        return new
    if part == "any":
        loop = _leads(made, at)
        made.steps[loop].append((_NO_SLASH, loop))
        return loop
    loop = made.add()
    made.steps[loop].append((_ALL, loop))
    if part == "below":
        made.steps[at].append((_SLASH, loop))
        return loop
    end = made.add()
    made.steps[loop].append((_SLASH, end))
    if part == "anywhere":
        made.free[at] += [loop, end]
    else:
        made.steps[at] += [(_SLASH, loop), (_SLASH, end)]
    return end


def _parts(glob: str) -> list[_Part]:
    parts: list[_Part] = []
    depth = at = 0
    while at < len(glob):
        here = glob[at]
        if glob.startswith("**", at):
            at = _stars(glob, at, parts, depth)
            continue
        at += 1
        if here == "*":
            parts.append("any")
        elif here == "?":
            parts.append(_NO_SLASH)
        elif here == "[":
            at = _class(glob, at, parts)
        elif here in "{}" or (here == "," and depth):
            depth += (here == "{") - (here == "}")
            parts.append(_BRACES[here])
        elif here == "\\":
            if at == len(glob):
                raise InvalidGlob(glob)
            parts += _literal(glob[at])
            at += 1
        else:
            parts += _literal(here)
    return parts


def _literal(character: str) -> list[_Part]:
    return [frozenset((byte,)) for byte in character.encode()]


def _stars(glob: str, at: int, parts: list[_Part], depth: int) -> int:
    """Take `**`, which means directories only where it stands alone between slashes. Where to go on."""
    before, after = glob[at - 1 : at], glob[at + 2 : at + 3]
    ends = not after or (depth > 0 and after in ",}")
    if not parts or parts[-1] in {"open", "or"}:
        parts.append("anywhere" if ends or after == "/" else "any")
    elif before == "/" and (ends or after == "/"):
        if parts[-1] not in {"anywhere", "below"}:
            parts[-1] = "below" if ends else "between"
    else:
        parts.append("any")
        return at + 2
    return at + 3 if after == "/" else at + 2


def _class(glob: str, at: int, parts: list[_Part]) -> int:
    """Take the characters between brackets, the first of which has been read. Where to go on."""
    negated = glob[at : at + 1] in {"!", "^"}
    start = at + negated
    end = glob.find("]", start + 1)
    if end < 0:
        parts += _literal("[")
        return at
    named = _named(glob[start:end].encode())
    parts.append((_ALL - named if negated else named) - _SLASH)
    return end + 1


def _named(inside: Sequence[int]) -> frozenset[int]:
    """The bytes that a class names, one by one or as ranges."""
    named: set[int] = set()
    at = 0
    while at < len(inside):
        first = last = inside[at]
        at += 1
        if inside[at : at + 1] == b"-" and at + 1 < len(inside):
            last = inside[at + 1]
            at += 2
        if last < first:
            raise InvalidGlob
        named.update(range(first, last + 1))
    return frozenset(named)
