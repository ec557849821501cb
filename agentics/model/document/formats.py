"""One document, three ways to write it: JSON, YAML and TOML text to a model, with the place of every problem.

YAML is read as the subset that is JSON with other brackets: no tags, no merging, no dates, every key a string and there
once. TOML's reader tells no places, so findings in TOML name the key only.
"""

from __future__ import annotations

import json
import tomllib
from collections.abc import Sequence
from dataclasses import replace
from typing import Any, Literal, TypeVar

import yaml
from pydantic import BaseModel

from agentics.model.document.finding import Finding
from agentics.model.document.json_text import MAX_DEPTH, Json, Path, pointer, scan
from agentics.model.document.parsing import SIZES, Loaded, Rule, invalid, load
from agentics.model.document.size_caps import OTHER, Cap

M = TypeVar("M", bound=BaseModel)
Format = Literal["json", "yaml", "toml"]
_TOO_MANY = f"more than {OTHER.values} values"
Places = dict[str, tuple[int, int]]

_SUFFIXES: dict[str, Format] = {".json": "json", ".yaml": "yaml", ".yml": "yaml", ".toml": "toml"}
_SCALARS = {"tag:yaml.org,2002:" + name for name in ("str", "int", "float", "bool", "null")}


class _Loader(yaml.SafeLoader):
    """Stops at the value after the last one that is allowed: a node takes a kilobyte and a tenth of a millisecond."""

    left = OTHER.values

    def compose_node(self, parent: yaml.Node | None, index: int) -> yaml.Node | None:
        self.left -= 1
        if self.left < 0:
            mark = self.get_mark()
            raise _Refused(code="too_many_values", message=_TOO_MANY, at=(mark.line + 1, mark.column + 1), hint=SIZES)
        return super().compose_node(parent, index)


class _Refused(Exception):
    """A problem that ends the reading of the text."""

    def __init__(self, *, code: str, message: str, at: tuple[int, int] = (0, 0), hint: str | None = None) -> None:
        super().__init__(message)
        self.code, self.message, self.at, self.hint = code, message, at, hint


def format_of(file: str) -> Format | None:
    """By the end of the file's name; None where that says nothing."""
    return next((kind for end, kind in _SUFFIXES.items() if file.endswith(end)), None)


def value_of(data: bytes, kind: Format, file: str, cap: Cap) -> Json:
    """The plain value, for a look before a model is chosen. Raises InvalidDocument where the text cannot be read; of
    JSON that cannot, the value is None, and `read` says what is wrong, with its place."""
    if kind == "json":
        found = scan(data, cap)
        return found.value if found.complete else None
    found, _ = _other(data, kind, file)
    return found


def read(model: type[M], data: bytes, kind: Format, file: str, rules: Sequence[Rule[M]] = ()) -> M:
    """Raises InvalidDocument with all findings."""
    loaded = load(model, data, file, rules) if kind == "json" else _loaded(model, data, kind, file, rules)
    if loaded.value is None:
        raise invalid(loaded.findings)
    return loaded.value


def _loaded(model: type[M], data: bytes, kind: Format, file: str, rules: Sequence[Rule[M]]) -> Loaded[M]:
    value, places = _other(data, kind, file)
    loaded = load(model, json.dumps(value).encode(), file, rules)
    findings = [replace(f, **_place(places, f.pointer)) for f in loaded.findings]
    return Loaded(value=loaded.value, findings=tuple(sorted(findings, key=lambda f: (f.line, f.column))))


def _place(places: Places, where: str) -> dict[str, Any]:
    """Of the value or key itself, or of what it is missing in."""
    while where and where not in places:
        where = where.rpartition("/")[0]
    line, column = places.get(where, (0, 0))
    return {"line": line, "column": column}


def _other(data: bytes, kind: Format, file: str) -> tuple[Json, Places]:
    try:
        if len(data) > OTHER.bytes:
            raise _Refused(code="too_large", message=f"more than {OTHER.bytes} bytes of {kind.upper()}", hint=SIZES)
        text = data.decode("utf-8")
        return _yaml(text) if kind == "yaml" else (_toml(text), {})
    except UnicodeDecodeError as error:
        finding = Finding(code="not_utf8", message="not UTF-8", file=file, hint="save the file as UTF-8")
        raise invalid([finding]) from error
    except _Refused as refused:
        line, column = refused.at
        finding = Finding(
            code=refused.code, message=refused.message, file=file, line=line, column=column, hint=refused.hint
        )
        raise invalid([finding]) from refused


def _toml(text: str) -> Json:
    try:
        value = tomllib.loads(text)
        json.dumps(value, allow_nan=False)
    except tomllib.TOMLDecodeError as error:
        raise _Refused(code="syntax", message=str(error)) from error
    except (TypeError, ValueError, RecursionError) as error:
        message = f"a date, a time or such a number has no place here: {error}"
        raise _Refused(code="not_json", message=message) from error
    return value


def _yaml(text: str) -> tuple[Json, Places]:
    places: Places = {}
    try:
        loader = _Loader(text)
        root = loader.get_single_node()
        return _node(loader, root, (), places) if root is not None else None, places
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark or error.context_mark
        at = (mark.line + 1, mark.column + 1) if mark else (0, 0)
        raise _Refused(code="syntax", message=f"not YAML: {error.problem or error.context}", at=at) from error
    except yaml.YAMLError as error:
        raise _Refused(code="syntax", message=f"not YAML: {error}") from error
    except RecursionError as error:
        raise _Refused(code="too_deep", message=f"nested deeper than {MAX_DEPTH} levels") from error


def _node(loader: yaml.SafeLoader, node: yaml.Node, path: Path, places: Places) -> Json:
    at = (node.start_mark.line + 1, node.start_mark.column + 1)
    # An alias may stand for what holds thousands of aliases: what is counted is what comes out.
    if len(path) > MAX_DEPTH:
        raise _Refused(code="too_deep", message=f"nested deeper than {MAX_DEPTH} levels", at=at)
    if len(places) > OTHER.values:
        raise _Refused(code="too_many_values", message=_TOO_MANY, at=at, hint=SIZES)
    places.setdefault(pointer(path), at)
    match node:
        case yaml.MappingNode(tag="tag:yaml.org,2002:map"):
            return _mapping(loader, node, path, places)
        case yaml.SequenceNode(tag="tag:yaml.org,2002:seq"):
            return [_node(loader, item, (*path, index), places) for index, item in enumerate(node.value)]
        case yaml.ScalarNode(tag=tag) if tag in _SCALARS:
            return _scalar(loader, node, at)
    kind = node.tag.removeprefix("tag:yaml.org,2002:")
    hint = "write texts such as dates in quotes"
    raise _Refused(code="not_json", message=f"a YAML {kind} has no place here", at=at, hint=hint)


def _mapping(loader: yaml.SafeLoader, node: yaml.MappingNode, path: Path, places: Places) -> Json:
    members: dict[str, Json] = {}
    for key, value in node.value:
        at = (key.start_mark.line + 1, key.start_mark.column + 1)
        if not isinstance(key, yaml.ScalarNode) or key.tag != "tag:yaml.org,2002:str":
            raise _Refused(code="bad_key", message="a key must be a text", at=at, hint="put it in quotes")
        if key.value in members:
            message = f"the key {key.value!r:.100} is there more than once"
            raise _Refused(code="duplicate_key", message=message, at=at, hint="keep one of them")
        places[pointer((*path, key.value))] = at
        members[key.value] = _node(loader, value, (*path, key.value), places)
    return members


def _scalar(loader: yaml.SafeLoader, node: yaml.ScalarNode, at: tuple[int, int]) -> Json:
    try:
        value = loader.construct_object(node)
        if isinstance(value, int):
            float(value)
    except (ValueError, OverflowError) as error:  # `0x_`, or more digits than a double can tell
        message = f"{node.value[:40]!r} is no number that can be read"
        raise _Refused(code="number_out_of_range", message=message, at=at) from error
    if isinstance(value, float) and value - value != 0:
        raise _Refused(code="not_json", message=f"{node.value} is not a finite number", at=at)
    return value
