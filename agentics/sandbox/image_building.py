"""Makes our own images that an engine lacks. One process at a time makes an image, and every other that needs the same
one waits for it."""

from __future__ import annotations

import fcntl
import shutil
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import IO

from agentics.errors import EngineError
from agentics.sandbox.images import (
    DEFINITIONS,
    Definition,
    Dockerfile,
    ImageStore,
    definitions,
    list_images,
    listed,
    with_bases,
)
from agentics.sandbox.rootfs import Rootfs, make_rootfs
from agentics.sandbox.steps import Steps
from agentics.sandbox.wheels import install_wheels

# Where a Dockerfile or a script finds the Python packages of its definition.
SITE = "site"


@dataclass(frozen=True, kw_only=True)
class BuildFolders:
    """Where images are made on this machine. `scratch`: has room for some gigabytes. `locks`: a folder in which a
    locked file says that somebody makes the image; the same for all processes that share an engine."""

    scratch: Path
    locks: Path


def build_missing(
    store: ImageStore, names: Iterable[str], folders: BuildFolders, steps: Steps, directory: Path = DEFINITIONS
) -> list[Definition]:
    """Make those images and what they stand on, unless the engine has them; when none is named, all that are not
    optional. Returns what this call made.

    Raises UsageError (unknown_image) before anything is made, EngineError, and Stopped.
    """
    known = definitions(directory)
    wanted = with_bases(list(names) or [name for name, one in known.items() if not one.optional], known)
    missing = [one.definition for one in list_images(store, directory) if not one.current]
    made = []
    for definition in (one for one in missing if one.name in wanted):
        with _told(definition), _turn(definition, folders, steps):
            if not listed(store, definition).current:  # nobody made it while we waited
                _build(store, definition, known, folders, steps)
                made.append(definition)
    return made


@contextmanager
def _told(definition: Definition) -> Iterator[None]:
    """A disk that is full, or cannot be written, is this machine's trouble and no bug of ours."""
    try:
        yield
    except OSError as error:
        msg = f"{definition.reference} cannot be made: {error}"
        hint = "[sandbox] scratch in agentics.toml names a place with more room"
        raise EngineError(msg, code="image_build_failed", hint=hint) from error


@contextmanager
def _turn(definition: Definition, folders: BuildFolders, steps: Steps) -> Iterator[None]:
    """The right to make that image, which one process at a time has. Raises Stopped while it waits."""
    folders.locks.mkdir(parents=True, exist_ok=True)
    with (folders.locks / f"{definition.name}.lock").open("ab") as file:
        if not _locked(file):
            with steps.step(f"waiting for another process that is making {definition.reference}"):
                while not _locked(file):
                    steps.pause()
        yield


def _locked(file: IO[bytes]) -> bool:
    try:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True


def _build(
    store: ImageStore, definition: Definition, known: Mapping[str, Definition], folders: BuildFolders, steps: Steps
) -> None:
    """Make one image. What it stands on must be there."""
    steps.log(f"building {definition.reference}")
    replaced = {found.id for name in (definition.reference, definition.alias) if (found := store.image(name))}
    key, digest = definition.label
    with TemporaryDirectory(prefix="image-", dir=folders.scratch) as scratch:
        context = _context(definition, known, Path(scratch) / "definitions", store, steps)
        match definition.recipe:
            case Dockerfile(base=base):
                buildargs = {"BASE": known[base].reference}
                with steps.step(f"making {definition.reference} of its layers"):
                    store.build(context / definition.name, definition.reference, buildargs, {key: digest}, steps)
            case Rootfs() as recipe:
                tar = Path(scratch) / "rootfs.tar"
                make_rootfs(store, recipe, context, tar, steps)
                with steps.step(f"importing {definition.reference} into the engine"):
                    changes = [*recipe.settings, f"LABEL {key}={digest}"]
                    store.import_rootfs(tar, definition.reference, changes, steps)
    store.tag(definition.reference, definition.alias)
    for old in replaced:
        store.remove_nameless(old)


def _context(
    definition: Definition, known: Mapping[str, Definition], dest: Path, store: ImageStore, steps: Steps
) -> Path:
    """A folder of definitions: the image's own, with its Python packages if it has any, and those that its scripts come
    from."""
    scripts = definition.recipe.customize if isinstance(definition.recipe, Rootfs) else ()
    for name in {definition.name, *(Path(script).parts[0] for script in scripts)}:
        shutil.copytree(known[name].directory, dest / name)
    if definition.python is not None:
        place = dest / definition.name / SITE
        install_wheels(definition.python, definition.directory, place, store.architecture(), steps)
    return dest
