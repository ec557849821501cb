"""Reads a document that a path names: a regular file, through no link, and no more of it than its kind may have."""

from __future__ import annotations

from pathlib import Path

from pydantic import BaseModel

from agentics.archive import hostile, tree
from agentics.model.document.finding import Finding
from agentics.model.document.parsing import cap_of, invalid


def read_document(path: Path, model: type[BaseModel]) -> bytes:
    """The text; one that is too large for its kind is cut, which its loader reports.

    The folder may be reached through links: whoever gave the path chose them. Raises InvalidDocument where the file
    itself is a link or no regular file, OSError where there is none.
    """
    with hostile.opened(path.parent) as fd:
        found = tree.kind_at(fd, path.name)
        if found not in ("file", None):
            hint = "copy what it points to" if found == "symlink" else None
            message = f"a {found} where a file should be"
            raise invalid([Finding(code="not_a_file", message=message, file=str(path), hint=hint)])
        return tree.read_below(fd, path.name, cap_of(model).bytes + 1)
