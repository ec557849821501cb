"""Secrets out of everything that is written about how we were called: arguments, configuration, URLs, tracebacks.

Two ways that cover each other: by place (a name, a flag, a header, a URL's user info that says "secret follows") and by
value (`secrets_in` collects the values once; `Redactor` then removes them wherever they turn up, a traceback included).
"""

from __future__ import annotations

import html
import json
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import get_args
from urllib.parse import quote, quote_plus, unquote

from pydantic import JsonValue

from agentics.model.document.record import Fault, Mode, Status, Trust
from agentics.model.job.worker_protocol import EVENT_WORDS
from agentics.model.run.directory import ResultOutcome, RunStatus
from agentics.model.run.outcome import ExitPolicy
from agentics.policy.publish.secrets import is_secret, is_secret_name

HIDDEN = "***"

_SHORTEST = 6
_ORDINARY = re.compile(r"[0-9a-f]{0,15}")
_OUR_WORDS = " ".join(
    [
        *(w for words in (Status, Fault, Mode, Trust, ExitPolicy, RunStatus, ResultOutcome) for w in get_args(words)),
        *EVENT_WORDS,
    ]
)
"""A value that is short, a piece of a number, time or digest, or one of our own words is hidden by its place only:
looked for everywhere, it would blot out what is no secret, and make a record unreadable."""
_DIGEST = re.compile(r"(?:sha256:)?[0-9a-f]{32,128}")
_IN_DIGESTS = 16
"""A digest holds a shorter piece of hexadecimal digits by chance."""
_LONG_LINE = 16

# Every pattern begins where a word begins, so that a long hostile text costs no more than its length.
_USERINFO = re.compile(
    r"(?<![A-Za-z0-9+.-])(?P<scheme>[A-Za-z][A-Za-z0-9+.-]*://)"
    # The second form is no legal URL: a password whose slash nobody encoded, which is how they come.
    r"(?P<user>[^\s/?#'\"<>]*|[^\s/?#'\"<>:@]{0,256}:(?!\d+/)[^\s'\"<>]{0,256})@"
)
_BEARER = re.compile(r"\b(?P<kind>Bearer|Basic|Token|Digest)[ \t]+(?P<value>[A-Za-z0-9._~+/=-]{8,})", re.IGNORECASE)
_KNOWN = re.compile(
    r"(?<![\w-])(?:sk-[A-Za-z0-9_-]{16,}|gh[pousr]_[A-Za-z0-9]{20,}|github_pat_\w{20,}|glpat-[\w-]{16,}"
    r"|hf_[A-Za-z0-9]{16,}|A(?:KIA|SIA)[A-Z0-9]{16}|xox[abeprs]-[\w-]{10,}|eyJ[\w-]{8,}\.[\w-]{8,}\.[\w-]*)"
)
_PEM = re.compile(r"-----BEGIN [A-Z ]*PRIVATE KEY-----.*?(?:-----END [A-Z ]*PRIVATE KEY-----|\Z)", re.DOTALL)
_HEADER = re.compile(
    r"^(?P<name>[<>* \t]{0,8}[a-z0-9-]{0,64}(?:authorization|cookie|api-key|token|secret)[a-z0-9-]{0,64}"
    r"[ \t]*:[ \t]*)\S.*$",
    re.IGNORECASE | re.MULTILINE,
)
_FLAG = re.compile(
    r"(?<![\w-])(?P<flag>--?[A-Za-z][\w-]*)(?P<between>[ \t]+(?!-)|=)(?P<value>\"[^\"]*\"|'[^']*'|[^\s\"']+)"
)
_NAME = re.compile(r"(?<![\w.-])(?P<name>-{0,2}\w[\w.-]*)\\?[\"']?\s*(?:=>|[=:])\s*")
_VALUE = re.compile(
    r"[bru]?\\?\"(?:[^\"\\]|\\.){0,2048}\"|[bru]?\\?'(?:[^'\\]|\\.){0,2048}'|\\?[\"']?[^\s\"']+", re.DOTALL
)
_HEADER_FLAGS = frozenset({"-H", "--header", "--headers", "--api-headers"})


@dataclass(frozen=True)
class Redactor:
    """Removes secrets by place, and these values wherever they are."""

    values: frozenset[str] = frozenset()

    def text(self, text: str) -> str:
        """Free text: messages, tracebacks, environment listings."""
        text = self.known(text)
        text = _PEM.sub(HIDDEN, text)
        text = _USERINFO.sub(_without_user, text)
        text = _HEADER.sub(lambda m: f"{m['name']}{HIDDEN}", text)
        text = _BEARER.sub(lambda m: f"{m['kind']} {HIDDEN}", text)
        text = _KNOWN.sub(HIDDEN, text)
        text = _FLAG.sub(_without_flag_value, text)
        return _without_named_values(text)

    def known(self, text: str) -> str:
        """Only the values, so that what is no secret stays as it is."""
        shortest = _IN_DIGESTS if _DIGEST.fullmatch(text) else 0
        for value in self._spelled:
            if len(value) >= shortest:
                text = text.replace(value, HIDDEN)
        return text

    def known_bytes(self, data: bytes) -> bytes:
        """As `known`, in what a program printed."""
        for value in self._spelled:
            data = data.replace(value.encode(), HIDDEN.encode())
        return data

    def known_json(self, value: JsonValue, *, keys: bool = False) -> JsonValue:
        """As `known`, in every text of a record of facts; its numbers stay, and its keys unless `keys` says that they
        are not all ours."""
        match value:
            case str():
                return self.known(value)
            case list():
                return [self.known_json(item, keys=keys) for item in value]
            case dict():
                return {self.known(k) if keys else k: self.known_json(item, keys=keys) for k, item in value.items()}
            case _:
                return value

    @cached_property
    def _spelled(self) -> list[str]:
        return _spellings(self.values)

    def json(self, value: JsonValue) -> JsonValue:
        """A JSON value: what a secret name holds is hidden whole; texts and keys are searched."""
        match value:
            case str():
                return self.text(value)
            case list():
                return [self.json(item) for item in value]
            case dict():
                return self.mapping(value)
            case _:
                return value

    def mapping(self, value: Mapping[str, JsonValue]) -> dict[str, JsonValue]:
        return {self.text(key): self._held(key, item) for key, item in value.items()}

    def argv(self, arguments: Sequence[str]) -> tuple[str, ...]:
        """An argument vector: `--flag value`, `--flag=value`, `-H "Name: value"`, NAME=value and URLs."""
        return tuple(self._argument(flag, argument) for flag, argument in _with_flags(arguments))

    def _held(self, key: str, item: JsonValue) -> JsonValue:
        if item is None or isinstance(item, bool):
            return item
        return HIDDEN if is_secret(key, item) else self.json(item)

    def _argument(self, flag: str | None, argument: str) -> str:
        if flag in _HEADER_FLAGS:
            name, colon, _ = argument.partition(":")
            return f"{name}: {HIDDEN}" if colon else self.text(argument)
        if flag is not None and is_secret(flag, argument):
            return HIDDEN
        name, equals, value = argument.partition("=")
        if equals and is_secret(name, value):
            return f"{name}={HIDDEN}"
        return self.text(argument)


def secrets_in(arguments: Sequence[str] = (), *mappings: Mapping[str, object]) -> frozenset[str]:
    """The values that secret names hold in an argument vector, an environment, a configuration, at any depth."""
    found = {value for mapping in mappings for value in _held_in(mapping)}
    for flag, argument in _with_flags(arguments):
        name, equals, value = argument.partition("=")
        if flag in _HEADER_FLAGS:
            found.update(_header_values(argument))
        elif flag is not None and is_secret(flag, argument):
            found.add(argument)
        elif equals and is_secret(name, value):
            found.add(value)
        found.update(_userinfo_values(argument))
    return frozenset(value for value in found if _is_no_ordinary_word(value))


def named_secrets(values: Iterable[str]) -> frozenset[str]:
    """The texts to look for where somebody named these values as secrets: each without the space around it, and its
    long lines. Ordinary numbers and digits count, too; what `is_findable` refuses does not."""
    whole = {value.strip() for value in values}
    lines = {line.strip() for value in whole for line in value.splitlines()}
    return frozenset(
        [*(each for each in whole if is_findable(each)), *(each for each in lines if len(each) >= _LONG_LINE)]
    )


def is_findable(value: str) -> bool:
    """Whether a value can be looked for in every text: it has at least six characters, and is none of our own words."""
    return len(value) >= _SHORTEST and value not in _OUR_WORDS


def shows_secret(text: str) -> bool:
    """Whether a text is, or holds, a key of a known form, a private key, or a URL with credentials."""
    return any(pattern.search(text) for pattern in (_KNOWN, _PEM)) or any(_userinfo_values(text))


def _is_no_ordinary_word(value: str) -> bool:
    return is_findable(value) and _ORDINARY.fullmatch(value) is None


def _held_in(value: object, key: str = "") -> Iterator[str]:
    match value:
        case str():
            if is_secret(key, value):
                yield value
            yield from _userinfo_values(value)
        case Mapping():
            for name, item in value.items():
                # Below a secret name everything is secret, whatever it is called there.
                inner = key if is_secret_name(key) else str(name)
                yield from _held_in(item, inner)
        case list() | tuple():
            for item in value:
                yield from _held_in(item, key)
        case _:
            return


def _header_values(header: str) -> Iterator[str]:
    _, colon, value = header.partition(":")
    if colon:
        yield value.strip()
        yield from value.split()[1:]


def _userinfo_values(text: str) -> Iterator[str]:
    for match in _USERINFO.finditer(text):
        _, colon, password = match["user"].partition(":")
        yield password if colon else match["user"]


def _with_flags(arguments: Sequence[str]) -> Iterator[tuple[str | None, str]]:
    """Each argument with the flag whose value it is, if it is one's."""
    flag = None
    for argument in arguments:
        yield flag, argument
        is_flag = argument.startswith("-") and "=" not in argument and flag is None
        is_secret_flag = argument.startswith("--") and "=" not in argument
        flag = argument if is_flag or is_secret_flag else None


def _spellings(values: Iterable[str]) -> list[str]:
    """Longest first, so that no part of a longer secret stays behind; also as a URL or a repr would show it."""
    every = {form for value in values for form in _forms(value)}
    return sorted((form for form in every if len(form) >= _SHORTEST), key=lambda form: (-len(form), form))


def _forms(value: str) -> Iterator[str]:
    yield value
    yield from (quote(value, safe=""), quote(value), quote_plus(value), unquote(value))
    yield from (repr(value)[1:-1], json.dumps(value)[1:-1], json.dumps(value, ensure_ascii=False)[1:-1])
    yield html.escape(value)


def _without_user(match: re.Match[str]) -> str:
    return f"{match['scheme']}{HIDDEN}@"


def _without_flag_value(match: re.Match[str]) -> str:
    hidden = HIDDEN if is_secret(match["flag"], match["value"]) else match["value"]
    return f"{match['flag']}{match['between']}{hidden}"


def _without_named_values(text: str) -> str:
    kept: list[str] = []
    at = 0
    while named := _NAME.search(text, at):
        kept.append(text[at : named.end()])
        at = named.end()
        # What follows a harmless name is searched in its turn: a URL may hold a secret of its own.
        value = _VALUE.match(text, at) if is_secret(named["name"], "any text") else None
        if value and is_secret(named["name"], value[0].strip("\\\"',;)}]")):
            quote_mark = value[0][-1] if value[0][-1] in "\"'" else ""
            kept.append(f"{quote_mark}{HIDDEN}{quote_mark}")
            at = value.end()
    return "".join([*kept, text[at:]])
