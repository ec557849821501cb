"""Suites wherever the operator keeps them: folders of this machine, and URLs."""

from __future__ import annotations

from pathlib import Path

from agentics.config import Config
from agentics.lighteval.suites import Reader, SuiteFiles, folder_files
from agentics.storage import read_folder


def suite_reader(config: Config) -> Reader:
    """Reads a place of `[lighteval] suites`. Raises UsageError and StorageError for a URL that cannot be read."""

    def read(place: str) -> SuiteFiles:
        return read_folder(place, config.storage, base=Path()) if "://" in place else folder_files(place)

    return read
