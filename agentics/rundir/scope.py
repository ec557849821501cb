"""The scope of a task: what a result depends on, as one digest, and where two scopes differ."""

from __future__ import annotations

from agentics.content import sha256_of
from agentics.model.run.directory import Scope
from agentics.rundir.files.atomic import canonical_bytes


def fingerprint(scope: Scope) -> str:
    """`sha256:<hex>` over the canonical JSON of the scope."""
    return sha256_of(canonical_bytes(scope.model_dump(mode="json")))


def differences(a: Scope, b: Scope) -> tuple[str, ...]:
    """The fields in which two scopes differ, those of `images` and `config` by their key, in a fixed order."""
    one, other = a.model_dump(mode="json"), b.model_dump(mode="json")
    found: list[str] = []
    for field in Scope.model_fields:
        if field in {"images", "config"}:
            inner = sorted(one[field].keys() | other[field].keys())
            found += [f"{field}.{key}" for key in inner if _absent_or(one[field], key) != _absent_or(other[field], key)]
        elif one[field] != other[field]:
            found.append(field)
    return tuple(found)


def _absent_or(mapping: dict[str, object], key: str) -> tuple[bool, object]:
    return key in mapping, mapping.get(key)
