"""Type specs of stage options: words such as `string`, and objects such as `{"kind": "list", "of": "integer"}`.

{"kind": "struct", "module": "package.Class"}     {"kind": "list", "of": T}
{"kind": "enum", "values": [...]}                 {"kind": "map", "keys": K, "values": V}
{"kind": "function", "arity": 1}                  {"kind": "union", "of": [T, ...]}
                                                  {"kind": "tuple", "of": [T, ...]}
"""

from __future__ import annotations

import inspect
import re
from collections.abc import Callable, Mapping, Sequence
from types import ModuleType
from typing import Any

TypeSpec = str | Mapping[str, Any]

_MODULE = re.compile(r"[A-Za-z_]\w*(\.[A-Za-z_]\w*)*(:[A-Za-z_]\w*)?")
_PRIMITIVES: dict[str, Callable[[Any], bool]] = {
    "string": lambda value: isinstance(value, str),
    "integer": lambda value: isinstance(value, int) and not isinstance(value, bool),
    "float": lambda value: isinstance(value, int | float) and not isinstance(value, bool),
    "boolean": lambda value: isinstance(value, bool),
    "atom": lambda value: isinstance(value, str) and value != "",
    "map": lambda value: isinstance(value, Mapping),
    "list": lambda value: isinstance(value, list | tuple),
    "module": lambda value: (
        isinstance(value, ModuleType) or (isinstance(value, str) and _MODULE.fullmatch(value) is not None)
    ),
    "any": lambda _: True,
}
_KEYS = {
    "struct": ("module",),
    "enum": ("values",),
    "list": ("of",),
    "map": ("keys", "values"),
    "function": ("arity",),
    "union": ("of",),
    "tuple": ("of",),
}


def normalised(spec: object) -> object:
    """The same spec with constructed forms as objects: `("list", "integer")` becomes `{"kind": "list", …}`."""
    if isinstance(spec, Mapping):
        return {
            key: item if key in {"kind", "module", "arity"} else _normalised_part(spec, item)
            for key, item in spec.items()
        }
    if not isinstance(spec, list | tuple) or not spec or spec[0] not in _KEYS:
        return spec
    kind, *parts = spec
    return normalised({"kind": kind, **dict(zip(_KEYS[kind], parts, strict=False))})


def spec_problems(spec: object, path: str) -> list[str]:  # noqa: PLR0911 - one for each kind
    """Why this is no type spec; empty when it is one."""
    if isinstance(spec, str):
        return [] if spec in _PRIMITIVES else [f"{path}: no type is called {spec!r}"]
    kind = spec.get("kind") if isinstance(spec, Mapping) else None
    if not isinstance(spec, Mapping) or kind not in _KEYS:
        return [f"{path}: not a type spec"]
    missing = [key for key in _KEYS[kind] if key not in spec]
    if missing:
        return [f"{path}: {kind} needs {', '.join(missing)}"]
    match kind:
        case "struct":
            good = isinstance(spec["module"], str) and _MODULE.fullmatch(spec["module"]) is not None
            return [] if good else [f"{path}: struct needs the path of a class"]
        case "enum":
            return [] if _is_list(spec["values"]) and spec["values"] else [f"{path}: enum needs a list of values"]
        case "function":
            good = isinstance(spec["arity"], int) and not isinstance(spec["arity"], bool) and spec["arity"] >= 0
            return [] if good else [f"{path}: function needs a number of arguments"]
        case "list":
            return spec_problems(spec["of"], f"{path}[]")
        case "map":
            return spec_problems(spec["keys"], f"{path}.keys") + spec_problems(spec["values"], f"{path}.values")
        case _:
            if not _is_list(spec["of"]) or (kind == "union" and not spec["of"]):
                return [f"{path}: {kind} needs a list of types"]
            return [text for index, each in enumerate(spec["of"]) for text in spec_problems(each, f"{path}[{index}]")]


def value_problems(value: object, spec: TypeSpec, path: str) -> list[str]:  # noqa: PLR0911 - one for each kind
    """Where a value is not of its type: `X[0]: expected integer, got string`. Never says what the value is."""
    if isinstance(spec, str):
        return [] if _PRIMITIVES[spec](value) else [_expected(path, spec, value)]
    match spec["kind"]:
        case "struct":
            return [] if _is_struct(value, spec["module"]) else [_expected(path, spec["module"], value)]
        case "enum":
            allowed = any(value == each and type(value) is type(each) for each in spec["values"])
            return [] if allowed else [f"{path}: expected one of {', '.join(map(repr, spec['values']))}"]
        case "function":
            return [] if _takes(value, spec["arity"]) else [_expected(path, f"function of {spec['arity']}", value)]
        case "list":
            if not isinstance(value, list | tuple):
                return [_expected(path, "list", value)]
            return [t for i, each in enumerate(value) for t in value_problems(each, spec["of"], f"{path}[{i}]")]
        case "map":
            return _map_problems(value, spec, path)
        case "union":
            some = any(not value_problems(value, each, path) for each in spec["of"])
            return [] if some else [_expected(path, shown(spec), value)]
        case _:
            if not isinstance(value, list | tuple) or len(value) != len(spec["of"]):
                return [f"{path}: expected a tuple of {len(spec['of'])}"]
            pairs = enumerate(zip(value, spec["of"], strict=True))
            return [text for i, (each, of) in pairs for text in value_problems(each, of, f"{path}[{i}]")]


def shown(spec: TypeSpec) -> str:
    """A type spec for people: `list of integer`, `string or float`."""
    if isinstance(spec, str):
        return spec
    match spec["kind"]:
        case "struct":
            return str(spec["module"]).rpartition(".")[2]
        case "enum":
            return "one of " + ", ".join(map(str, spec["values"]))
        case "list":
            return f"list of {shown(spec['of'])}"
        case "map":
            return f"map of {shown(spec['keys'])} to {shown(spec['values'])}"
        case "function":
            return f"function of {spec['arity']}"
        case "union":
            return " or ".join(map(shown, spec["of"]))
        case _:
            return f"({', '.join(map(shown, spec['of']))})"


def _normalised_part(spec: Mapping[str, Any], item: object) -> object:
    if spec.get("kind") in {"union", "tuple"} and isinstance(item, list | tuple):
        return [normalised(each) for each in item]
    if spec.get("kind") == "enum":
        return list(item) if isinstance(item, list | tuple) else item
    return normalised(item)


def _is_list(value: object) -> bool:
    return isinstance(value, Sequence) and not isinstance(value, str)


def _map_problems(value: object, spec: Mapping[str, Any], path: str) -> list[str]:
    if not isinstance(value, Mapping):
        return [_expected(path, "map", value)]
    found: list[str] = []
    for key, item in value.items():
        found += value_problems(key, spec["keys"], f"{path} key {key!r}")
        found += value_problems(item, spec["values"], f"{path}[{key!r}]")
    return found


def _is_struct(value: object, module: str) -> bool:
    """An object of that class, or a map that the stage makes one of."""
    wanted = module.replace(":", ".")
    return isinstance(value, Mapping) or any(f"{k.__module__}.{k.__qualname__}" == wanted for k in type(value).__mro__)


def _takes(value: object, arity: int) -> bool:
    if not callable(value):
        return False
    try:
        inspect.signature(value).bind(*range(arity))
    except TypeError:
        return False
    except ValueError:
        return True  # some functions written in C have no signature
    return True


def _expected(path: str, wanted: str, value: object) -> str:
    return f"{path}: expected {wanted}, got {_word(value)}"


def _word(value: object) -> str:
    if value is None:
        return "nothing"
    for word in ("boolean", "integer", "float", "string", "map", "list"):
        if _PRIMITIVES[word](value):
            return word
    return type(value).__name__
