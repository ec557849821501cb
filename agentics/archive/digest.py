"""The identity of a directory by content: SHA-256 over its names, sizes and bytes, whatever the modes and times."""

from __future__ import annotations

import hashlib
import os
from pathlib import Path
from typing import Protocol

from agentics.archive import hostile, tree
from agentics.model.document.parsing import invalid


class _Hash(Protocol):
    def update(self, data: bytes, /) -> None: ...


def tree_digest(root: Path) -> str:
    """In hexadecimal. Directories are taken from a stack; what is in one comes in the order of its names as bytes.

    Raises InvalidDocument on links, special files and trees beyond the caps, OSError when something cannot be read.
    """
    digest = hashlib.sha256()
    count = 0
    stack = [""]
    with hostile.opened(root) as fd:
        while stack:
            here = stack.pop()
            found = _entries(fd, here)
            count += len(found)
            if count > tree.MAX_ENTRIES or here.count("/") > tree.MAX_DEPTH:
                tree.refuse_tree(root, "tree_too_large", "too many or too deeply nested files and directories")
            stack.extend(f"{entry.path}/" for entry in found if _add(digest, fd, entry))
    return digest.hexdigest()


def _entries(fd: int, here: str) -> list[tree.Entry]:
    with tree.at(fd, here.rstrip("/")) as inner:
        return tree.entries(inner, here)


def _add(digest: _Hash, fd: int, entry: tree.Entry) -> bool:
    """Take the entry in; whether it is a directory."""
    name = os.fsencode(entry.path)
    if entry.kind == "directory":
        _field(digest, b"dir", name)
        return True
    if entry.kind != "file":
        raise invalid([tree.link_finding(entry, entry.path)])
    _field(digest, b"file", name)
    folder, _, own = entry.path.rpartition("/")
    with tree.at(fd, folder) as inner, open(tree.open_regular(inner, own), "rb") as file:  # noqa: PTH123  a descriptor
        # The size of what is open, not of what was listed: only then do size and bytes belong together.
        _field(digest, b"file_size", os.fstat(file.fileno()).st_size.to_bytes(8, "big"))
        while chunk := file.read(tree.CHUNK):
            digest.update(chunk)
    return False


def _field(digest: _Hash, label: bytes, value: bytes) -> None:
    for part in (label, value):
        digest.update(len(part).to_bytes(8, "big"))
        digest.update(part)
