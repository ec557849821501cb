"""Malformed documents: a text that is in order, changed in one to four places."""

from __future__ import annotations

import json
from collections.abc import Iterator
from random import Random
from typing import Any

STRANGE: tuple[Any, ...] = (
    None, True, False, 0, -1, 1, 1.0, 1e308, 2**63, 2**64, -(2**63) - 1, 10**400, 5e-324, "", " ", "x", "\0", "..", "/",
    "a/../b", "\ud800", "\U0001f600", "\u202e", "\x1b]0;x\x07", "=1+1", "a" * 5000, [], {}, [[]], [None], {"": None},
    {"__proto__": 1}, "2026-13-01T00:00:00Z", "9999-12-31T23:59:60Z", "NaN", "${HOME}", "%s%n", "sha256:" + "0" * 64,
    [[[[[[[[]]]]]]]], ["a"] * 300, {f"k{index}": index for index in range(50)},
)  # fmt: skip
_TOKENS = (
    b"{", b"}", b"[", b"]", b",", b":", b'"', b"\\", b"null", b"NaN", b"-Infinity", b"1e999", b"-0", b"01",
    b"\xff", b"\xed\xa0\x80", b"\xef\xbb\xbf", b"\\ud800", b"\\u0000", b"\0", b"\n", b"//", b"[" * 200, b'{"a":' * 130,
    b"9" * 5000, b"0x_", b"1:" * 5000 + b"1", b"&a ", b"*a", b"!!x ",
    b"<<: ", b"- ", b"? ", b"|\n", b"\t", b"'", b"#", b"%", b"= ", b"[[a]]\n", b"a.b.c = 1\n", b"\xe2\x80\xa8",
)  # fmt: skip


def mutated(text: bytes, random: Random) -> bytes:
    """The text with a change or several: of its structure, where it is JSON, or of its bytes."""
    change = _of_structure if random.random() < 0.7 else _of_bytes
    for _ in range(random.randint(1, 4)):
        text = change(text, random)
    return text


def _of_structure(text: bytes, random: Random) -> bytes:
    try:
        value = json.loads(text)
    except (ValueError, RecursionError):
        return _of_bytes(text, random)
    places = list(_places(value))
    if not places:
        return json.dumps(random.choice(STRANGE)).encode()
    above, key = random.choice(places)
    match random.randrange(6):
        case 0:
            del above[key]
        case 1 if isinstance(above, dict):
            above[random.choice((f"{key}s", str(key).upper(), "", "x" * 300, "\x1b[31m"))] = above.pop(key)
        case 2:
            other, from_there = random.choice(places)
            above[key] = json.loads(json.dumps(other.get(from_there) if isinstance(other, dict) else other))
        case 3 if isinstance(above, list):
            above.extend([above[key]] * random.randint(1, 200))
        case 4:
            above[key] = [above[key]]
        case _:
            above[key] = random.choice(STRANGE)
    return json.dumps(value, ensure_ascii=random.random() < 0.9).encode("utf-8", "surrogatepass")


def _places(value: Any) -> Iterator[tuple[Any, Any]]:
    inside = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    for key, item in list(inside):
        yield value, key
        yield from _places(item)


def _of_bytes(text: bytes, random: Random) -> bytes:
    at, end = sorted((random.randint(0, len(text)), random.randint(0, len(text))))
    token = random.choice(_TOKENS)
    match random.randrange(6):
        case 0:
            return text[:at] + token + text[at:]
        case 1:
            return text[:at] + token + text[at + len(token) :]
        case 2:
            return text[:at] + text[min(end, at + 20) :]
        case 3:
            return text[:end] + text[at:end][:2000] + text[end:]
        case 4:
            return text[:at]
        case _:
            return text[:at] + bytes([random.randrange(256)]) + text[at + 1 :]
