"""The tasks that LightEval ships and the options of its backends, as `catalogue.json` says: nobody imports LightEval
to know them."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from difflib import get_close_matches
from functools import cache, cached_property
from importlib import resources
from typing import Any

from pydantic import JsonValue

from agentics.errors import ConfigError
from agentics.model.document.record import Record
from agentics.model.job.worker_protocol import Sampling

FILE = "catalogue.json"
VERSION = 1


class CatalogueMetric(Record):
    """`category`: what it needs from the model. `judge`: it asks another model."""

    name: str
    category: Sampling
    higher_is_better: bool | dict[str, bool] | None = None
    judge: bool = False


class CatalogueModule(Record):
    """What LightEval says of a module's tasks. `paper`: addresses. `offline`: what they need that no worker without a
    network has; None: nothing but their data."""

    about: str
    languages: tuple[str, ...]
    tags: tuple[str, ...]
    paper: str | None
    offline: str | None = None


class CatalogueTask(Record):
    """A task's own configuration. `module`: what of LightEval's defines it. `hf_avail_splits`: the splits that its data
    have. `generation_size` None or -1: as much as fits. `num_samples`: answers to each question."""

    module: str
    hf_repo: str | None
    hf_subset: str | None = None
    hf_revision: str | None = None
    hf_avail_splits: tuple[str, ...]
    evaluation_splits: tuple[str, ...] = ()
    few_shots_split: str | None = None
    few_shots_select: str | None = None
    generation_size: int | None = None
    stop_sequence: tuple[str, ...] | None = None
    sampling: tuple[Sampling, ...]
    metrics: tuple[CatalogueMetric, ...]
    version: int | str = 0
    num_samples: int | tuple[int, ...] | None = None

    @property
    def samples(self) -> int:
        """The most answers that are asked for to one question."""
        many = self.num_samples if isinstance(self.num_samples, tuple) else (self.num_samples or 1,)
        return max(many, default=1)


@dataclass(frozen=True, kw_only=True)
class Catalogue:
    """Entries are read when they are looked up: a job names a few of hundreds."""

    lighteval: str
    entries: Mapping[str, Any]
    options: Mapping[str, dict[str, Any]] = field(default_factory=dict)
    modules: Mapping[str, Any] = field(default_factory=dict)

    @cached_property
    def supersets(self) -> Mapping[str, tuple[str, ...]]:
        """Names that stand for several tasks: `name` for every `name:*`, sorted."""
        found: dict[str, list[str]] = {}
        for name in sorted(self.entries):
            head, colon, _ = name.partition(":")
            if colon:
                found.setdefault(head, []).append(name)
        return {head: tuple(names) for head, names in found.items() if head not in self.entries}

    def find(self, name: str) -> CatalogueTask | None:
        entry = self.entries.get(name)
        return None if entry is None else CatalogueTask.model_validate(entry)

    def module(self, name: str) -> CatalogueModule:
        return CatalogueModule.model_validate(self.modules[name])

    def expand(self, name: str) -> tuple[str, ...]:
        """The task itself, the tasks of a superset, or nothing."""
        return (name,) if name in self.entries else self.supersets.get(name, ())

    def near(self, name: str) -> list[str]:
        """What could have been meant, the nearest first."""
        return get_close_matches(name, [*self.entries, *self.supersets], n=3)


@cache
def shipped() -> Catalogue:
    """What this version was made for. Raises ConfigError where it is missing."""
    try:
        data = resources.files("agentics.lighteval").joinpath(FILE).read_bytes()
    except OSError as error:
        msg = "the catalogue of LightEval's tasks is missing"
        raise ConfigError(msg, hint="install agentics again") from error
    return catalogue_of(json.loads(data))


def catalogue_of(value: Mapping[str, JsonValue]) -> Catalogue:
    """Raises ConfigError for a catalogue of another version."""
    if value.get("catalogue_version") != VERSION:
        msg = f"a catalogue of version {value.get('catalogue_version')!r:.20}, and this reads version {VERSION}"
        raise ConfigError(msg)
    more: dict[str, Any] = {"entries": value["tasks"], "options": value.get("options", {}), "modules": value["modules"]}
    return Catalogue(lighteval=str(value["lighteval"]), **more)
