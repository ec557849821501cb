"""A store of images that needs no engine."""

from __future__ import annotations

import threading
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path

from agentics.errors import EngineError
from agentics.sandbox.images import StoredImage, definitions
from agentics.sandbox.rootfs import BuilderJob
from agentics.sandbox.steps import Steps


@dataclass
class MemoryStore:
    """An `images.ImageStore`. No machine is a riscv64 Debian of ours, so every root directory is a builder's job.

    `failure` is raised by every job. A job sets `begun`, and waits for `goes_on`, which is set unless a test clears it.
    """

    images: dict[str, StoredImage] = field(default_factory=dict)
    jobs: list[BuilderJob] = field(default_factory=list)
    replaced: list[str] = field(default_factory=list)
    builds: list[tuple[str, dict[str, str]]] = field(default_factory=list)
    imports: list[tuple[str, tuple[str, ...]]] = field(default_factory=list)
    contexts: list[dict[str, str]] = field(default_factory=list)
    failure: EngineError | None = None
    begun: threading.Event = field(default_factory=threading.Event)
    goes_on: threading.Event = field(default_factory=threading.Event)

    def __post_init__(self) -> None:
        self.goes_on.set()

    def architecture(self) -> str:
        return "riscv64"

    def image(self, reference: str) -> StoredImage | None:
        return self.images.get(reference if ":" in reference else f"{reference}:latest")

    def run_rootfs_builder(self, job: BuilderJob, output: Path, steps: Steps) -> None:
        self.jobs.append(job)
        self.contexts.append(_files(job.inputs))
        self.begun.set()
        steps.wait_for(self.goes_on.wait)
        if self.failure is not None:
            raise self.failure
        output.write_bytes(b"a root directory")

    def import_rootfs(self, tar: Path, reference: str, changes: Sequence[str], steps: Steps) -> None:
        steps.check()
        self.imports.append((reference, tuple(changes)))
        label = dict(change.removeprefix("LABEL ").split("=", 1) for change in changes if change.startswith("LABEL "))
        self._add(reference, tar.stat().st_size, label)

    def build(
        self, context: Path, reference: str, buildargs: Mapping[str, str], labels: Mapping[str, str], steps: Steps
    ) -> None:
        steps.check()
        assert all(base in self.images for base in buildargs.values())
        self.builds.append((reference, dict(buildargs)))
        self.contexts.append(_files(context))
        self._add(reference, 0, labels)

    def tag(self, reference: str, alias: str) -> None:
        self.images[alias] = self.images[reference]

    def remove_nameless(self, image_id: str) -> None:
        self.replaced.append(image_id)

    def _add(self, reference: str, size: int, labels: Mapping[str, str]) -> None:
        made = len(self.imports) + len(self.builds)
        self.images[reference] = StoredImage(id=f"sha256:{made:064}", size_bytes=size, labels=dict(labels))


def everything_built() -> MemoryStore:
    """A store with every image that ships, each made from its definition."""
    return MemoryStore(images=dict(_built()))


@cache
def _built() -> dict[str, StoredImage]:
    return {
        name: StoredImage(id=f"sha256:{one.digest}", size_bytes=0, labels=dict([one.label]))
        for one in definitions().values()
        for name in (one.reference, one.alias)
    }


def _files(folder: Path) -> dict[str, str]:
    files = (path for path in sorted(folder.rglob("*")) if path.is_file())
    return {str(path.relative_to(folder)): path.read_text() for path in files}
