"""Secrets that a server, a model or a plugin repeats, taken out before an answer is scored and before a text is cut.

Whoever started the worker takes them out of every event, too. There a secret that was cut in two would not be found,
and an answer would be scored otherwise than the answer that is kept.
"""

from __future__ import annotations

import html
import json
import os
from dataclasses import replace
from functools import cache
from typing import Any
from urllib.parse import quote, quote_plus

NAMES = "AGENTICS_SECRETS"
"""The environment variable with the names of those that hold secrets, with commas between them."""
HIDDEN = "***"
_SHORTEST = 6


def hide(text: str) -> str:
    for value in _values():
        text = text.replace(value, HIDDEN)
    return text


def first(text: str, most: int) -> str:
    """The text's first characters, cut once secrets are out."""
    return hide(text)[:most]


def last(text: str, most: int) -> str:
    return hide(text)[-most:]


def hidden(response: Any) -> Any:  # noqa: ANN401 - LightEval's ModelResponse
    """A response without secrets in its texts."""
    if not _values():
        return response
    texts = [hide(text) if isinstance(text, str) else text for text in response.text]
    reasonings = [hide(text) if isinstance(text, str) else text for text in response.reasonings]
    return replace(response, text=texts, reasonings=reasonings)


@cache
def _values() -> tuple[str, ...]:
    """Longest first, also as a URL, JSON, HTML or Python shows them."""
    named = (os.environ.get(name, "").strip() for name in os.environ.get(NAMES, "").split(","))
    found = {form for value in named if len(value) >= _SHORTEST for form in _forms(value)}
    return tuple(sorted(found, key=len, reverse=True))


def _forms(value: str) -> tuple[str, ...]:
    shown = (json.dumps(value)[1:-1], json.dumps(value, ensure_ascii=False)[1:-1], repr(value)[1:-1])
    return (value, *shown, quote(value, safe=""), quote(value), quote_plus(value), html.escape(value))
