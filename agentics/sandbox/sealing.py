"""Gives one of our trees to one user of containers, and locks all other users out of it."""

from __future__ import annotations

import os
from pathlib import Path


def seal(root: Path, uid: int) -> None:
    """Directories 0700, files 0600, or 0700 where they were executable. We made the tree: it holds no links.

    Mounts keep the tree from being written to, not these modes: evaluators copy parts of it together with their modes,
    and write to the copy.
    """
    for folder, _, files in os.walk(root, topdown=False):
        for name in files:
            path = Path(folder) / name
            _give(path, uid, 0o700 if path.stat().st_mode & 0o111 else 0o600)
        _give(Path(folder), uid, 0o700)


def _give(path: Path, uid: int, mode: int) -> None:
    if os.geteuid() == 0:
        os.chown(path, uid, uid)
    path.chmod(mode)
