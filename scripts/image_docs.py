"""The tables of the docs about images: which there are, and the commands that bundles find in them."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence

from agentics.sandbox.images import definitions

Table = Callable[[Sequence[str], Iterable[Sequence[str]]], str]


def images(table: Table) -> str:
    """Every image that is defined."""
    rows = [
        (f"`agentics-{one.name}`", one.purpose, one.cost, "when it is needed" if one.optional else "by set-up")
        for one in definitions().values()
    ]
    return table(("image", "for", "takes", "built"), rows)


def tools(table: Table) -> str:
    """The commands that bundles find in the small image, and in the large one."""
    small, large = (definitions()[name].commands for name in ("base", "cpu"))
    rows = [
        (kind, _code(small.get(kind, {})), _code(name for name in names if name not in small.get(kind, {})))
        for kind, names in large.items()
    ]
    return table(("", "`agentics-base` and `agentics-cpu`", "`agentics-cpu` only"), rows)


def _code(names: Iterable[str]) -> str:
    return ", ".join(f"`{name}`" for name in names)
