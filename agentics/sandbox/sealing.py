"""Gives one of our trees to one user of containers, and locks all other users out of it."""

from __future__ import annotations

import os
from pathlib import Path

from agentics.archive.hostile import walk


def seal(root: Path, uid: int) -> None:
    """Directories 0700, files 0600, or 0700 where they were executable. We made the tree: it holds no links.

    Mounts keep the tree from being written to, not these modes: evaluators copy parts of it together with their modes,
    and write to the copy.
    """
    for node in walk(root):
        mode = 0o700 if node.is_directory or node.found.st_mode & 0o111 else 0o600
        _give(root / node.path, uid, mode)
    _give(root, uid, 0o700)


def _give(path: Path, uid: int, mode: int) -> None:
    if os.geteuid() == 0:
        os.chown(path, uid, uid)
    path.chmod(mode)
