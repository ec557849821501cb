"""Image definitions written for a test, and a store of images that needs no engine."""

from pathlib import Path

import pytest

from agentics.sandbox.images import Stored
from agentics.sandbox.rootfs import BuilderJob


class MemoryStore:
    """An `images.ImageStore`. No machine is a riscv64 Debian of ours, so every root directory is a builder's job."""

    def __init__(self) -> None:
        self.images: dict[str, Stored] = {}
        self.jobs: list[BuilderJob] = []
        self.replaced: list[str] = []
        self.builds: list[tuple[str, dict[str, str]]] = []
        self.imports: list[tuple[str, tuple[str, ...]]] = []

    def architecture(self):
        return "riscv64"

    def image(self, reference):
        return self.images.get(reference)

    def run_rootfs_builder(self, job, output, log):
        self.jobs.append(job)
        output.write_bytes(b"a root directory")

    def import_rootfs(self, tar, reference, changes):
        self.imports.append((reference, tuple(changes)))
        label = dict(change.removeprefix("LABEL ").split("=", 1) for change in changes if change.startswith("LABEL "))
        self._add(reference, tar.stat().st_size, label)

    def build(self, context, reference, buildargs, labels, log):
        assert all(base in self.images for base in buildargs.values())
        self.builds.append((reference, dict(buildargs)))
        self._add(reference, 0, labels)

    def tag(self, reference, alias):
        self.images[alias] = self.images[reference]

    def remove_nameless(self, image_id):
        self.replaced.append(image_id)

    def _add(self, reference, size, labels):
        made = len(self.imports) + len(self.builds)
        self.images[reference] = Stored(id=f"sha256:{made:064}", size_bytes=size, labels=dict(labels))


@pytest.fixture
def store() -> MemoryStore:
    return MemoryStore()


@pytest.fixture
def defined(tmp_path: Path) -> Path:
    """A root directory `ground`, `house` on it, and `shed` on its own."""
    for name in ("ground", "shed"):
        _write(
            tmp_path / name / "image.toml",
            f'[rootfs]\nsuite = "bookworm"\npackages = ["for-{name}"]\ncustomize = "c.sh"\n',
        )
        _write(tmp_path / name / "c.sh", "true\n")
    _write(tmp_path / "house" / "image.toml", '[dockerfile]\nbase = "ground"\n')
    _write(tmp_path / "house" / "Dockerfile", "ARG BASE\nFROM ${BASE}\n")
    return tmp_path


def _write(path: Path, text: str) -> None:
    path.parent.mkdir(exist_ok=True)
    path.write_text(text)
