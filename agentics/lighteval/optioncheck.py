"""Checks a value against the JSON Schema of a backend's option.

Knows the few words that generated option schemas use. A whole validator would take longer to import than a check may.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

KEYWORDS = frozenset(
    {
        "type", "enum", "const", "anyOf", "minimum", "maximum", "exclusiveMinimum", "exclusiveMaximum",
        "title", "description", "default", "additionalProperties", "items",
    }
)  # fmt: skip
"""Words that a schema may use; what a list or an object holds is not looked at."""

_WORDS = {
    "string": "a text",
    "integer": "an integer",
    "number": "a number",
    "boolean": "true or false",
    "null": "null",
    "object": "an object",
    "array": "a list",
}
_LIMITS = {"minimum": ">=", "maximum": "<=", "exclusiveMinimum": ">", "exclusiveMaximum": "<"}


def fault(schema: Mapping[str, Any], value: object) -> tuple[str, str] | None:
    """A code and what the value must be; None where it is right."""
    if "default" in schema and value is None and schema["default"] is None:
        return None
    if "anyOf" in schema:
        faults = [fault(choice, value) for choice in schema["anyOf"]]
        if None in faults:
            return None
        # Of the right type but beyond a limit says more than all the types that it has not.
        near = next((f for f in faults if f is not None and f[0] == "out_of_range"), None)
        return near or ("wrong_type", f"must be {_either(schema['anyOf'])}")
    if "type" in schema and not _is(schema["type"], value):
        return "wrong_type", f"must be {_WORDS.get(schema['type'], schema['type'])}"
    choices = schema.get("enum", [schema["const"]] if "const" in schema else None)
    if choices is not None and value not in choices:
        return "unknown_value", f"must be one of {', '.join(map(str, choices))}"
    beyond = next(_beyond(schema, value), None)
    return None if beyond is None else ("out_of_range", beyond)


def _either(choices: list[dict[str, Any]]) -> str:
    return " or ".join(_WORDS.get(choice.get("type", ""), "something else") for choice in choices)


def _is(kind: str, value: object) -> bool:
    match kind:
        case "string":
            return isinstance(value, str)
        case "integer":
            return isinstance(value, int) and not isinstance(value, bool)
        case "number":
            return isinstance(value, int | float) and not isinstance(value, bool)
        case "boolean":
            return isinstance(value, bool)
        case "null":
            return value is None
        case "object":
            return isinstance(value, dict)
        case "array":
            return isinstance(value, list | tuple)
        case _:
            return True


def _beyond(schema: Mapping[str, Any], value: object) -> Iterator[str]:
    if isinstance(value, bool) or not isinstance(value, int | float):
        return
    for word, sign in _LIMITS.items():
        limit = schema.get(word)
        if limit is not None and not _within(sign, value, limit):
            yield f"must be {sign} {limit}"


def _within(sign: str, value: float, limit: float) -> bool:
    match sign:
        case ">=":
            return value >= limit
        case "<=":
            return value <= limit
        case ">":
            return value > limit
        case _:
            return value < limit
