"""Which stage a name means: the built-in ones, and those of installed packages. What describes itself badly is refused.

A package adds a stage by an entry point of the group `agentics.stages`, named as the stage is. It is imported when a
plan names it, or when all are listed.
"""

from __future__ import annotations

import difflib
import inspect
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from functools import cached_property
from importlib import import_module
from importlib.metadata import EntryPoint, entry_points
from typing import Any

from agentics.errors import UsageError
from agentics.pipeline.contract.description import normalise, problems
from agentics.pipeline.contract.stage import Registered, StageRegistry, reraise_interrupt
from agentics.pipeline.stdout import divert
from agentics.policy.publish.redact import Redactor

GROUP = "agentics.stages"


class StageUnavailable(UsageError):
    """No stage can be had: code `unknown_stage`, `no_stage_registry` or `bad_stage`."""

    code = "unknown_stage"


def accept(candidate: object, name: str | None = None) -> Registered:
    """A module, an object, or a class without arguments that runs and describes itself. Raises StageUnavailable with
    everything that is wrong (`bad_stage`)."""
    try:
        stage: Any = candidate() if inspect.isclass(candidate) else candidate
        missing = [each for each in ("run", "describe") if not callable(getattr(stage, each, None))]
        said = {} if missing else stage.describe({})
    except BaseException as error:
        reraise_interrupt(error)
        raise _bad(name or repr(candidate), [f"it raised {type(error).__name__}: {error}"]) from error
    if missing:
        raise _bad(name or repr(candidate), [f"it has no {each}" for each in missing])
    description = normalise(said) if isinstance(said, Mapping) else said
    wrong = problems(description)
    if not wrong and name is not None and description["name"] != name:
        wrong = [f"it describes itself as {description['name']!r}"]
    if wrong:
        raise _bad(name or repr(candidate), wrong)
    return Registered(description["name"], stage, description, _module(stage))


@dataclass(frozen=True)
class Registry:
    """`stages` by name, and `installed`, which finds the entry points of other packages when it is first needed."""

    stages: Mapping[str, Registered]
    installed: Callable[[], Iterable[EntryPoint]] = tuple
    loaded: dict[str, Registered] = field(default_factory=dict, compare=False)

    @classmethod
    def of(cls, *candidates: object) -> Registry:
        """Raises StageUnavailable when one is refused or two have the same name."""
        registry = cls({})
        for each in candidates:
            registry = registry.with_stage(each)
        return registry

    def with_stage(self, candidate: object) -> Registry:
        found = accept(candidate)
        if found.name in self.stages:
            raise _bad(found.name, ["a stage of this name is registered already"])
        return Registry({**self.stages, found.name: found}, self.installed)

    def find(self, name: str) -> Registered:
        """Raises StageUnavailable: `unknown_stage` with the nearest name, `bad_stage` where it was refused."""
        known = self.stages.get(name) or self.loaded.get(name)
        if known is not None:
            return known
        points = self._points.get(name)
        if points is None:
            near = difflib.get_close_matches(name, self.names(), 1)
            hint = f"did you mean {near[0]!r}?" if near else "`agentics stages` lists those that are here"
            msg = f"no stage is called {name!r}"
            raise StageUnavailable(msg, hint=hint)
        if len(points) > 1:
            raise _bad(name, [f"{len(points)} packages add it: {', '.join(sorted(point.value for point in points))}"])
        divert()
        try:
            candidate = points[0].load()
        except BaseException as error:
            reraise_interrupt(error)
            raise _bad(name, [f"{points[0].value}: {type(error).__name__}: {error}"]) from error
        self.loaded[name] = accept(candidate, name)
        return self.loaded[name]

    def names(self) -> list[str]:
        """Every name, those included that will turn out to be refused."""
        return sorted({*self.stages, *self._points})

    def listed(self) -> tuple[list[Registered], list[StageUnavailable]]:
        """All stages by name, and why others were refused. An added one that has a built-in's name is refused."""
        found: list[Registered] = []
        refused = [_bad(name, ["a built-in stage has this name"]) for name in self._points if name in self.stages]
        for name in self.names():
            try:
                found.append(self.find(name))
            except StageUnavailable as error:
                refused.append(error)
        return found, refused

    @cached_property
    def _points(self) -> dict[str, list[EntryPoint]]:
        found: dict[str, list[EntryPoint]] = {}
        for point in self.installed():
            # The same distribution can be met twice on the path.
            if point not in found.setdefault(point.name, []):
                found[point.name].append(point)
        return found


def installed_stages() -> Iterable[EntryPoint]:
    """The entry points of every package that is installed here."""
    return entry_points(group=GROUP)


def resolve(name: str, module: str | None, registry: StageRegistry | None) -> Registered:
    """The stage that a definition means: its module if it names one, else what is registered under its name.
    Raises StageUnavailable."""
    if module is not None:
        return accept(_imported(name, module))
    if registry is None:
        msg = f"{name!r} cannot be looked up: no stage registry was given"
        raise StageUnavailable(msg, code="no_stage_registry", hint="pass registry=agentics.stages.registry()")
    return registry.find(name)


def _imported(name: str, path: str) -> object:
    module, _, attribute = path.partition(":")
    divert()
    try:
        found = import_module(module)
        return getattr(found, attribute) if attribute else found
    except BaseException as error:
        reraise_interrupt(error)
        raise _bad(name, [f"{path}: {type(error).__name__}: {error}"]) from error


def _module(stage: object) -> str:
    return stage.__name__ if inspect.ismodule(stage) else type(stage).__module__


def _bad(name: str, wrong: list[str]) -> StageUnavailable:
    # What an exception of a package said may hold a password.
    return StageUnavailable(Redactor().text(f"stage {name} is refused: {'; '.join(wrong)}"), code="bad_stage")
