"""What a stage says of itself: derived from its options model, normalised from older forms, and checked.

name*  description*  required*  optional*  types*  defaults  version  __schema_version__  __extensions__
"""

from __future__ import annotations

import inspect
import re
import types
import typing
from collections.abc import Callable, Mapping
from collections.abc import Callable as AbstractCallable
from pathlib import Path
from typing import Annotated, Any, Literal, Union, get_args, get_origin

from pydantic import BaseModel
from pydantic_core import to_jsonable_python

from agentics.pipeline.contract.option_types import TypeSpec, normalised, spec_problems

SCHEMA_VERSION = "1.0.0"
NO_DESCRIPTION = "(no description)"
OURS = "agentics"
Needs = Literal["trial", "docker", "worker"]
Describe = Callable[[Mapping[str, Any]], dict[str, Any]]

_NAME = re.compile(r"[a-z][a-z0-9_]*")
_KNOWN = frozenset(
    {"name", "description", "required", "optional", "types", "defaults", "version"}
    | {"__schema_version__", "__extensions__"}
)
_OF_THE_RUN = frozenset({"validate_options"})
"""Options of `agentics.pipeline.run`. A description that holds one would have no effect on the run."""
_WORDS: dict[object, str] = {
    str: "string",
    Path: "string",
    int: "integer",
    float: "float",
    bool: "boolean",
    dict: "map",
    list: "list",
    tuple: "list",
    Any: "any",
    object: "any",
}


def described(
    name: str,
    description: str,
    options: type[BaseModel],
    *,
    version: str = "1.0.0",
    needs: tuple[Needs, ...] = (),
) -> Describe:
    """The `describe` of a stage whose options are this model. `needs`: `trial` where it works with a trial's tools,
    `docker` where it also starts containers."""

    def describe(_: Mapping[str, Any]) -> dict[str, Any]:
        fields = typing.get_type_hints(options, include_extras=False)
        required = [key for key, field in options.model_fields.items() if field.is_required()]
        return {
            "__schema_version__": SCHEMA_VERSION,
            "name": name,
            "description": description,
            "version": version,
            "required": required,
            "optional": [key for key in options.model_fields if key not in required],
            "types": {key: _field_spec(fields[key], required=key in required) for key in options.model_fields},
            "defaults": _defaults(options),
            "__extensions__": {OURS: {"needs": list(needs)}} if needs else {},
        }

    return describe


def needs(description: Mapping[str, Any]) -> frozenset[str]:
    """What the stage says it cannot do without: `trial`, `docker`."""
    ours = description.get("__extensions__", {}).get(OURS, {})
    return frozenset(ours.get("needs", ())) if isinstance(ours, Mapping) else frozenset()


def spec_of(annotation: Any) -> TypeSpec:  # noqa: ANN401, PLR0911 - an annotation is anything, each kind its own
    """The type spec of a field. `X | None` is an X that may be left out."""
    origin, arguments = get_origin(annotation), get_args(annotation)
    if origin is Annotated:
        return spec_of(arguments[0])
    if origin is Literal:
        return {"kind": "enum", "values": list(arguments)}
    if origin in (Union, types.UnionType):
        return _union([each for each in arguments if each is not types.NoneType])
    if origin is AbstractCallable:
        return {"kind": "function", "arity": len(arguments[0]) if isinstance(arguments[0], list) else 0}
    if origin is tuple and arguments[-1:] != (...,):
        return {"kind": "tuple", "of": [spec_of(each) for each in arguments]}
    if origin in (list, tuple):
        return {"kind": "list", "of": spec_of(arguments[0])}
    if inspect.isclass(origin) and issubclass(origin, Mapping):
        return {"kind": "map", "keys": spec_of(arguments[0]), "values": spec_of(arguments[1])}
    if annotation in _WORDS:
        return _WORDS[annotation]
    if inspect.isclass(annotation):
        return {"kind": "struct", "module": f"{annotation.__module__}.{annotation.__qualname__}"}
    return "any"


def normalise(description: Mapping[str, Any]) -> dict[str, Any]:
    """A description in the form that `problems` checks, from older and looser forms: `stage` for `name`, no
    description, missing parts, types as tuples; what is not known moves into `__extensions__`."""
    given = dict(description)
    if "stage" in given:
        given.setdefault("name", given["stage"])
        del given["stage"]
    unknown = {key: given.pop(key) for key in list(given) if key not in _KNOWN | _OF_THE_RUN}
    given.setdefault("description", NO_DESCRIPTION)
    for key in ("required", "optional"):
        value = given.get(key)
        given[key] = [] if value is None else list(value) if isinstance(value, list | tuple) else value
    found = given.get("types")
    found = {} if found is None else found
    given["types"] = {key: normalised(each) for key, each in found.items()} if isinstance(found, Mapping) else found
    extensions = given.get("__extensions__") or {}
    given["__extensions__"] = {**unknown, **extensions} if isinstance(extensions, Mapping) else extensions
    return given


def problems(description: object) -> list[str]:
    """Everything that is wrong with a normalised description, as sentences; empty when nothing is."""
    if not isinstance(description, Mapping):
        return ["not a map"]
    found = [
        f"{key}: missing" for key in ("name", "description", "required", "optional", "types") if key not in description
    ]
    name, text = description.get("name", "ok"), description.get("description", "ok")
    if not isinstance(name, str) or _NAME.fullmatch(name) is None:
        found.append(f"name: {name!r} is not lower case letters, digits and '_', beginning with a letter")
    if not isinstance(text, str) or not text.strip():
        found.append("description: empty")
    return found + _key_problems(description) + _rest_problems(description)


def _key_problems(description: Mapping[str, Any]) -> list[str]:
    found: list[str] = []
    keys: dict[str, list[str]] = {}
    for part in ("required", "optional"):
        value = description.get(part, [])
        good = isinstance(value, list | tuple) and all(isinstance(key, str) for key in value)
        keys[part] = list(value) if good else []
        found += [] if good else [f"{part}: not a list of option names"]
        found += [
            f"{part}: {key!r} is listed twice" for key in sorted({k for k in keys[part] if keys[part].count(k) > 1})
        ]
    both = sorted(set(keys["required"]) & set(keys["optional"]))
    found += [f"required: {key!r} is optional too" for key in both]
    specs = description.get("types", {})
    if not isinstance(specs, Mapping):
        return [*found, "types: not a map"]
    found += [f"types: {key!r} is required and has no type" for key in keys["required"] if key not in specs]
    found += [text for key, spec in specs.items() for text in spec_problems(spec, f"types.{key}")]
    defaults = description.get("defaults", {})
    if not isinstance(defaults, Mapping):
        return [*found, "defaults: not a map"]
    return found + [f"defaults: {key!r} is not optional" for key in defaults if key not in keys["optional"]]


def _rest_problems(description: Mapping[str, Any]) -> list[str]:
    texts = ("version", "__schema_version__")
    found = [f"{key}: not a text" for key in texts if not isinstance(description.get(key, ""), str)]
    found += [f"{key}: the caller of the run says this, not a stage" for key in sorted(_OF_THE_RUN & set(description))]
    if not isinstance(description.get("__extensions__", {}), Mapping):
        found.append("__extensions__: not a map")
    return found


def _field_spec(annotation: Any, *, required: bool) -> TypeSpec:  # noqa: ANN401 - an annotation is anything
    spec = spec_of(annotation)
    # An optional one that is None is left out; one that must be given can only be None by its type.
    if required and types.NoneType in get_args(annotation):
        return {"kind": "union", "of": [spec, {"kind": "enum", "values": [None]}]}
    return spec


def _union(members: list[Any]) -> TypeSpec:
    specs = [spec_of(each) for each in members]
    return specs[0] if len(specs) == 1 else {"kind": "union", "of": specs}


def _defaults(options: type[BaseModel]) -> dict[str, Any]:
    """What a field is when it is left out, but for None, which is nothing."""
    values = {
        key: field.get_default(call_default_factory=True, validated_data={})
        for key, field in options.model_fields.items()
        if not field.is_required()
    }
    return {key: to_jsonable_python(value) for key, value in values.items() if value is not None}
