"""Reads a solution, from a ZIP or a directory, completely before anything of it is believed; and unpacks it."""

from __future__ import annotations

import hashlib
import io
import os
from dataclasses import dataclass
from pathlib import Path

from agentics.archive import tree
from agentics.archive.envelope import SOLUTION, Inventory, inspect, read, unpack, verify
from agentics.archive.pack import pack
from agentics.model.bundle.solution import MANIFEST_FILE, SolutionManifest
from agentics.model.document.finding import Finding
from agentics.model.document.parsing import invalid, parse


@dataclass(frozen=True, kw_only=True)
class SolutionPackage:
    """A solution in order. `file_count` counts entries, directories too; sizes in bytes; `sha256` of `data`, in hex."""

    name: str
    source: Path
    manifest: SolutionManifest
    data: bytes
    sha256: str
    zip_bytes: int
    uncompressed_bytes: int
    file_count: int


def read_solution(path: Path, name: str | None = None) -> SolutionPackage:
    """A solution from a ZIP file or a directory. Raises InvalidDocument."""
    whole = path.resolve()
    data = pack(path) if path.is_dir() else _read_zip(path)
    inventory = _inspect(data, path.name)
    return SolutionPackage(
        name=name or (whole.name if path.is_dir() else whole.stem),
        source=path,
        manifest=_manifest(data, path.name, inventory),
        data=data,
        sha256=hashlib.sha256(data).hexdigest(),
        zip_bytes=len(data),
        uncompressed_bytes=inventory.expanded,
        file_count=len(inventory.members),
    )


def extract(package: SolutionPackage, dest: Path) -> None:
    """Unpack into the existing, empty directory `dest`: files 0644, directories 0755. Raises InvalidDocument."""
    file = io.BytesIO(package.data)
    unpack(file, package.source.name, inspect(file, package.source.name, SOLUTION), dest)


def _read_zip(path: Path) -> bytes:
    try:
        with os.fdopen(tree.open_regular(None, str(path.resolve())), "rb") as file:
            return file.read(SOLUTION.compressed + 1)
    except OSError as error:
        hint = "a solution is a directory or a ZIP file"
        message = f"cannot be read: {error.strerror or 'no regular file'}"
        raise invalid([Finding(code="missing_file", message=message, file=str(path), hint=hint)]) from error


def _inspect(data: bytes, name: str) -> Inventory:
    file = io.BytesIO(data)
    inventory = inspect(file, name, SOLUTION)
    verify(file, name, inventory)
    return inventory


def _manifest(data: bytes, name: str, inventory: Inventory) -> SolutionManifest:
    member = inventory.find(MANIFEST_FILE)
    if member is None:
        hint = f"put {MANIFEST_FILE} at the top of the archive, in no folder"
        raise invalid([Finding(code="missing_file", message=f"no {MANIFEST_FILE}", file=name, hint=hint)])
    if member.record.size > SolutionManifest.cap.bytes:
        message = f"{member.record.size} bytes, at most {SolutionManifest.cap.bytes} are allowed"
        hint = "it holds the names of scripts and a note; other data goes into files of its own"
        raise invalid([Finding(code="manifest_too_large", message=message, file=MANIFEST_FILE, hint=hint)])
    return parse(SolutionManifest, read(io.BytesIO(data), name, member), MANIFEST_FILE)
