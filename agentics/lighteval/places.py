"""Where the operator keeps plugins, suites and datasets: `[lighteval]` of agentics.toml, relative to that file."""

from __future__ import annotations

from pathlib import Path

from agentics.config import Config
from agentics.lighteval.ondisk import is_folder


def plugin_folders(config: Config) -> tuple[Path, ...]:
    return tuple(_base(config) / place for place in config.lighteval.plugins)


def suite_places(config: Config) -> tuple[str, ...]:
    """Folders on this machine, and URLs as they are."""
    return tuple(place if "://" in place else str(_base(config) / place) for place in config.lighteval.suites)


def template_folders(config: Config) -> tuple[Path, ...]:
    return tuple(_base(config) / place for place in config.lighteval.templates)


def data_folder(config: Config) -> Path | None:
    return None if config.lighteval.data is None else _base(config) / config.lighteval.data


def hub_folder(config: Config) -> Path | None:
    """Where workers keep what they take from the hub; None where the operator does not allow that."""
    if config.lighteval.hub is None or not config.network.allowed:
        return None
    return _base(config) / config.lighteval.hub


def dataset_folder(data: Path | None, repo: str) -> Path | None:
    """The operator's folder of a data set. None: it is not here, or its name would lead out of `data`."""
    if data is None or ".." in repo.split("/") or repo.startswith("/"):
        return None
    folder = data / repo
    return folder.resolve() if is_folder(folder) else None


def _base(config: Config) -> Path:
    return config.source.parent if config.source else Path()
