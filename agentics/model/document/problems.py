"""Turns what pydantic says about a value into problems of our own: stable codes, plain words, a hint."""

from __future__ import annotations

import re
from collections.abc import Iterable
from difflib import get_close_matches
from functools import reduce
from math import copysign
from typing import Any

from pydantic import BaseModel, ValidationError
from pydantic_core import ErrorDetails

from agentics.model.document.json_text import MAX_INTEGER, MIN_INTEGER, Json, Path, Problem
from agentics.model.document.shape import owner, plain_path

_WANTED = {
    "int_type": "an integer",
    "string_type": "a string",
    "bool_type": "true or false",
    "float_type": "a number",
    "tuple_type": "a list",
    "list_type": "a list",
    "dict_type": "an object",
    "model_type": "an object",
    "model_attributes_type": "an object",
}
_RANGE = {"greater_than": ">", "greater_than_equal": ">=", "less_than": "<", "less_than_equal": "<="}
_QUOTED = re.compile(r"'([^']*)'")


def explain(model: type[BaseModel], value: Json, errors: ValidationError) -> list[Problem]:
    """What is wrong with `value`. A key that is missing and there by a similar name is one problem, not two."""
    found = [_problem(model, value, error) for error in errors.errors(include_url=False) if not _echo(error)]
    meant = {problem.meant for problem in found}
    return [p for p in found if p.code != "missing_key" or p.path not in meant]


def _echo(error: ErrorDetails) -> bool:
    """A list is "too short" for pydantic also when its entries are there but wrong, which has been said."""
    return error["type"] == "too_short" and bool(error["input"])


def _problem(model: type[BaseModel], value: Json, error: ErrorDetails) -> Problem:
    path, kind, ctx = plain_path(model, error["loc"]), error["type"], error.get("ctx", {})
    if kind == "missing":
        return Problem(
            code="missing_key", message=f"the key {path[-1]!r} is missing", path=path, hint=_null(model, value, path)
        )
    if kind == "extra_forbidden":
        return _unknown_key(model, value, path)
    if kind in _WANTED:
        return _wrong_type(path, _WANTED[kind], error["input"])
    if kind == "too_short":
        return _empty_list(model, value, path)
    if kind in {"literal_error", "enum"}:
        return _unknown_value(path, error["input"], _QUOTED.findall(ctx["expected"]), ctx["expected"])
    if kind == "union_tag_invalid":
        tag = _QUOTED.findall(ctx["discriminator"])[0]
        known = _QUOTED.findall(ctx["expected_tags"])
        return _unknown_value((*path, tag), ctx["tag"], known, " or ".join(ctx["expected_tags"].rsplit(", ", 1)))
    if kind == "union_tag_not_found":
        return _no_tag(path, _QUOTED.findall(ctx["discriminator"])[0], error["input"])
    return _bound(path, kind, ctx, error["msg"])


def _bound(path: Path, kind: str, ctx: dict[str, Any], message: str) -> Problem:
    if "text" in ctx:  # a refusal of our own
        return Problem(code=kind, message=message, path=(*path, *_at(ctx)), hint=ctx.get("hint"))
    if kind == "too_long":
        return Problem(code="too_many", message=f"more than {ctx['max_length']} entries", path=path)
    if kind in _RANGE:
        return Problem(code="out_of_range", message=f"must be {_RANGE[kind]} {next(iter(ctx.values()))}", path=path)
    if kind == "finite_number":
        return Problem(code="out_of_range", message="must be a finite number", path=path)
    return Problem(code=kind, message=message, path=path)


def _at(ctx: dict[str, Any]) -> Iterable[str]:
    return (ctx["key"],) if "key" in ctx else ()


def _empty_list(model: type[BaseModel], value: Json, path: Path) -> Problem:
    hint = _null(model, value, path)
    message = "must be null or have an entry" if hint else "the list must not be empty"
    return Problem(code="empty_list", message=message, path=path, hint=hint)


def _null(model: type[BaseModel], value: Json, path: Path) -> str | None:
    """Half of the contract's keys may be null but not absent: no author guesses that."""
    at = owner(model, value, path[:-1])
    return f'write "{path[-1]}": null if there is none' if at and path[-1] in at.nullable else None


def _unknown_key(model: type[BaseModel], value: Json, path: Path) -> Problem:
    at = owner(model, value, path[:-1])
    known = sorted(at.keys) if at else []
    there = reduce(_item, path[:-1], value)
    near = get_close_matches(str(path[-1]).lower(), [key for key in known if key not in there], n=1)
    return Problem(
        code="unknown_key",
        message=f"the key {path[-1]!r:.100} is not known here",
        path=path,
        hint=f"did you mean {near[0]!r}?" if near else f"known keys: {', '.join(known)}",
        meant=(*path[:-1], near[0]) if near else None,
    )


def _item(value: Json, part: str | int) -> Json:
    return value[part]


def _unknown_value(path: Path, given: Json, known: list[str], expected: str) -> Problem:
    hint = _closest(given, known) if isinstance(given, str) else None
    return Problem(code="unknown_value", message=f"must be {expected}", path=path, hint=hint)


def _no_tag(path: Path, tag: str, given: Json) -> Problem:
    if not isinstance(given, dict):
        return _wrong_type(path, "an object", given)
    if tag in given:
        return _wrong_type((*path, tag), "a string", given[tag])
    return Problem(code="missing_key", message=f"the key {tag!r} is missing", path=(*path, tag))


def _wrong_type(path: Path, wanted: str, given: Json) -> Problem:
    if wanted == _WANTED["int_type"] and isinstance(given, float) and not MIN_INTEGER <= given <= MAX_INTEGER:
        return Problem(code="out_of_range", message="beyond the integers of 64 bits", path=path)
    return Problem(code="wrong_type", message=f"expected {wanted}, found {_kind(given)}", path=path)


def _kind(value: Json) -> str:
    match value:
        case None:
            return "null"
        case bool():
            return "true" if value else "false"
        case int():
            return "an integer"
        case float():
            if value == 0 and copysign(1, value) < 0:
                return "-0"
            return "a number with a fraction or exponent" if abs(value) < MAX_INTEGER else "a number"
        case str():
            return "a string"
        case dict():
            return "an object"
        case _:
            return "a list"


def _closest(given: str, known: list[str]) -> str | None:
    found = get_close_matches(given, known, n=1)
    return f"did you mean {found[0]!r}?" if found else None
