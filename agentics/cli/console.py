"""Where words go: data to stdout, talk to stderr; and nothing that a stranger wrote steers a terminal."""

from __future__ import annotations

import json
import os
import sys
import unicodedata
from collections.abc import Iterable
from typing import Any, NoReturn

from rich.console import Console, ConsoleOptions, RenderableType
from rich.segment import Segment

from agentics.pipeline.stdout import lost

# Controls, formats (zero widths, bidirectional overrides, tags), lone surrogates, line and paragraph separators.
_UNSEEN = frozenset({"Cc", "Cf", "Cs", "Zl", "Zp"})
_PIPE_WIDTH = 400


class CliAnswer(SystemExit):
    """The end of a command whose exit status is an answer of its own, also where nobody reads its stdout."""


class PlainConsole(Console):
    """A console on which every text is shown and none is obeyed, whichever field it came from: escape sequences come
    from styles only, and a link in a text is none."""

    def render(self, renderable: RenderableType, options: ConsoleOptions | None = None) -> Iterable[Segment]:
        for segment in super().render(renderable, options):
            yield segment if segment.control else _shown(segment)


def _shown(segment: Segment) -> Segment:
    style = segment.style
    if style is not None and style.link is not None:
        style = style.update_link(None)
    return Segment(plain(segment.text, len(segment.text)), style)


# A table is as wide as the terminal, and wide enough for every cell where nobody has a terminal.
_is_terminal = sys.stdout is not None and sys.stdout.isatty()
out = PlainConsole(highlight=False, soft_wrap=True, emoji=False, width=None if _is_terminal else _PIPE_WIDTH)
err = PlainConsole(stderr=True, highlight=False, soft_wrap=True, emoji=False)


def plain(text: str, limit: int = 2000) -> str:
    """Text of a stranger, fit for a terminal: control characters shown, not obeyed; tabs and newlines kept."""
    kept = text[:limit]
    shown = kept if kept.isprintable() else "".join(_visible(character) for character in kept)
    return shown if len(text) <= limit else f"{shown}…"


def one_line(text: str, limit: int = 300) -> str:
    return plain(" ".join(text.split()), limit)


def middle(text: str, width: int) -> str:
    """The text in so many columns: where it is longer, its middle is left out, since names differ at both ends."""
    if len(text) <= width:
        return text
    kept = max(width - 1, 2)
    return f"{text[: kept - kept // 2]}…{text[len(text) - kept // 2 :]}"


def print_json(document: Any, *, indented: bool | None = None) -> None:  # noqa: ANN401 - anything that JSON can say
    """One JSON document on stdout; on a terminal indented, unless said, and readable without being obeyed."""
    if out.file.isatty() if indented is None else indented:
        print_line(json.dumps(document, indent=2, ensure_ascii=False))
    else:
        print_line(json.dumps(document))


def print_line(text: str, *, raw: bool = False) -> bool:
    """Write text and a line feed to stdout, and flush. Returns False when stdout was closed; nothing is raised then.

    What steers a terminal is shown as in JSON, so a text that is JSON still says the same; with `raw`, it is obeyed.
    """
    out.file.write((text if raw else plain(text, len(text))) + "\n")
    out.file.flush()
    return lost(out.file) is None


def leave(status: int) -> NoReturn:
    """End the process with a status that is an answer of its own: that of a run, or yes or no."""
    raise CliAnswer(status)


def is_interactive() -> bool:
    """A person is watching stderr: a terminal, not CI, not a dumb one."""
    return err.is_terminal and not os.environ.get("CI") and os.environ.get("TERM") != "dumb"


def is_watched() -> bool:
    """Whether stderr is a terminal itself, outside of CI: what is private may be shown there. What only makes a library
    take stderr for a terminal, as FORCE_COLOR does, does not count."""
    return sys.stderr.isatty() and not os.environ.get("CI")


def _visible(character: str) -> str:
    if character in "\n\t" or unicodedata.category(character) not in _UNSEEN:
        return character
    return json.dumps(character)[1:-1]
