"""Follows a path through a model: which model owns the object there, and which keys it knows."""

from __future__ import annotations

from dataclasses import dataclass
from types import NoneType, UnionType
from typing import Annotated, Any, Literal, TypeAlias, Union, get_args, get_origin

from pydantic import BaseModel

from agentics.model.document.json_text import Json, Path

Annotation: TypeAlias = Any  # what stands behind the colon of a field: typing has no type for it


@dataclass(frozen=True, kw_only=True)
class OwningModel:
    """A typed object: the keys it knows, those that may be null, and what becomes of others.

    `closed`: another key is an error. `skips`: the value of another key is not even judged.
    """

    keys: frozenset[str]
    nullable: frozenset[str]
    closed: bool
    skips: bool


def owner(model: type[BaseModel], value: Json, path: Path) -> OwningModel | None:
    """Who owns the object at `path` of the JSON `value`; None where values are free or ignored."""
    here: Any = model
    for part in path:
        here = _below(_variant(here, value), part)
        if here is None or not isinstance(value, list | dict):
            return None
        value = _item(value, part)
    found = variant(here, value)
    if found is None:
        return None
    closed = found.model_config.get("extra") == "forbid"
    return OwningModel(
        keys=frozenset(f.alias or n for n, f in found.model_fields.items()),
        nullable=frozenset(f.alias or n for n, f in found.model_fields.items() if NoneType in get_args(f.annotation)),
        closed=closed,
        # serde reads an object with a tag whole before it knows whose it is, so there every value is judged.
        skips=not closed and len(_models(here)) == 1,
    )


def variant(annotation: Annotation, value: Json) -> type[BaseModel] | None:
    """The model of the JSON object `value` in a place of this annotation; None where there is no model."""
    found = _variant(annotation, value)
    return found if found is not None and _is_model(found) else None


def plain_path(model: type[BaseModel], loc: tuple[str | int, ...]) -> Path:
    """The path in the document that pydantic's `loc` means: without the tags of unions."""
    here: Any = model
    path: list[str | int] = []
    for part in loc:
        models = _models(here)
        if len(models) > 1:
            here = next((m for m in models if part in _tags(m)), None)
            continue
        path.append(part)
        here = _below(models[0] if models else here, part)
    return tuple(path)


def _item(value: Json, part: str | int) -> Json:
    if isinstance(value, dict):
        return value.get(part)
    return value[part] if isinstance(part, int) and part < len(value) else None


def _below(here: Annotation, part: str | int) -> Annotation:
    here = _bare(here)
    if _is_model(here):
        found = here.model_fields.get(part)
        return None if found is None else found.annotation
    if _origin(here) is tuple and isinstance(part, int):
        return get_args(here)[0]
    return None


def _bare(annotation: Annotation) -> Annotation:
    """Without Annotated and without the null of a nullable."""
    while True:
        if _origin(annotation) is Annotated:
            annotation = get_args(annotation)[0]
            continue
        if _origin(annotation) in (Union, UnionType):
            some = [a for a in get_args(annotation) if a is not NoneType]
            if len(some) == 1:
                annotation = some[0]
                continue
        return annotation


def _origin(annotation: Annotation) -> Annotation:
    return get_origin(annotation)


def _is_model(annotation: Annotation) -> bool:
    return isinstance(annotation, type) and issubclass(annotation, BaseModel)


def _models(annotation: Annotation) -> list[type[BaseModel]]:
    bare = _bare(annotation)
    if _is_model(bare):
        return [bare]
    if _origin(bare) in (Union, UnionType):
        return [m for m in map(_bare, get_args(bare)) if _is_model(m)]
    return []


def _variant(annotation: Annotation, value: Json) -> Annotation:
    """The model of a union whose tag the value carries; what is no union of models stays as it is."""
    models = _models(annotation)
    if len(models) < 2:  # noqa: PLR2004  one model is no union
        return models[0] if models else annotation
    if not isinstance(value, dict):
        return None
    carried = {v for v in value.values() if isinstance(v, str)}
    return next((m for m in models if carried & _tags(m)), None)


def _tags(model: type[BaseModel]) -> set[str]:
    first = next(iter(model.model_fields.values()))
    return set(get_args(first.annotation)) if _origin(first.annotation) is Literal else set()
