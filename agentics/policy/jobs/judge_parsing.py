"""What a judge said, as a number between 0 and 1; or why it is none. A text that cannot be read is never a zero."""

from __future__ import annotations

import json
import math
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Literal

from agentics.model.job.judge_template import ByField, ByPattern, JudgeTemplate

READ = 10_000
"""So many characters of the end are looked at: a verdict comes last, and a pattern of somebody else's costs time."""

_NUMBER = re.compile(r"[+-]?(\d+(\.\d*)?|\.\d+)([eE][+-]?\d+)?", re.ASCII)


@dataclass(frozen=True)
class Unread:
    """Why a text is no verdict."""

    reason: Literal["no_match", "not_a_number", "unknown_label", "out_of_scale"]


def read_verdict(template: JudgeTemplate, text: str) -> float | Unread:
    """The last thing in the text that the template's rule finds, from the scale to 0 … 1.

    The last, because judges weigh verdicts before they give one. What a judge thought (`<think>`) is no verdict.
    """
    said = _found(template, _final(text)[-READ:])
    if said is None:
        return Unread("no_match")
    value = _worth(template.parse.labels, said.strip())
    if isinstance(value, Unread):
        return value
    if not template.holds(value):
        return Unread("out_of_scale")
    least, most = template.scale
    return (value - least) / (most - least)


def _final(text: str) -> str:
    return text.rpartition("</think>")[2].partition("<think>")[0]


def _found(template: JudgeTemplate, text: str) -> str | None:
    match template.parse:
        case ByPattern(pattern=pattern):
            matches = list(re.finditer(pattern, text, re.IGNORECASE))
            if not matches:
                return None
            last = matches[-1]
            return next((group for group in last.groups() if group is not None), last[0])
        case ByField(field=name):
            objects = [value for value in _objects(text) if name in value]
            return _plain(objects[-1][name]) if objects else None


def _objects(text: str) -> Iterator[Mapping[str, object]]:
    """Every outermost JSON object in a text, in order."""
    decoder, at = json.JSONDecoder(), text.find("{")
    while at >= 0:
        try:
            value, end = decoder.raw_decode(text, at)
        except ValueError:
            end = at + 1
        except RecursionError:
            return
        else:
            yield value
        at = text.find("{", end)


def _plain(value: object) -> str:
    return value if isinstance(value, str) else json.dumps(value)


def _worth(labels: Mapping[str, float] | None, said: str) -> float | Unread:
    if labels is not None:
        plain = {name.strip().casefold(): value for name, value in labels.items()}
        return plain.get(said.casefold(), Unread("unknown_label"))
    value = float(said) if _NUMBER.fullmatch(said) else math.nan
    return value if math.isfinite(value) else Unread("not_a_number")
