"""A row of the suite's table: what a case was to end like, how it did, and what is wrong with it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal, Self

from agentics.attacks.catalogue import AttackCase, Ending
from agentics.attacks.surroundings import Machine

Shown = Literal["ok", "failed", "not shown"]


@dataclass(frozen=True, kw_only=True)
class AttackRow:
    """`why`: what is wrong with a failed one, and why one that is not shown is not. `numbers` are those of the list."""

    case: str
    group: str
    numbers: tuple[str, ...]
    title: str
    expected: str
    found: str
    status: Shown
    why: str = ""

    @classmethod
    def of_group(cls, group: str, expected: Ending, found: Ending, problems: Sequence[str]) -> Self:
        """What is left after all cases of a group."""
        return cls(
            case="(afterwards)",
            group=group,
            numbers=(),
            title="what the group left on this machine and in public files",
            expected=str(expected),
            found=str(found),
            status="failed" if problems else "ok",
            why="; ".join(problems),
        )


def judged(case: AttackCase, machine: Machine, found: Ending, problems: Sequence[str]) -> AttackRow:
    """The row of a case that was tried."""
    expected = case.expected(machine.holding)
    wrong = list(problems)
    if not expected.admits(found):
        wrong.insert(0, "it ended differently")
    return _row(case, str(expected), str(found), "failed" if wrong else "ok", "; ".join(wrong))


def unshown(case: AttackCase, machine: Machine, why: str) -> AttackRow:
    """The row of a case that this machine cannot show."""
    return _row(case, str(case.expected(machine.holding)), "-", "not shown", why)


def _row(case: AttackCase, expected: str, found: str, status: Shown, why: str) -> AttackRow:
    return AttackRow(
        case=case.name,
        group=case.group,
        numbers=case.numbers,
        title=case.title,
        expected=expected,
        found=found,
        status=status,
        why=why,
    )
