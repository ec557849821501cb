"""What the generic stages share: the examples that a caller assigned, and functions named by their import path."""

from __future__ import annotations

from collections.abc import Callable
from importlib import import_module
from typing import Any

from agentics.errors import UsageError
from agentics.pipeline.contract.stage import Context

ExampleCheck = Callable[[Any], Any]


def examples(context: Context) -> list[Any]:
    """The examples that the caller assigned; none assigned: none there."""
    return list(context.assigns.get("examples", ()))


def function(wanted: ExampleCheck | str) -> ExampleCheck:
    """A function, or the one at `package.module:name`. Raises UsageError (`bad_function`)."""
    if callable(wanted):
        return wanted
    module, _, attribute = wanted.partition(":")
    try:
        found: ExampleCheck = getattr(import_module(module), attribute)
    except (ImportError, AttributeError, ValueError) as error:
        msg = f"{wanted}: {error}"
        raise UsageError(msg, code="bad_function", hint="name a function as package.module:function") from error
    return found
