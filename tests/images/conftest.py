"""Image definitions written for a test, and an index of Python packages."""

import hashlib
import shlex
import zipfile
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Protocol

import pytest
from docker import APIClient

from agentics.sandbox.docker.engine import connect_api
from agentics.sandbox.image_building import BuildFolders, build_missing
from agentics.sandbox.images import DEFINITIONS, Definition, ImageStore
from agentics.sandbox.steps import Steps, ignore
from tests.memory_store import MemoryStore

SOLUTION = "10001:10001"


@pytest.fixture
def store() -> MemoryStore:
    return MemoryStore()


class Build(Protocol):
    def __call__(self, store: ImageStore, names: Iterable[str] = ..., **more: object) -> list[Definition]: ...


@pytest.fixture
def build(tmp_path_factory: pytest.TempPathFactory) -> Build:
    """`build_missing` in folders of this test; keywords: `directory`, and the fields of `Steps`."""
    place = tmp_path_factory.mktemp("build")

    def call(store, names=(), directory=DEFINITIONS, log=ignore, **steps):
        folders = BuildFolders(scratch=place, locks=place / "locks")
        return build_missing(store, names, folders, Steps(log=log, **steps), directory)

    return call


@pytest.fixture
def client() -> Iterator[APIClient]:
    with connect_api() as api:
        yield api.client


class Hardened(Protocol):
    def __call__(self, script: str, user: str = ...) -> tuple[int, str]: ...


@pytest.fixture
def hardened(client: APIClient, image: str) -> Hardened:
    """Run a shell script in an image with all that a container of ours is denied; its status and output. `image` is a
    fixture of the module."""

    def run(script, user=SOLUTION):
        config = client.create_host_config(
            read_only=True,
            cap_drop=["ALL"],
            security_opt=["no-new-privileges"],
            network_mode="none",
            tmpfs={"/tmp": "exec,mode=1777,size=256m"},
            pids_limit=256,
            mem_limit=1 << 30,
        )
        container = client.create_container(image, ["sh", "-c", script], user=user, host_config=config)["Id"]
        try:
            client.start(container)
            status = client.wait(container)["StatusCode"]
            return status, client.logs(container).decode()
        finally:
            client.remove_container(container, force=True)

    return run


def unanswered(run: Hardened, definition: Definition) -> list[str]:
    """What of the commands that the image offers does not answer when it is asked for its version."""
    asked = [f"{name} {words}" for kind in definition.commands.values() for name, words in kind.items()]
    # A shell has a `time` of its own, which is no command.
    status, said = run("\n".join(f"command {each} >/dev/null 2>&1 || echo {shlex.quote(each)}" for each in asked))
    assert status == 0
    return said.splitlines()


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
