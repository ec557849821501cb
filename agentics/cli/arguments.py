"""How words on the command line become values: lists after one option, NAME=PATH pairs, options of many commands."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Annotated

import typer

from agentics.errors import UsageError

FreshSetup = Annotated[
    bool, typer.Option("--fresh-setup", help="Run challenge setups anew, and replace what is kept of them.")
]

AcceptAlterations = Annotated[
    bool, typer.Option("--accept-alterations", help="Go on although the run was altered; it says so for good.")
]


def spread(arguments: Sequence[str]) -> list[str]:
    """`--tasks A B` as `--tasks A --tasks B`: the option takes every word up to the next option."""
    result: list[str] = []
    listing = False
    for word in arguments:
        if word.startswith("-"):
            listing = word == "--tasks"
            if not listing:
                result.append(word)
        elif listing:
            result += ["--tasks", word]
        else:
            result.append(word)
    return result


def named_path(text: str) -> tuple[str | None, Path]:
    """`NAME=PATH` or `PATH`; a path that exists as written is a path, whatever it contains."""
    name, equals, path = text.partition("=")
    if not equals or Path(text).exists():
        return None, Path(text)
    return name, Path(path)


def image_pair(text: str) -> tuple[str, str]:
    """`REF=LOCAL`. Raises UsageError."""
    reference, equals, local = text.rpartition("=")
    if not equals or not reference or not local:
        msg = f"--image {text!r} is not REF=LOCAL"
        raise UsageError(msg, code="bad_image", hint="for example --image 'ghcr.io/team/image:*=agentics-cpu'")
    return reference, local
