"""Image definitions written for a test, a store of images that needs no engine, and an index of Python packages."""

import hashlib
import zipfile
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
        self.contexts: list[dict[str, str]] = []

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
        files = (path for path in sorted(context.rglob("*")) if path.is_file())
        self.contexts.append({str(path.relative_to(context)): path.read_text() for path in files})
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


class Index:
    """A package index of files, as pip's settings name one. What it holds is pure Python of a few bytes."""

    def __init__(self, root: Path) -> None:
        self._root = root
        root.mkdir()

    @property
    def url(self) -> str:
        return self._root.as_uri()

    def add(self, name: str, version: str, files: dict[str, str]) -> str:
        """The line of a requirements file that pins what was added."""
        about = f"{name}-{version}.dist-info"
        content = {
            **files,
            f"{about}/METADATA": f"Metadata-Version: 2.1\nName: {name}\nVersion: {version}\n",
            f"{about}/WHEEL": "Wheel-Version: 1.0\nRoot-Is-Purelib: true\nTag: py3-none-any\n",
        }
        content[f"{about}/RECORD"] = "".join(f"{file},,\n" for file in (*content, f"{about}/RECORD"))
        page = self._root / name / "index.html"
        page.parent.mkdir(exist_ok=True)
        wheel = page.with_name(f"{name}-{version}-py3-none-any.whl")
        with zipfile.ZipFile(wheel, "w") as archive:
            for file, text in content.items():
                archive.writestr(file, text)
        page.write_text("".join(f'<a href="{one.name}">{one.name}</a>' for one in sorted(page.parent.glob("*.whl"))))
        return f"{name}=={version} --hash=sha256:{hashlib.sha256(wheel.read_bytes()).hexdigest()}\n"


@pytest.fixture
def index(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Index:
    """The only place where this machine's pip looks."""
    index = Index(tmp_path / "index")
    monkeypatch.setenv("PIP_CONFIG_FILE", "/dev/null")
    monkeypatch.setenv("PIP_INDEX_URL", index.url)
    monkeypatch.setenv("PIP_NO_CACHE_DIR", "1")
    for name in ("PIP_FIND_LINKS", "PIP_EXTRA_INDEX_URL", "PIP_CONSTRAINT"):
        monkeypatch.delenv(name, raising=False)
    return index


def _write(path: Path, text: str) -> None:
    path.parent.mkdir(exist_ok=True)
    path.write_text(text)
