"""Where the operator keeps plugins, suites and datasets: `[lighteval]` of agentics.toml, relative to that file."""

from __future__ import annotations

from pathlib import Path

from agentics.config import Config


def plugin_folders(config: Config) -> tuple[Path, ...]:
    return tuple(_base(config) / place for place in config.lighteval.plugins)


def suite_places(config: Config) -> tuple[str, ...]:
    """Folders on this machine, and URLs as they are."""
    return tuple(place if "://" in place else str(_base(config) / place) for place in config.lighteval.suites)


def template_folders(config: Config) -> tuple[Path, ...]:
    return tuple(_base(config) / place for place in config.lighteval.templates)


def data_folder(config: Config) -> Path | None:
    return None if config.lighteval.data is None else _base(config) / config.lighteval.data


def _base(config: Config) -> Path:
    return config.source.parent if config.source else Path()
