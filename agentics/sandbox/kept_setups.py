"""What lies in the store of challenge setups: products by key and generation, and whether each is what was kept.

The store is one directory. A product is a directory `<key>.<generation>` in it with `content`, `record.json`, and
`lock`, which every user of the product shares. It appears whole by a rename, and goes by one.
"""

from __future__ import annotations

import os
import re
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from agentics.model.evidence.setup_record import KeptSetup
from agentics.sandbox import mounting
from agentics.sandbox.filelock import try_lock
from agentics.sandbox.fingerprint import content, listing
from agentics.sandbox.places import IMAGE, PlaceForm

CONTENT, RECORD, LOCK = "content", "record.json", "lock"
_FOLDER = re.compile(r"([0-9a-f]{64})\.([1-9][0-9]*)")


class Changed(Exception):
    """The product, or its record, is not what was kept."""


@dataclass(frozen=True, kw_only=True)
class Product:
    """One product, by its name and its record. `bytes`: what it takes on the disk. `used_at`: seconds since the epoch.
    Both are 0 without a readable record."""

    folder: Path
    key: str
    generation: int
    bytes: int
    used_at: float


@dataclass(frozen=True, kw_only=True)
class SetupReport:
    """What the store holds. `changed`: products that are not what was kept. Sizes in bytes."""

    root: Path
    count: int
    bytes: int
    changed: int


def products(root: Path) -> list[Product]:
    """Every product of the store. Raises OSError where there is a store that cannot be read."""
    return [_product(folder) for folder in _folders(root)]


def generations(root: Path, key: str) -> list[Path]:
    """The products of a key, newest first. `key` is hexadecimal. Raises OSError as `products` does."""
    return sorted((folder for folder in _folders(root) if folder.name.startswith(f"{key}.")), key=_number, reverse=True)


def next_generation(root: Path, key: str) -> Path:
    """Where a new product of the key goes. Raises OSError as `products` does."""
    newest = max(map(_number, generations(root, key)), default=0)
    return root / f"{key}.{newest + 1}"


def report(root: Path, *, whole: bool) -> SetupReport:
    """Each product is verified by its inodes, with `whole` by every byte. Raises OSError as `products` does."""
    found = products(root)
    return SetupReport(
        root=root,
        count=len(found),
        bytes=sum(one.bytes for one in found),
        changed=sum(_is_changed(one.folder, whole=whole) for one in found),
    )


def verified(folder: Path) -> KeptSetup:
    """The record of a product that is what was kept. Raises Changed, and OSError where it cannot be looked at."""
    try:
        record = KeptSetup.model_validate_json((folder / RECORD).read_bytes())
        now = listing(folder / CONTENT)
        if now == record.listing:
            return record
        # The inodes may be others, as after a restore from a backup. What is in them decides.
        if content(folder / CONTENT) != record.content:
            raise Changed
    except (FileNotFoundError, ValueError) as error:
        raise Changed from error
    record = record.model_copy(update={"listing": now})
    write_record(folder, record)
    return record


def write_record(folder: Path, record: KeptSetup) -> None:
    """Durable, and whole for every reader. Raises OSError."""
    fresh = folder / f".{RECORD}"
    with fresh.open("wb") as file:
        file.write(record.model_dump_json().encode())
        file.flush()
        os.fsync(file.fileno())
    fresh.replace(folder / RECORD)


def sync_content(folder: Path, form: PlaceForm) -> None:
    """Make the bytes of a new product durable. Raises OSError.

    A name that is lost when the machine crashes is noticed: then the product is not what was kept. Lost bytes of a file
    that still has its size and times would not be."""
    if form == "tree":
        mounting.sync_file_system(folder / CONTENT)
        return
    with (folder / CONTENT / IMAGE).open("rb") as file:
        os.fsync(file.fileno())


def size_text(count: int) -> str:
    """A number of bytes for people."""
    return f"{count / (1 << 30):.1f} GiB" if count >= 1 << 30 else f"{count / (1 << 20):.1f} MiB"


def _is_changed(folder: Path, *, whole: bool) -> bool:
    held = try_lock(folder / LOCK, exclusive=False)
    if held is None:
        # A product that is being removed has no lock to take. One that has lost its lock is not what was kept.
        return folder.exists() and not (folder / LOCK).exists()
    try:
        record = verified(folder)
        return whole and content(folder / CONTENT) != record.content
    except (Changed, OSError):
        return True
    finally:
        os.close(held)


def _product(folder: Path) -> Product:
    key, _, generation = folder.name.partition(".")
    size, used_at = 0, 0.0
    with suppress(OSError, ValueError):
        size = KeptSetup.model_validate_json((folder / RECORD).read_bytes()).bytes
        used_at = (folder / LOCK).stat().st_mtime
    return Product(folder=folder, key=key, generation=int(generation), bytes=size, used_at=used_at)


def _folders(root: Path) -> list[Path]:
    with suppress(FileNotFoundError), os.scandir(root) as entries:
        return [Path(entry.path) for entry in entries if _FOLDER.fullmatch(entry.name)]
    return []


def _number(folder: Path) -> int:
    return int(folder.name.partition(".")[2])
