"""Which images this repository defines, which of them an engine has, and the making of those it lacks. It alone may
read the definitions; what it asks of an engine is `ImageStore`, so it talks to none itself.

An image carries the digest of its definition as a label: a changed definition is built again, an unchanged one is not.
"""

from __future__ import annotations

import hashlib
import os
import shutil
import tomllib
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Protocol, Self

from pydantic import BaseModel, ConfigDict, ValidationError, model_validator

from agentics import __version__
from agentics.errors import ConfigError, UsageError
from agentics.sandbox.labels import PREFIX
from agentics.sandbox.rootfs import BuilderEngine, Rootfs, make_rootfs
from agentics.sandbox.steps import Log, step
from agentics.sandbox.wheels import Python, install_wheels

# A link to the top-level images/ in a source tree, a copy of it in a wheel.
DEFINITIONS = Path(__file__).parent / "definitions"
DEFINITION_LABEL = f"{PREFIX}.definition"

# Where a Dockerfile finds the Python packages of its definition.
SITE = "site"
# A /tmp in memory has no room for some gigabytes. Only the parent of a folder with a name of its own.
_ROOMY = "/var/tmp"  # noqa: S108


class Dockerfile(BaseModel):
    """Built from the definition's directory, with the reference of `base` as the build argument BASE."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    base: str


class Recipe(BaseModel):
    """The content of an image.toml: exactly one of `rootfs` and `dockerfile`. `python`: packages that a Dockerfile
    finds beside it in `site`. `optional`: made only when it is named."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    optional: bool = False
    rootfs: Rootfs | None = None
    dockerfile: Dockerfile | None = None
    python: Python | None = None

    @model_validator(mode="after")
    def _makes_one_image(self) -> Self:
        if (self.rootfs is None) == (self.dockerfile is None):
            msg = "an image has exactly one of [rootfs] and [dockerfile]"
            raise ValueError(msg)
        if self.python is not None and self.dockerfile is None:
            msg = "[python] is for a [dockerfile], which copies the packages"
            raise ValueError(msg)
        return self

    @property
    def made(self) -> Rootfs | Dockerfile:
        made = self.rootfs or self.dockerfile
        assert made is not None, "validated above"
        return made


@dataclass(frozen=True, kw_only=True)
class Definition:
    """One image of ours. `digest` covers every file of the definition and, through `base`, what it stands on."""

    name: str
    directory: Path
    digest: str
    recipe: Rootfs | Dockerfile
    python: Python | None = None
    optional: bool = False

    @property
    def reference(self) -> str:
        return f"agentics-{self.name}:{__version__}"

    @property
    def alias(self) -> str:
        """The name that an operator's configuration uses: whatever version is installed."""
        return f"agentics-{self.name}:latest"

    @property
    def label(self) -> tuple[str, str]:
        return DEFINITION_LABEL, f"sha256:{self.digest}"


@dataclass(frozen=True, kw_only=True)
class Stored:
    """An image as an engine has it."""

    id: str
    size_bytes: int
    labels: Mapping[str, str]


@dataclass(frozen=True, kw_only=True)
class Listed:
    """A definition and what the engine has of it. `current`: made from this definition, under both of its names."""

    definition: Definition
    stored: Stored | None
    current: bool


class ImageStore(BuilderEngine, Protocol):
    """What is asked of an engine about images. Every method raises EngineError when the engine fails."""

    def image(self, reference: str) -> Stored | None: ...

    def import_rootfs(self, tar: Path, reference: str, changes: Sequence[str]) -> None:
        """Make an image of one layer. `changes` are Dockerfile instructions."""

    def build(
        self, context: Path, reference: str, buildargs: Mapping[str, str], labels: Mapping[str, str], log: Log
    ) -> None: ...

    def tag(self, reference: str, alias: str) -> None: ...

    def remove_nameless(self, image_id: str) -> None:
        """Unless it has a name, is in use, or others stand on it."""


def definitions(directory: Path = DEFINITIONS) -> dict[str, Definition]:
    """Every image that is defined, by name, each after what it stands on. Raises ConfigError."""
    recipes = {path.parent.name: _recipe(path) for path in sorted(directory.glob("*/image.toml"))}
    found: dict[str, Definition] = {}
    while len(found) < len(recipes):
        ready = [name for name, recipe in recipes.items() if name not in found and _stands(recipe, found)]
        if not ready:
            msg = f"{directory}: these images stand on one that is not defined: {', '.join(recipes.keys() - found)}"
            raise ConfigError(msg)
        found |= {name: _define(directory / name, recipes[name], found) for name in ready}
    return found


def list_images(store: ImageStore, directory: Path = DEFINITIONS) -> list[Listed]:
    return [_listed(store, definition) for definition in definitions(directory).values()]


def build_missing(store: ImageStore, names: Iterable[str], log: Log, directory: Path = DEFINITIONS) -> list[Definition]:
    """Make those images and what they stand on, unless the engine has them; when none is named, all that are not
    optional. What was made."""
    known = definitions(directory)
    wanted = _with_bases(list(names) or [name for name, one in known.items() if not one.optional], known)
    made = [known[name] for name in known if name in wanted and not _listed(store, known[name]).current]
    for definition in made:
        build(store, definition, known, log)
    return made


def build(store: ImageStore, definition: Definition, known: Mapping[str, Definition], log: Log) -> None:
    """Make one image, whether the engine has it or not. What it stands on must be there. Raises EngineError."""
    log(f"building {definition.reference}")
    replaced = {found.id for name in (definition.reference, definition.alias) if (found := store.image(name))}
    key, digest = definition.label
    match definition.recipe:
        case Dockerfile(base=base):
            buildargs = {"BASE": known[base].reference}
            with _context(definition, store, log) as context, step(log, f"making {definition.reference} of its layers"):
                store.build(context, definition.reference, buildargs, {key: digest}, log)
        case Rootfs() as recipe:
            with TemporaryDirectory(prefix="agentics-image-") as scratch:
                tar = Path(scratch) / "rootfs.tar"
                make_rootfs(store, recipe, definition.directory, tar, log)
                store.import_rootfs(tar, definition.reference, [*recipe.settings, f"LABEL {key}={digest}"])
    store.tag(definition.reference, definition.alias)
    for old in replaced:
        store.remove_nameless(old)


@contextmanager
def _context(definition: Definition, store: ImageStore, log: Log) -> Iterator[Path]:
    """The folder that a Dockerfile is built from: the definition's own, with its Python packages if it has any."""
    if definition.python is None:
        yield definition.directory
        return
    with TemporaryDirectory(prefix="agentics-image-", dir=os.environ.get("TMPDIR", _ROOMY)) as scratch:
        context = Path(scratch) / "context"
        shutil.copytree(definition.directory, context)
        install_wheels(definition.python, definition.directory, context / SITE, store.architecture(), log)
        yield context


def _recipe(path: Path) -> Recipe:
    try:
        return Recipe.model_validate(tomllib.loads(path.read_text(encoding="utf-8")))
    except (ValidationError, tomllib.TOMLDecodeError) as error:
        msg = f"{path}: {error}"
        raise ConfigError(msg) from error


def _stands(recipe: Recipe, found: Mapping[str, Definition]) -> bool:
    return recipe.dockerfile is None or recipe.dockerfile.base in found


def _define(directory: Path, recipe: Recipe, found: Mapping[str, Definition]) -> Definition:
    digest = hashlib.sha256()
    if recipe.dockerfile is not None:
        digest.update(found[recipe.dockerfile.base].digest.encode())
    for path in sorted(path for path in directory.rglob("*") if path.is_file()):
        content = path.read_bytes()
        digest.update(f"{path.relative_to(directory).as_posix()}\0{len(content)}\0".encode() + content)
    return Definition(
        name=directory.name,
        directory=directory,
        digest=digest.hexdigest(),
        recipe=recipe.made,
        python=recipe.python,
        optional=recipe.optional,
    )


def _with_bases(names: Iterable[str], known: Mapping[str, Definition]) -> set[str]:
    wanted: set[str] = set()
    for name in names:
        if name not in known:
            msg = f"no image is called {name!r}"
            raise UsageError(msg, code="unknown_image", hint=f"there are: {', '.join(known)}")
        wanted.add(name)
        recipe = known[name].recipe
        if isinstance(recipe, Dockerfile):
            wanted |= _with_bases([recipe.base], known)
    return wanted


def _listed(store: ImageStore, definition: Definition) -> Listed:
    stored, alias = store.image(definition.reference), store.image(definition.alias)
    key, digest = definition.label
    current = stored is not None and stored.labels.get(key) == digest and alias is not None and alias.id == stored.id
    return Listed(definition=definition, stored=stored, current=current)
