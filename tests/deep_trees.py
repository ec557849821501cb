"""Trees that are deeper than any path may be long."""

from __future__ import annotations

import os
from pathlib import Path


def deepen(root: Path, levels: int, name: str = "d") -> None:
    """Make so many directories below `root`, each in the one before. `root` is made where it is missing."""
    root.mkdir(parents=True, exist_ok=True)
    at = os.open(root, os.O_RDONLY)
    for _ in range(levels):
        os.mkdir(name, dir_fd=at)
        inner = os.open(name, os.O_RDONLY, dir_fd=at)
        os.close(at)
        at = inner
    os.close(at)
