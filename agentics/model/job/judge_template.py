"""How a judge is asked, and how what it says becomes a number: one versioned document, kept with every result."""

from __future__ import annotations

import re
import warnings
from difflib import get_close_matches
from typing import Annotated, ClassVar, Literal, Self

from pydantic import Field, FiniteFloat, model_validator

from agentics.model.document.record import Record
from agentics.model.document.size_caps import SMALL, Cap
from agentics.model.document.strict_types import refuse

PLACEHOLDERS = ("question", "answer", "gold", "choices")
_NAME = re.compile(r"\{(\w+)\}")
_LONGEST = 1000
_UNIT = re.compile(
    r"\\.|\[\^?\]?(?:\\.|[^\]\\])*\]|\(\?#[^)]*\)|\((?:\?P?[<=!:>a-zA-Z-]*)?|\)|[*+?]|\{\d*,?\d*\}|.", re.DOTALL
)
"""An escape, a class, a comment, the start of a group, its end, a repetition, or a character."""

Labels = dict[str, FiniteFloat]
"""What words are worth. Upper and lower case are the same."""


class Message(Record):
    """`content` may hold `{question}`, `{answer}`, `{gold}` and `{choices}`."""

    role: Literal["system", "user", "assistant"]
    content: str


class ByPattern(Record):
    """The last match of a regular expression, its first group that took part if it has groups; upper and lower case are
    the same. `labels`: what its words are worth; without them it is a number.

    A pattern that repeats a repetition is refused: some texts would take it for ever.
    """

    kind: Literal["regex"] = "regex"
    pattern: Annotated[str, Field(min_length=1, max_length=_LONGEST)]
    labels: Labels | None = None

    @model_validator(mode="after")
    def _is_a_pattern(self) -> Self:
        try:
            with warnings.catch_warnings():
                warnings.simplefilter("error")  # `[[a]`: what it means is going to change
                re.compile(self.pattern)
        except (re.error, OverflowError, RecursionError, Warning) as error:
            refuse("bad_pattern", f"not a regular expression: {error}", key="pattern")
        if repeats_a_repetition(self.pattern):
            hint = "repeat the group or what is in it, not both"
            refuse("slow_pattern", "a repetition is itself repeated", key="pattern", hint=hint)
        return self


class ByField(Record):
    """A field of the last JSON object in the text that has it, also in a code fence or between words."""

    kind: Literal["json"] = "json"
    field: Annotated[str, Field(min_length=1)]
    labels: Labels | None = None


class JudgeTemplate(Record):
    """`scale`: the least and the most that a judge can give; values are between 0 and 1 afterwards."""

    cap: ClassVar[Cap] = SMALL
    schema_version: Literal["judge_template_v1"] = "judge_template_v1"
    id: Annotated[str, Field(pattern=r"^[A-Za-z0-9][A-Za-z0-9._-]{0,63}$")]
    version: str
    description: str = ""
    messages: Annotated[tuple[Message, ...], Field(min_length=1)]
    parse: Annotated[ByPattern | ByField, Field(discriminator="kind")]
    scale: tuple[FiniteFloat, FiniteFloat] = (0.0, 1.0)

    @model_validator(mode="after")
    def _asks_about_the_answer(self) -> Self:
        used = [name for message in self.messages for name in _NAME.findall(message.content)]
        for name in used:
            near = [] if name in PLACEHOLDERS else get_close_matches(name, PLACEHOLDERS, 1)
            if near:
                # Other words in braces are text: a template may show what JSON it wants.
                refuse("unknown_placeholder", f"{{{name}}} is no placeholder", hint=f"did you mean {{{near[0]}}}?")
        if "answer" not in used:
            refuse("no_answer", "no message holds {answer}: the judge would not see what it is to judge")
        return self

    @model_validator(mode="after")
    def _gives_what_the_scale_has(self) -> Self:
        labels = self.parse.labels
        if not 0 < self.scale[1] - self.scale[0] < float("inf"):
            refuse("bad_scale", "the least of a scale is below its most", key="scale")
        if labels is None:
            return self
        if not labels or len({name.strip().casefold() for name in labels}) < len(labels):
            refuse("bad_labels", "labels are words, each there once in upper or lower case", key="parse")
        outside = [name for name, value in labels.items() if not self.holds(value)]
        if outside:
            refuse("bad_scale", f"label {outside[0]!r} is worth more or less than the scale has", key="parse")
        return self

    def holds(self, value: float) -> bool:
        """Whether the scale has this value."""
        return self.scale[0] <= value <= self.scale[1]


def repeats_a_repetition(pattern: str) -> bool:
    """Whether a group of a regular expression is repeated that itself holds a repetition of no fixed number, such as
    `(a+)*`: on a text that does not match, the time doubles with every character."""
    holds = [False]
    closed = False
    for match in _UNIT.finditer(pattern):
        unit = match[0]
        least, most = _times(unit)
        if closed and most > 1:
            return True
        closed = False
        if unit.startswith("(") and not unit.startswith("(?#"):
            holds.append(False)
        elif unit == ")" and len(holds) > 1:
            closed = holds.pop()
            holds[-1] |= closed
        elif most > max(least, 1):
            holds[-1] = True
    return False


def _times(unit: str) -> tuple[float, float]:
    """How often a repetition repeats, at least and at most; once, what is none."""
    if unit in ("*", "+"):
        return 0, float("inf")
    if len(unit) > 2 and unit[0] == "{":  # noqa: PLR2004 - braces around nothing are text
        least, _, most = unit[1:-1].rpartition(",")
        return float(least or (0 if "," in unit else most)), float(most or "inf")
    return 1, 1


DOCUMENTS: dict[str, type[Record]] = {"judge_template": JudgeTemplate}
