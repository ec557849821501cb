"""`agentics.solution.json`: the scripts of a solution."""

from __future__ import annotations

from typing import Annotated, ClassVar, Literal

from pydantic import AfterValidator, WithJsonSchema

from agentics.model.document.size_caps import SOLUTION, Cap
from agentics.model.document.strict_types import Document, ExactlyOne, RelPath, refuse

MANIFEST_FILE = "agentics.solution.json"
NOTE_BYTES = 1024


def _note(text: str) -> str:
    size = len(text.encode())
    if size > NOTE_BYTES:
        refuse("too_long", f"a note has at most {NOTE_BYTES} UTF-8 bytes, this has {size}")
    if any((c < " " and c not in "\n\r\t") or "\x7f" <= c <= "\x9f" for c in text):
        refuse("bad_note", "a note must not contain control characters except line feed, return and tab")
    return text


Note = Annotated[
    str,
    AfterValidator(_note),
    WithJsonSchema(
        {
            "type": "string",
            "maxLength": NOTE_BYTES,
            "pattern": r"^[^\u0000-\u0008\u000b\u000c\u000e-\u001f\u007f-\u009f]*$",
        }
    ),
]


class SolutionCommands(Document):
    """Scripts below the workspace, run by `sh`. A phase without a script is skipped."""

    run: RelPath
    setup: RelPath | None = None
    build: RelPath | None = None


class SolutionManifest(Document):
    cap: ClassVar[Cap] = SOLUTION
    protocol: Literal["zip_project"]
    protocol_version: ExactlyOne
    note: Note = ""
    commands: SolutionCommands
