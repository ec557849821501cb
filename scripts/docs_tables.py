"""Tables of the docs that are read from one place in the code each: images and commands, hints, backends, attacks."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import get_args

from agentics.attacks.catalogue import cases, listed
from agentics.lighteval import support
from agentics.model.document.size_caps import KINDS
from agentics.model.job import jobspec
from agentics.policy.verdict.hints import SLIPS
from agentics.sandbox.images import definitions


def table(head: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    lines = [head, ["---"] * len(head), *rows]
    return "\n".join(f"| {' | '.join(cell.replace('|', chr(92) + '|') for cell in line)} |" for line in lines)


def code(values: Iterable[object]) -> str:
    return ", ".join(f"`{value}`" for value in values)


def caps(_: str) -> str:
    """How large the text of each kind of document may be."""
    rows = [(kind, _size(cap.bytes), f"{cap.values:,}") for kind, cap in KINDS.items()]
    return table(("document", "bytes", "values"), rows)


def _size(count: int) -> str:
    return f"{count >> 20} MiB" if count >= 1 << 20 else f"{count >> 10} KiB"


def images(_: str) -> str:
    """Every image that is defined."""
    rows = [
        (f"`agentics-{one.name}`", one.purpose, one.cost, "when it is needed" if one.optional else "by set-up")
        for one in definitions().values()
    ]
    return table(("image", "for", "takes", "built"), rows)


def tools(_: str) -> str:
    """The commands that bundles find in the small image, and in the large one."""
    small, large = (definitions()[name].commands for name in ("base", "cpu"))
    rows = [
        (kind, code(small.get(kind, {})), code(name for name in names if name not in small.get(kind, {})))
        for kind, names in large.items()
    ]
    return table(("", "`agentics-base` and `agentics-cpu`", "`agentics-cpu` only"), rows)


def slips(_: str) -> str:
    """Every hint, by what it looks like."""
    return table(("hint", "what it looks like"), {f"`{slip.code}`": slip.looks_like for slip in SLIPS}.items())


def backends(_: str) -> str:
    """What each backend of a JobSpec can make use of."""
    rows = [
        (
            f"`{kind}`",
            code(name for name in jobspec.Backend.model_fields if name in support.FIELDS[kind]),
            code(name for name in jobspec.Generation.model_fields if name in support.GENERATION[kind]),
            yes(kind not in jobspec.ENDPOINTS),
            yes(kind in jobspec.ENDPOINTS),
            yes(kind in (*support.LOCAL, "custom")),
        )
        for kind in get_args(jobspec.BackendType)
    ]
    return table(("backend", "fields", "generation", "log-probabilities", "network", "GPU"), rows)


def attacks(_: str) -> str:
    """Every number of the attack suite's list, its cases, and what they do not show."""
    found = cases()
    rows = [
        (
            one.number,
            one.title,
            ", ".join(f"`{case.group}/{case.name}`" for case in found if one.number in case.numbers),
            one.unshown or "",
        )
        for one in listed()
    ]
    return table(("", "what is tried", "cases", "not shown here, because"), rows)


def yes(holds: bool) -> str:  # noqa: FBT001 - one word for one truth
    return "yes" if holds else "no"
