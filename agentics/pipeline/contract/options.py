"""The options of a stage against what it says of itself: defaults applied, and everything that is wrong named."""

from __future__ import annotations

import difflib
from collections.abc import Mapping
from typing import Any

from agentics.pipeline.contract.option_types import value_problems


def with_defaults(description: Mapping[str, Any], options: Mapping[str, Any]) -> dict[str, Any]:
    return {**description.get("defaults", {}), **options}


def option_problems(description: Mapping[str, Any], options: Mapping[str, Any]) -> list[str]:
    """Missing, of another type, or unknown; empty when nothing is wrong. An optional one that is None is left out."""
    required, optional, types = description["required"], description["optional"], description["types"]
    known = [*required, *optional, *(key for key in types if key not in required)]
    found = [f"{key}: required, and missing" for key in required if key not in options]
    for key, value in options.items():
        if key not in known:
            found.append(_unknown(key, known))
        elif key in types and not (value is None and key in optional):
            found += value_problems(value, types[key], key)
    return found


def _unknown(key: str, known: list[str]) -> str:
    near = difflib.get_close_matches(str(key), known, 1)
    return f"{key}: unknown option" + (f"; did you mean {near[0]!r}?" if near else "")
