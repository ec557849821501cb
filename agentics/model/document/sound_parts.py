"""What is sound of a document that has mistakes: objects that lack the attributes of broken keys.

Rules and other documents can be checked by it, so that one mistake does not hide another.
"""

from __future__ import annotations

from collections.abc import Collection
from functools import cache
from types import NoneType
from typing import Any, TypeVar, cast, get_args

from pydantic import BaseModel, RootModel, ValidationError, create_model

from agentics.model.document.json_text import Json, Path, Problem
from agentics.model.document.shape import variant

M = TypeVar("M", bound=BaseModel)


def sound_part(model: type[M], value: Json, found: Collection[Problem], *, deep: bool) -> M | None:
    """An object of the model that lacks every attribute whose key has a problem; None where the value is no object, or
    the model only a name for others.

    Unknown keys are left out. A key with a problem below it is left out whole, or, if `deep`, is itself an object that
    lacks what is broken, where it is an object; and a key that is missing, but may be null, is None.
    """
    if not isinstance(value, dict) or issubclass(model, RootModel):
        return None
    unknown = {problem.path for problem in found if problem.code == "unknown_key"}
    broken = {problem.path: problem.code for problem in found if problem.code != "unknown_key"}
    broken |= {problem.meant: problem.code for problem in found if problem.meant is not None}
    return _part(model, _without(value, unknown, ()), broken, (), deep=deep)


def _part(model: type[M], value: dict[str, Json], broken: dict[Path, str], path: Path, *, deep: bool) -> M:
    kept: dict[str, Any] = {}
    for name, field in model.model_fields.items():
        at = (*path, name)
        below = [one for one in broken if one[: len(at)] == at]
        if not below:
            kept |= _checked(model, name, value)
        elif deep and broken.get(at) == "missing_key" and NoneType in get_args(field.annotation):
            kept[name] = None
        elif deep and at not in broken and isinstance(value.get(name), dict):
            nested = variant(field.annotation, value[name])
            if nested is not None:
                kept[name] = _part(nested, value[name], broken, at, deep=True)
    part = model.model_construct(**kept)
    for name in model.model_fields.keys() - kept.keys():
        part.__dict__.pop(name, None)  # the default of a key that is there, but broken
    return part


def _checked(model: type[BaseModel], name: str, value: dict[str, Json]) -> dict[str, Any]:
    if name not in value and model.model_fields[name].is_required():
        return {}
    given = {name: value[name]} if name in value else {}
    try:
        return {name: getattr(_single(model, name).model_validate(given), name)}
    except ValidationError:
        return {}


@cache
def _single(model: type[BaseModel], name: str) -> type[BaseModel]:
    """A model of one of a model's keys, without the rules across keys."""
    field: Any = (model.model_fields[name].annotation, model.model_fields[name])
    return cast("type[BaseModel]", create_model("Part", __base__=model.__mro__[1], **{name: field}))


def _without(value: Json, gone: Collection[Path], path: Path) -> Json:
    if isinstance(value, dict):
        kept = {key: item for key, item in value.items() if (*path, key) not in gone}
        return {key: _without(item, gone, (*path, key)) for key, item in kept.items()}
    if isinstance(value, list):
        return [_without(item, gone, (*path, index)) for index, item in enumerate(value)]
    return value
