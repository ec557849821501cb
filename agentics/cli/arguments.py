"""How words on the command line become values: checked texts and paths, lists after one option, NAME=PATH pairs; and
options of many commands.

Every text and path of every command is read by one of the readers here, as `parser=`; a test looks at all commands.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

import typer

from agentics.errors import UsageError
from agentics.paths import PathUse, checked


@dataclass(frozen=True)
class PathReader:
    """Reads a path. `role`: what it is for, as an error names it."""

    role: str
    use: PathUse = "read"
    __name__ = "path"

    def __call__(self, text: str | Path) -> Path:
        """Raises UsageError (bad_path)."""
        return checked(text, self.role, self.use)


@dataclass(frozen=True)
class NamedPathReader:
    """Reads `NAME=PATH` or `PATH`, and leaves the text as it is: files of options hold such texts too."""

    role: str
    __name__ = "path"

    def __call__(self, text: str) -> str:
        """Raises UsageError (bad_path)."""
        named_path(text, self.role)
        return text


@dataclass(frozen=True)
class NameReader:
    """Reads a name, a pattern or an id, none of which is ever empty. `option`: as an error names it."""

    option: str
    __name__ = "text"

    def __call__(self, text: str) -> str:
        """Raises UsageError (bad_text) for a blank one, and for what is not UTF-8 or holds a NUL."""
        if not text.strip():
            why = "is empty"
        elif "\0" in text:
            why = "holds a NUL"
        elif not _is_utf8(text):
            why = "is not UTF-8"
        else:
            return text
        msg = f"{self.option} {why}"
        raise UsageError(msg, code="bad_text", hint="give a value, or leave it out")


@dataclass(frozen=True)
class NamedFileReader:
    """Reads the path of a file, or a name that stands for one, and leaves the text as it is."""

    option: str
    __name__ = "text"

    def __call__(self, text: str) -> str:
        """Raises UsageError (bad_path)."""
        checked(text, self.option, "file")
        return text


def _is_utf8(text: str) -> bool:
    try:
        text.encode()
    except UnicodeEncodeError:
        return False
    return True


RunDir = Annotated[Path, typer.Argument(parser=PathReader("run directory"), help="A run directory.", metavar="RUN")]
FreshSetup = Annotated[
    bool, typer.Option("--fresh-setup", help="Run challenge setups anew, and replace what is kept of them.")
]

JsonOption = Annotated[bool, typer.Option("--json", help="One JSON object on stdout.")]
TrustOption = Annotated[bool, typer.Option("--trust", help="Run what the run says on this machine, whoever made it.")]
AcceptAlterations = Annotated[
    bool, typer.Option("--accept-alterations", help="Go on although the run was altered; it says so for good.")
]


def spread(arguments: Sequence[str]) -> list[str]:
    """`--tasks A B` as `--tasks=A --tasks=B`: the option takes every word up to the next option.

    One that no word follows is `--tasks=`, an empty list, which `listed` refuses.
    """
    result: list[str] = []
    words: list[str] | None = None
    for word in (*arguments, "--"):
        if not word.startswith("-") and words is not None:
            words.append(word)
            continue
        if words is not None:
            result += [f"--tasks={each}" for each in words or [""]]
        words = [] if word == "--tasks" else None
        result += [word] if words is None else []
    return result[:-1]


def listed(option: str, texts: Iterable[str]) -> tuple[str, ...]:
    """The names in these texts, of which each holds one or several with commas between. Raises UsageError for an empty
    one: a list from which the names were lost must not become every name."""
    names = tuple(name.strip() for text in texts for name in text.split(","))
    if not all(names):
        msg = f"{option}: a name is empty"
        raise UsageError(msg, code="empty_name", hint=f"give names with commas between, or leave {option} out")
    return names


def named_path(text: str, role: str) -> tuple[str | None, Path]:
    """`NAME=PATH` or `PATH`; a path that exists as written is a path, whatever it contains. Raises UsageError."""
    name, equals, path = text.partition("=")
    if not equals or _exists(text):
        return None, checked(text, role)
    return name, checked(path, role)


def _exists(text: str) -> bool:
    try:
        return Path(text).exists()
    except OSError:  # too long for one, say: its part behind `=` may still be a path
        return False


def image_pair(text: str) -> tuple[str, str]:
    """`REF=LOCAL`. Raises UsageError."""
    reference, equals, local = text.rpartition("=")
    if not equals or not reference or not local:
        msg = f"--image {text!r} is not REF=LOCAL"
        raise UsageError(msg, code="bad_image", hint="for example --image 'ghcr.io/team/image:*=agentics-cpu'")
    return reference, local
