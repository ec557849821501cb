"""Builds the images of this project that a command needs and the engine lacks."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path

from agentics.errors import EngineError, StopFlag
from agentics.pipeline.progress import Observer, Progress, ProgressKind
from agentics.runner.machine import build_folders
from agentics.sandbox.engine import Engine
from agentics.sandbox.image_building import BuildFolders, build_missing
from agentics.sandbox.images import DEFINITIONS, Definition, ImageStore, defines, definitions, has_to_be_built
from agentics.sandbox.places import Scratch
from agentics.sandbox.steps import Steps

_SILENCE_S = 30.0


def image_builds(engine: Engine, scratch: Scratch, interrupt: StopFlag, observer: Observer) -> ImageBuilds:
    """Builds on that engine, in that scratch space."""
    return ImageBuilds(
        store=engine.image_store, folders=lambda: build_folders(scratch), interrupt=interrupt, observer=observer
    )


@dataclass(kw_only=True)
class ImageBuilds:
    """Builds the project's images for one command. Thread-safe. A build that failed is not tried again."""

    store: Callable[[], ImageStore]
    folders: Callable[[], BuildFolders]
    interrupt: StopFlag
    observer: Observer
    directory: Path = DEFINITIONS
    failures: dict[str, EngineError] = field(default_factory=dict)
    guard: threading.Lock = field(default_factory=threading.Lock)

    def ensure(self, references: Iterable[str]) -> None:
        """Make those images that are ours by name, unless the engine has them. Others are left to their owners.

        Raises EngineError (image_build_failed), and Stopped when the command was asked to stop.
        """
        with self.guard:
            for reference in references:
                definition = defines(reference, self._known)
                if definition is not None and has_to_be_built(self.store(), reference, definition):
                    self._make(definition)

    @cached_property
    def _known(self) -> dict[str, Definition]:
        return definitions(self.directory)

    def _make(self, definition: Definition) -> None:
        if definition.name in self.failures:
            raise self.failures[definition.name]
        cost = f": {definition.cost}" if definition.cost else ""
        self._tell(definition, "note", text=f"building image {definition.reference} once{cost}")
        steps = Steps(
            log=lambda text: self._tell(definition, "image_step", text=text),
            interrupt=self.interrupt,
            silence_s=_SILENCE_S,
        )
        began, built = time.monotonic(), False
        try:
            build_missing(self.store(), (definition.name,), self.folders(), steps, self.directory)
            built = True
        except EngineError as error:
            msg = f"image {definition.reference} could not be built: {error.message}"
            failure = EngineError(msg, code="image_build_failed", hint=error.hint, retryable=False)
            self.failures[definition.name] = failure
            raise failure from error
        finally:
            self._tell(definition, "image_over", built=built, seconds=round(time.monotonic() - began))

    def _tell(self, definition: Definition, kind: ProgressKind, **facts: object) -> None:
        self.observer(Progress(kind=kind, facts={"image": definition.reference, **facts}))
