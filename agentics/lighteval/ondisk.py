"""What is where a document says. A name that no file system takes is simply not there."""

from __future__ import annotations

import os
from pathlib import Path


def is_folder(path: Path) -> bool:
    return os.path.isdir(path)  # noqa: PTH112  Path.is_dir raises for names that are too long


def is_file(path: Path) -> bool:
    return os.path.isfile(path)  # noqa: PTH113  as above
