"""Which images this repository defines, and which of them an engine has. It alone may read the definitions; what it
asks of an engine is `ImageStore`, so it talks to none itself.

An image carries the digest of its definition as a label: a changed definition is built again, an unchanged one is not.
"""

from __future__ import annotations

import hashlib
import tomllib
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Protocol, Self

from pydantic import BaseModel, ConfigDict, ValidationError, model_validator

from agentics import __version__
from agentics.content import as_digest
from agentics.errors import ConfigError, UsageError
from agentics.sandbox.labels import PREFIX
from agentics.sandbox.rootfs import BuilderEngine, Rootfs
from agentics.sandbox.steps import Steps
from agentics.sandbox.wheels import Python

# A link to the top-level images/ in a source tree, a copy of it in a wheel.
DEFINITIONS = Path(__file__).parent / "definitions"
DEFINITION_LABEL = f"{PREFIX}.definition"
_RECIPE = "image.toml"


class Dockerfile(BaseModel):
    """Built from the definition's directory, with the reference of `base` as the build argument BASE."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    base: str


class Packages(BaseModel):
    """A root directory of Debian packages. Either `suite`, `packages` and the rest are all given here, or `extends`
    names an image whose packages, paths, settings and script come first. `customize` is a script of this definition."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    extends: str | None = None
    suite: str | None = None
    packages: tuple[str, ...] = ()
    customize: str | None = None
    leave_out: tuple[str, ...] = ()
    keep: tuple[str, ...] = ()
    settings: tuple[str, ...] = ()

    @model_validator(mode="after")
    def _has_one_suite(self) -> Self:
        if (self.suite is None) == (self.extends is None):
            msg = "a root directory has exactly one of suite and extends"
            raise ValueError(msg)
        return self


class Recipe(BaseModel):
    """The content of an image.toml: exactly one of `rootfs` and `dockerfile`. `python`: packages that lie beside the
    definition's files in `site` while the image is made. `optional`: made only when it is named or needed. `purpose`:
    who needs it. `cost`: how long it takes and how large it is. `commands`: what it offers beside the commands of the
    image that it extends or stands on: for each kind of command its names, and the words that ask for a version."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    purpose: str = ""
    cost: str = ""
    optional: bool = False
    rootfs: Packages | None = None
    dockerfile: Dockerfile | None = None
    python: Python | None = None
    commands: Mapping[str, Mapping[str, str]] = {}

    @model_validator(mode="after")
    def _makes_one_image(self) -> Self:
        if (self.rootfs is None) == (self.dockerfile is None):
            msg = "an image has exactly one of [rootfs] and [dockerfile]"
            raise ValueError(msg)
        return self

    @property
    def base(self) -> str | None:
        """The image that this one stands on, or extends."""
        return self.dockerfile.base if self.dockerfile else self.rootfs.extends if self.rootfs else None


@dataclass(frozen=True, kw_only=True)
class Definition:
    """One image of ours. `digest` covers all that decides what is in it, also of those that it stands on or extends.
    `commands`: every command that the image offers, by kind, and the words that ask it for its version."""

    name: str
    directory: Path
    digest: str
    recipe: Rootfs | Dockerfile
    python: Python | None = None
    optional: bool = False
    purpose: str = ""
    cost: str = ""
    commands: Mapping[str, Mapping[str, str]] = field(default_factory=dict)

    @property
    def reference(self) -> str:
        return f"agentics-{self.name}:{__version__}"

    @property
    def alias(self) -> str:
        """The name that an operator's configuration uses: whatever version is installed."""
        return f"agentics-{self.name}:latest"

    @property
    def label(self) -> tuple[str, str]:
        return DEFINITION_LABEL, as_digest(self.digest)


@dataclass(frozen=True, kw_only=True)
class StoredImage:
    """An image as an engine has it."""

    id: str
    size_bytes: int
    labels: Mapping[str, str]


@dataclass(frozen=True, kw_only=True)
class ListedImage:
    """A definition and what the engine has of it. `current`: made from this definition, under both of its names."""

    definition: Definition
    stored: StoredImage | None
    current: bool


class ImageStore(BuilderEngine, Protocol):
    """What is asked of an engine about images. Every method raises EngineError when the engine fails."""

    def image(self, reference: str) -> StoredImage | None: ...

    def import_rootfs(self, tar: Path, reference: str, changes: Sequence[str], steps: Steps) -> None:
        """Make an image of one layer. `changes` are Dockerfile instructions. Raises Stopped."""

    def build(
        self, context: Path, reference: str, buildargs: Mapping[str, str], labels: Mapping[str, str], steps: Steps
    ) -> None:
        """Make an image from a folder with a Dockerfile, without a network. Raises Stopped."""

    def tag(self, reference: str, alias: str) -> None: ...

    def remove_nameless(self, image_id: str) -> None:
        """Unless it has a name, is in use, or others stand on it."""


def definitions(directory: Path = DEFINITIONS) -> dict[str, Definition]:
    """Every image that is defined, by name, each after what it stands on or extends. Raises ConfigError."""
    recipes = {path.parent.name: _recipe(path) for path in sorted(directory.glob(f"*/{_RECIPE}"))}
    found: dict[str, Definition] = {}
    while len(found) < len(recipes):
        ready = [name for name, one in recipes.items() if name not in found and (one.base is None or one.base in found)]
        if not ready:
            msg = f"{directory}: these images stand on one that is not defined: {', '.join(recipes.keys() - found)}"
            raise ConfigError(msg)
        found |= {name: _define(directory / name, recipes[name], found) for name in ready}
    return found


def list_images(store: ImageStore, directory: Path = DEFINITIONS) -> list[ListedImage]:
    return [listed(store, definition) for definition in definitions(directory).values()]


def listed(store: ImageStore, definition: Definition) -> ListedImage:
    stored, alias = store.image(definition.reference), store.image(definition.alias)
    key, digest = definition.label
    current = stored is not None and stored.labels.get(key) == digest and alias is not None and alias.id == stored.id
    return ListedImage(definition=definition, stored=stored, current=current)


def defines(reference: str, known: Mapping[str, Definition]) -> Definition | None:
    """The definition that makes the image of that name; None where the name is not one of ours."""
    name = reference if ":" in reference else f"{reference}:latest"
    return next((one for one in known.values() if name in (one.reference, one.alias)), None)


def has_to_be_built(store: ImageStore, reference: str, definition: Definition) -> bool:
    """Whether the engine lacks the image `reference` of that definition, or has one of another definition. An image
    that somebody else made and gave this name is used as it is."""
    stored = store.image(reference)
    key, digest = definition.label
    return stored is None or stored.labels.get(key, digest) != digest


def with_bases(names: Iterable[str], known: Mapping[str, Definition]) -> set[str]:
    """Those images and what they stand on. Raises UsageError (unknown_image)."""
    wanted: set[str] = set()
    for name in names:
        if name not in known:
            msg = f"no image is called {name!r}"
            raise UsageError(msg, code="unknown_image", hint=f"there are: {', '.join(known)}")
        wanted.add(name)
        recipe = known[name].recipe
        if isinstance(recipe, Dockerfile):
            wanted |= with_bases([recipe.base], known)
    return wanted


def _recipe(path: Path) -> Recipe:
    try:
        return Recipe.model_validate(tomllib.loads(path.read_text(encoding="utf-8")))
    except (ValidationError, tomllib.TOMLDecodeError) as error:
        msg = f"{path}: {error}"
        raise ConfigError(msg) from error


def _define(directory: Path, recipe: Recipe, found: Mapping[str, Definition]) -> Definition:
    base = found[recipe.base] if recipe.base else None
    digest = hashlib.sha256()
    if base is not None:
        digest.update(base.digest.encode())
    for path in sorted(path for path in directory.rglob("*") if path.is_file()):
        content = _made_from(recipe) if path == directory / _RECIPE else path.read_bytes()
        digest.update(f"{path.relative_to(directory).as_posix()}\0{len(content)}\0".encode() + content)
    return Definition(
        name=directory.name,
        directory=directory,
        digest=digest.hexdigest(),
        recipe=recipe.dockerfile or _rootfs(directory, recipe, base),
        python=recipe.python,
        optional=recipe.optional,
        purpose=recipe.purpose,
        cost=recipe.cost,
        commands=_merged(base.commands if base else {}, recipe.commands),
    )


def _made_from(recipe: Recipe) -> bytes:
    """What of an image.toml decides what is in the image: an image is not made again for other words about it."""
    return recipe.model_dump_json(exclude={"purpose", "cost", "commands", "optional"}).encode()


def _rootfs(directory: Path, recipe: Recipe, base: Definition | None) -> Rootfs:
    """All that the root directory is made of. Raises ConfigError."""
    own = recipe.rootfs
    assert own is not None, "validated with the recipe"
    scripts = (f"{directory.name}/{own.customize}",) if own.customize else ()
    if base is None:
        assert own.suite is not None, "validated with the recipe"
        return Rootfs(customize=scripts, **own.model_dump(exclude={"extends", "customize"}))
    extended = base.recipe
    if not isinstance(extended, Rootfs):
        msg = f"{directory}: {base.name} is made of a Dockerfile, and only a root directory can be extended"
        raise ConfigError(msg)
    return Rootfs(
        suite=extended.suite,
        packages=extended.packages + own.packages,
        customize=extended.customize + scripts,
        leave_out=extended.leave_out + own.leave_out,
        keep=extended.keep + own.keep,
        settings=extended.settings + own.settings,
    )


def _merged(
    first: Mapping[str, Mapping[str, str]], second: Mapping[str, Mapping[str, str]]
) -> dict[str, dict[str, str]]:
    return {kind: {**first.get(kind, {}), **second.get(kind, {})} for kind in {**first, **second}}
