"""The words of the bundle contract: names, paths, integers and texts as strict types, and compact JSON.

Knows what each word may contain; a violation carries a stable code.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from typing import Annotated, NoReturn, TypeVar

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, WithJsonSchema
from pydantic_core import PydanticCustomError

from agentics.model.jsontext import Json

T = TypeVar("T")

TOKEN = re.compile(r"[A-Za-z0-9_.-]+")
RELPATH = re.compile(r"(?!.*(?:^|/)\.{1,2}(?:/|$))[A-Za-z0-9_.-]+(?:/[A-Za-z0-9_.-]+)*")
CHALLENGE_NAME = re.compile(r"(?!.*--)[a-z0-9][a-z0-9-]{1,61}[a-z0-9]")
RFC3339 = re.compile(
    r"\d{4}-(0[1-9]|1[0-2])-(0[1-9]|[12]\d|3[01])[Tt]([01]\d|2[0-3]):[0-5]\d:([0-5]\d|60)(\.\d+)?"
    r"([Zz]|[+-]([01]\d|2[0-3]):[0-5]\d)",
    re.ASCII,
)
# Unicode White_Space. str.strip() would also take U+001C to U+001F, which are not white space but control characters.
_SPACE = (
    "\t\n\v\f\r \x85\xa0\u1680\u2000\u2001\u2002\u2003\u2004\u2005\u2006\u2007\u2008\u2009\u200a"
    "\u2028\u2029\u202f\u205f\u3000"
)
_EXPONENT = re.compile(r"e([+-]?)0*(?=\d)")
_JSON_FLOAT = re.compile(r'"[^"\\]*(?:\\.[^"\\]*)*"|-?\d+(?:\.\d+)?e[+-]?\d+')
MAX_KEYWORD_BYTES = 30
U32, U64 = (1 << 32) - 1, (1 << 64) - 1


class Document(BaseModel):
    """The base of everything a bundle contains: frozen, no coercion, and unknown keys are errors."""

    model_config = ConfigDict(frozen=True, strict=True, extra="forbid", allow_inf_nan=False, defer_build=True)


class OpenDocument(Document):
    """As Document, but unknown keys are ignored and dropped."""

    model_config = ConfigDict(extra="ignore")


def trim(text: str) -> str:
    """Without leading and trailing Unicode white space."""
    return text.strip(_SPACE)


def compact_json(value: Json) -> str:
    """JSON as participants see it: no spaces, non-ASCII as it is, keys in their order, exponents as `1e-7`."""
    text = json.dumps(value, separators=(",", ":"), ensure_ascii=False, allow_nan=False)
    return _JSON_FLOAT.sub(_plain_exponent, text)


def _plain_exponent(match: re.Match[str]) -> str:
    found = match[0]
    if found.startswith('"'):
        return found
    return _EXPONENT.sub(lambda e: "e-" if e[1] == "-" else "e", found)


def refuse(code: str, message: str, *, key: str | None = None, hint: str | None = None) -> NoReturn:
    """Refuse a value inside a validator. `code` and `hint` are the finding's; `key` is where, below that value."""
    context = {"text": message, "hint": hint, **({} if key is None else {"key": key})}
    raise PydanticCustomError(code, "{text}", context)


def _matching(pattern: re.Pattern[str], code: str, message: str) -> Callable[[str], str]:
    def check(text: str) -> str:
        if pattern.fullmatch(text) is None:
            refuse(code, message)
        return text

    return check


def _schema(pattern: re.Pattern[str], **more: str) -> WithJsonSchema:
    # `$` alone would let a final line feed through in some engines.
    return WithJsonSchema({"type": "string", "pattern": f"^(?:{pattern.pattern})$(?!\\n)", **more})


_NAME_RULE = "3 to 63 of a-z, 0-9 and '-'; first and last a letter or digit; no '--'"
_TOKEN_RULE = "one or more of A-Z, a-z, 0-9, '_', '.' and '-'"  # noqa: S105  a token of the contract, not a secret
_RELPATH_RULE = "a relative path of A-Z, a-z, 0-9, '_', '.', '-' between single '/', without '.' or '..' components"


def _challenge_name(text: str) -> str:
    name = trim(text).lower()
    if CHALLENGE_NAME.fullmatch(name) is None:
        refuse("bad_name", f"not a challenge name: {_NAME_RULE}")
    return name


def _run_name(text: str) -> str:
    if TOKEN.fullmatch(text) is None or text in {".", ".."}:
        refuse("bad_name", f"not a run name: {_TOKEN_RULE}, and neither '.' nor '..'")
    return text


def _metric_name(text: str) -> str:
    name = trim(text)
    if TOKEN.fullmatch(name) is None:
        refuse("bad_name", f"not a metric name: {_TOKEN_RULE}")
    return name


def _control(character: str) -> bool:
    return character < " " or "\x7f" <= character <= "\x9f"


def _keyword(text: str) -> str:
    keyword = trim(text)
    if not keyword:
        refuse("blank", "a keyword must not be blank")
    if len(keyword.encode()) > MAX_KEYWORD_BYTES:
        refuse("too_long", f"a keyword has at most {MAX_KEYWORD_BYTES} UTF-8 bytes, this has {len(keyword.encode())}")
    if any(map(_control, keyword)):
        refuse("bad_keyword", "a keyword must not contain control characters")
    return keyword


def _text(text: str) -> str:
    if not trim(text):
        refuse("blank", "must not be blank")
    return text


def _timestamp(text: str) -> str:
    if RFC3339.fullmatch(text) is None or not _day_exists(text):
        refuse("bad_timestamp", "not an RFC 3339 timestamp, such as 2026-01-31T09:00:00Z")
    return text


def _day_exists(text: str) -> bool:
    year, month, day = int(text[:4]), int(text[5:7]), int(text[8:10])
    leap = year % 4 == 0 and (year % 100 != 0 or year % 400 == 0)
    return day <= (29 if leap else 28) if month == 2 else day <= (30 if month in {4, 6, 9, 11} else 31)  # noqa: PLR2004  calendar


_NON_BLANK = re.compile(r"[\s\S]*\S[\s\S]*")
_RUN_NAME = re.compile(r"(?!\.{1,2}$)[A-Za-z0-9_.-]+")

ChallengeName = Annotated[
    str,
    AfterValidator(_challenge_name),
    # What the schema says is the clean form; the loader also takes capitals and spaces around it.
    _schema(re.compile(r"\s*(?![^\s]*--)[A-Za-z0-9][A-Za-z0-9-]{1,61}[A-Za-z0-9]\s*"), description=_NAME_RULE),
]
Token = Annotated[
    str,
    AfterValidator(_matching(TOKEN, "bad_name", f"not a name: {_TOKEN_RULE}")),
    _schema(TOKEN, description=_TOKEN_RULE),
]
MetricName = Annotated[
    str, AfterValidator(_metric_name), _schema(re.compile(rf"\s*{TOKEN.pattern}\s*"), description=_TOKEN_RULE)
]
RunName = Annotated[str, AfterValidator(_run_name), _schema(_RUN_NAME, description=_TOKEN_RULE)]
RelPath = Annotated[
    str,
    AfterValidator(_matching(RELPATH, "bad_path", f"not {_RELPATH_RULE}")),
    _schema(RELPATH, description=_RELPATH_RULE),
]
Keyword = Annotated[
    str,
    AfterValidator(_keyword),
    _schema(_NON_BLANK, description=f"at most {MAX_KEYWORD_BYTES} UTF-8 bytes, no control characters"),
]
Text = Annotated[str, AfterValidator(_text), _schema(_NON_BLANK)]
Timestamp = Annotated[str, AfterValidator(_timestamp), _schema(RFC3339, format="date-time")]

# Not Literal[1]: true and 1.0 equal 1, and neither is the integer 1 in JSON.
One = Annotated[int, Field(ge=1, le=1), WithJsonSchema({"type": "integer", "const": 1})]
Positive32 = Annotated[int, Field(ge=1, le=U32)]
Positive64 = Annotated[int, Field(ge=1, le=U64)]
Count = Annotated[int, Field(ge=0, le=U64)]

# A JSON array arrives as a list, and models hold tuples: the only coercion there is.
List = Annotated[tuple[T, ...], Field(strict=False)]
NonEmpty = Annotated[tuple[T, ...], Field(strict=False, min_length=1)]


class LocalizedText(Document):
    """A text in both languages of the public platform."""

    en: str
    zh: str


class LocalizedSummary(LocalizedText):
    """A localized text of which neither half is blank."""

    en: Text
    zh: Text
