"""The digest of a JSON value: the same value, the same digest, however it is written."""

from __future__ import annotations

import hashlib
import json

from pydantic import JsonValue


def digest_of(value: JsonValue) -> str:
    """`sha256:<hex>` over canonical JSON: sorted keys, no space, no NaN."""
    text = json.dumps(value, sort_keys=True, separators=(",", ":"), ensure_ascii=False, allow_nan=False)
    return f"sha256:{hashlib.sha256(text.encode()).hexdigest()}"
