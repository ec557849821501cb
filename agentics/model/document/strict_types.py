"""The words of the bundle contract: names, paths, integers and texts as strict types, and JSON as containers get it.

Knows what each word may contain; a violation carries a stable code.
"""

from __future__ import annotations

import json
import re
from dataclasses import dataclass
from typing import Annotated, Any, ClassVar, NoReturn, TypeVar

from pydantic import (
    AfterValidator,
    BaseModel,
    ConfigDict,
    Field,
    PlainValidator,
    SerializerFunctionWrapHandler,
    ValidationError,
    ValidationInfo,
    ValidatorFunctionWrapHandler,
    WithJsonSchema,
    WrapValidator,
    model_serializer,
)
from pydantic_core import PydanticCustomError, PydanticOmit

from agentics.model.document.json_text import Json
from agentics.model.document.size_caps import SMALL, Cap
from agentics.model.document.timestamp import RFC3339, instant

T = TypeVar("T")

TOKEN = re.compile(r"[A-Za-z0-9_.-]+")
RELPATH = re.compile(r"(?!.*(?:^|/)\.{1,2}(?:/|$))[A-Za-z0-9_.-]+(?:/[A-Za-z0-9_.-]+)*")
CHALLENGE_NAME = re.compile(r"(?!.*--)[a-z0-9][a-z0-9-]{1,61}[a-z0-9]")
# Unicode White_Space. str.strip() would also take U+001C to U+001F, which are not white space but control characters.
_SPACE = (
    "\t\n\v\f\r \x85\xa0\u1680\u2000\u2001\u2002\u2003\u2004\u2005\u2006\u2007\u2008\u2009\u200a"
    "\u2028\u2029\u202f\u205f\u3000"
)
# Strings, and the numbers that Python writes otherwise than serde_json: those with an exponent of -5 to -9.
_SMALL_NUMBER = re.compile(r'"[^"\\]*(?:\\.[^"\\]*)*"|(?P<first>\d)(?:\.(?P<more>\d+))?e-0(?P<exponent>\d)')
MAX_KEYWORD_BYTES = 30
_MIN_NAME, _MAX_NAME = 3, 63
U32, I64, U64 = (1 << 32) - 1, (1 << 63) - 1, (1 << 64) - 1


class Document(BaseModel):
    """The base of everything a bundle contains: frozen, no coercion, and unknown keys are errors.

    `cap`: how large the text of such a document may be.
    """

    model_config = ConfigDict(frozen=True, strict=True, extra="forbid", allow_inf_nan=False, defer_build=True)
    cap: ClassVar[Cap] = SMALL


class OpenDocument(Document):
    """As Document, but unknown keys are ignored and dropped."""

    model_config = ConfigDict(extra="ignore")


class SparseDocument(Document):
    """As Document, but a key of its own that is None is left out of the JSON. Null further down stays."""

    @model_serializer(mode="wrap")
    def _without_absent(self, write: SerializerFunctionWrapHandler) -> dict[str, Any]:
        return {key: value for key, value in write(self).items() if value is not None}


def trim(text: str) -> str:
    """Without leading and trailing Unicode white space."""
    return text.strip(_SPACE)


def compact_json(value: Json) -> str:
    """JSON on one line without spaces: how participants get `stdin_json` and `content_json`.

    Numbers, escapes and the order of keys are those of serde_json. Raises ValueError on a number that is not finite.
    """
    return _numbers(json.dumps(value, separators=(",", ":"), ensure_ascii=False, allow_nan=False))


def pretty_json(value: Json) -> str:
    """As `compact_json`, with two spaces for each level and no final newline: how evaluators get manifests."""
    return _numbers(json.dumps(value, indent=2, ensure_ascii=False, allow_nan=False))


def _numbers(text: str) -> str:
    """JSON of Python with its numbers as serde_json writes them: `0.00001` for `1e-05`, `1e-6` for `1e-06`."""
    return _SMALL_NUMBER.sub(_number, text) if "e-0" in text else text


def _number(match: re.Match[str]) -> str:
    first, more, exponent = match.group("first", "more", "exponent")
    if first is None:
        return match[0]
    if exponent == "5":
        return f"0.0000{first}{more or ''}"
    return f"{first}{'.' + more if more else ''}e-{exponent}"


def refuse(code: str, message: str, *, key: str | None = None, hint: str | None = None) -> NoReturn:
    """Refuse a value inside a validator. `code` and `hint` are the finding's; `key` is where, below that value."""
    context = {"text": message, "hint": hint, **({} if key is None else {"key": key})}
    raise PydanticCustomError(code, "{text}", context)


def _schema(pattern: re.Pattern[str], **more: str) -> WithJsonSchema:
    # `$` alone would let a final line feed through in some engines.
    return WithJsonSchema({"type": "string", "pattern": f"^(?:{pattern.pattern})$(?!\\n)", **more})


_NAME_RULE = "3 to 63 of a-z, 0-9 and '-'; first and last a letter or digit; no '--'"
_TOKEN_RULE = "one or more of A-Z, a-z, 0-9, '_', '.' and '-'"  # noqa: S105  a token of the contract, not a secret
_RELPATH_RULE = "a relative path of A-Z, a-z, 0-9, '_', '.', '-' between single '/', without '.' or '..' components"


def _challenge_name(text: str) -> str:
    name = trim(text).lower()
    if CHALLENGE_NAME.fullmatch(name) is None:
        refuse("bad_name", f"not a challenge name: {_name_fault(name)}", hint=_NAME_RULE)
    return name


def _name_fault(name: str) -> str:
    strange = re.search(r"[^a-z0-9-]", name)
    if strange is not None:
        return _not_allowed(strange[0])
    if not _MIN_NAME <= len(name) <= _MAX_NAME:
        return f"its length is {len(name)}"
    return "it has '--'" if "--" in name else f"it {'starts' if name[0] == '-' else 'ends'} with '-'"


def _token(text: str) -> str:
    if TOKEN.fullmatch(text) is None:
        refuse("bad_name", f"not a name: {_token_fault(text)}", hint=_TOKEN_RULE)
    return text


def _token_fault(text: str) -> str:
    strange = re.search(r"[^A-Za-z0-9_.-]", text)
    return _not_allowed(strange[0]) if strange else "it is empty"


def _not_allowed(character: str) -> str:
    return f"it has the character {character!r}"


def _run_name(text: str) -> str:
    if text in {".", ".."}:
        refuse("bad_name", f"not a run name: it is {text!r}", hint=_TOKEN_RULE)
    return _token(text)


def _metric_name(text: str) -> str:
    return _token(trim(text))


def _relpath(text: str) -> str:
    if RELPATH.fullmatch(text) is None:
        refuse("bad_path", f"not a relative path: {_path_fault(text)}", hint=_RELPATH_RULE)
    return text


def _path_fault(text: str) -> str:
    if not text:
        return "it is empty"
    if text[0] == "/" or text[-1] == "/":
        return f"it {'starts' if text[0] == '/' else 'ends'} with '/'"
    parts = text.split("/")
    if "" in parts:
        return "it has '//'"
    dots = next((part for part in parts if part in {".", ".."}), None)
    return f"it has the component {dots!r}" if dots else _token_fault("".join(parts))


def _one(value: object) -> int:
    # Not Literal[1]: true and 1.0 equal 1, and neither is the integer 1 in JSON.
    if type(value) is not int:
        refuse("wrong_type", "must be 1")
    if value != 1:
        refuse("out_of_range", "must be 1")
    return value


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
    if instant(text) is None:
        refuse("bad_timestamp", "not an RFC 3339 timestamp, such as 2026-01-31T09:00:00Z")
    return text


_NON_BLANK = re.compile(r"[\s\S]*\S[\s\S]*")
_RUN_NAME = re.compile(r"(?!\.{1,2}$)[A-Za-z0-9_.-]+")

ChallengeName = Annotated[
    str,
    AfterValidator(_challenge_name),
    # What the schema says is the clean form; the loader also takes capitals and spaces around it.
    _schema(re.compile(r"\s*(?![^\s]*--)[A-Za-z0-9][A-Za-z0-9-]{1,61}[A-Za-z0-9]\s*"), description=_NAME_RULE),
]
Token = Annotated[str, AfterValidator(_token), _schema(TOKEN, description=_TOKEN_RULE)]
MetricName = Annotated[
    str, AfterValidator(_metric_name), _schema(re.compile(rf"\s*{TOKEN.pattern}\s*"), description=_TOKEN_RULE)
]
RunName = Annotated[str, AfterValidator(_run_name), _schema(_RUN_NAME, description=_TOKEN_RULE)]
RelPath = Annotated[str, AfterValidator(_relpath), _schema(RELPATH, description=_RELPATH_RULE)]
Keyword = Annotated[
    str,
    AfterValidator(_keyword),
    _schema(_NON_BLANK, description=f"at most {MAX_KEYWORD_BYTES} UTF-8 bytes, no control characters"),
]
Text = Annotated[str, AfterValidator(_text), _schema(_NON_BLANK)]
Timestamp = Annotated[str, AfterValidator(_timestamp), _schema(RFC3339, format="date-time")]

ExactlyOne = Annotated[int, PlainValidator(_one), WithJsonSchema({"type": "integer", "const": 1})]
Positive32 = Annotated[int, Field(ge=1, le=U32)]
Positive64 = Annotated[int, Field(ge=1, le=U64)]
Count = Annotated[int, Field(ge=0, le=U64)]


@dataclass
class Mistakes:
    """The mistakes in the lists of one document, as the context of its validation: pydantic keeps each mistake, and a
    document of a few megabytes can make millions. Beyond `most` the entries of lists are not looked at."""

    most: int
    count: int = 0


def _counted(value: Any, handler: ValidatorFunctionWrapHandler, info: ValidationInfo) -> Any:  # noqa: ANN401
    mistakes = info.context
    if not isinstance(mistakes, Mistakes):
        return handler(value)
    if mistakes.count > mistakes.most:
        raise PydanticOmit
    before = mistakes.count
    try:
        return handler(value)
    except ValidationError as errors:
        # Those of lists further down are counted already.
        mistakes.count = max(mistakes.count, before + errors.error_count())
        raise


# A JSON array arrives as a list, and models hold tuples: the only coercion there is.
List = Annotated[tuple[Annotated[T, WrapValidator(_counted)], ...], Field(strict=False)]
NonEmpty = Annotated[tuple[Annotated[T, WrapValidator(_counted)], ...], Field(strict=False, min_length=1)]


class LocalizedText(Document):
    """A text in both languages of the public platform."""

    en: str
    zh: str


class LocalizedSummary(LocalizedText):
    """A localized text of which neither half is blank."""

    en: Text
    zh: Text
