"""Digests of content, as files and records name them: `sha256:` and 64 hexadecimal digits. They are made here only."""

from __future__ import annotations

import hashlib
import json
from io import BufferedReader

from pydantic import JsonValue


def as_digest(hexadecimal: str) -> str:
    """The name of a SHA-256 digest that is given in hexadecimal digits."""
    return f"sha256:{hexadecimal}"


def sha256_of(data: bytes) -> str:
    """The digest of these bytes."""
    return as_digest(hashlib.sha256(data).hexdigest())


def sha256_of_file(file: BufferedReader) -> str:
    """The digest of what is left to read of an open file."""
    return as_digest(hashlib.file_digest(file, "sha256").hexdigest())


def digest_of(value: JsonValue) -> str:
    """The digest of a JSON value, over canonical JSON: sorted keys, no space, no NaN."""
    text = json.dumps(value, sort_keys=True, separators=(",", ":"), ensure_ascii=False, allow_nan=False)
    return sha256_of(text.encode())
