"""What a ZIP from outside may be: limits, paths, and no entry that stands in another's way.

`inspect` reports everything that is wrong at once; `unpack` writes, exclusively and without permission bits.
"""

from __future__ import annotations

import re
import stat
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO

from agentics.archive import tree
from agentics.archive.central import METHODS, STORED, CentralRecord, DamagedZip, content, directory, ranges
from agentics.errors import InvalidDocument
from agentics.model.document.finding import Finding
from agentics.model.document.parsing import invalid

MIB = 1 << 20
_SEPARATORS = re.compile(r"[/\\]")
# What a file system can hold; longer names would fail while unpacking.
_MAX_COMPONENT, _MAX_PATH = 255, 3072
_AGAIN = "make the archive again, for example with zip -r"
_HINTS = {
    "archive_too_large": "leave out what is not needed",
    "bad_path": "the names of entries are relative paths without '.' and '..', in UTF-8",
    "damaged_zip": _AGAIN,
    "duplicate_entry": "keep one of them",
    "encrypted_entry": "make the archive without a password",
    "file_exists": "give the file another name, or leave it out of the archive",
    "not_a_zip": "give a directory, or an archive made with zip -r",
    "overlapping_entries": _AGAIN,
    "path_conflict": "give one of them another name",
    "size_mismatch": _AGAIN,
    "symlink": "put what it points to into the archive",
    "too_many_entries": "leave out what is not needed",
    "two_end_records": _AGAIN,
    "unsupported_compression": "compress with deflate, as zip does",
}


@dataclass(frozen=True, kw_only=True)
class ArchiveLimits:
    """Sizes in bytes. `entries` counts files and directories."""

    compressed: int
    expanded: int
    entries: int


SOLUTION = ArchiveLimits(compressed=20 * MIB, expanded=50 * MIB, entries=256)
OVERLAY = ArchiveLimits(compressed=1 << 30, expanded=1 << 30, entries=1024)


@dataclass(frozen=True, kw_only=True)
class Member:
    """An entry whose path is clean: components without '.' and '..', joined by '/'."""

    path: str
    directory: bool
    record: CentralRecord


@dataclass(frozen=True, kw_only=True)
class Inventory:
    """A ZIP that was found in order. Sizes in bytes."""

    members: tuple[Member, ...]
    compressed: int
    expanded: int

    def find(self, path: str) -> Member | None:
        return next((m for m in self.members if m.path == path and not m.directory), None)


def inspect(file: BinaryIO, name: str, limits: ArchiveLimits) -> Inventory:
    """Look at everything but the content. `name` is how findings call the archive. Raises InvalidDocument."""
    size = file.seek(0, 2)
    if size > limits.compressed:
        message = f"{size} bytes, at most {limits.compressed} are allowed"
        raise invalid([_finding("archive_too_large", message, name)])
    try:
        central = directory(file, limits.entries)
        found = central.records
        findings = [_finding(code, message, name) for code, message in _wrong(found, limits)]
        if not findings:
            ranges(file, central)
    except DamagedZip as damage:
        raise damaged(damage, name) from damage
    if findings:
        raise invalid(findings)
    return Inventory(members=tuple(map(_member, found)), compressed=size, expanded=sum(r.size for r in found))


def verify(file: BinaryIO, name: str, inventory: Inventory) -> None:
    """Read every file to its end. Raises InvalidDocument when sizes or checksums lie."""
    try:
        for member in inventory.members:
            if not member.directory:
                for _ in content(file, member.record):
                    pass
    except DamagedZip as damage:
        raise damaged(damage, name) from damage


def read(file: BinaryIO, name: str, member: Member) -> bytes:
    """The content of one file. Raises InvalidDocument when its size or checksum lies."""
    try:
        return b"".join(content(file, member.record))
    except DamagedZip as damage:
        raise damaged(damage, name) from damage


def unpack(file: BinaryIO, name: str, inventory: Inventory, dest: Path) -> None:
    """Write all members below the existing directory `dest`: directories 0755, files 0644 whatever the ZIP says.

    Raises InvalidDocument when something is there already, or when sizes or checksums lie.
    """
    for member in inventory.members:
        target = dest / member.path
        try:
            _make_directories(dest, member.path if member.directory else member.path.rpartition("/")[0])
            if not member.directory:
                with target.open("xb") as writer:
                    for chunk in content(file, member.record):
                        writer.write(chunk)
                target.chmod(tree.file_mode(executable=False))
        except DamagedZip as damage:
            raise damaged(damage, name) from damage
        except (FileExistsError, NotADirectoryError) as error:
            message = f"{member.path} is already there, and nothing may be overwritten"
            raise invalid([_finding("file_exists", message, name)]) from error


def _make_directories(dest: Path, path: str) -> None:
    here = dest
    for part in path.split("/") if path else ():
        here /= part
        if here.is_symlink() or not here.is_dir():
            here.mkdir()
            here.chmod(tree.DIRECTORY_MODE)


def damaged(damage: DamagedZip, name: str) -> InvalidDocument:
    return invalid([_finding(damage.code, damage.message, name)])


def _finding(code: str, message: str, name: str) -> Finding:
    return Finding(code=code, message=message, file=name, hint=_HINTS[code])


def _wrong(found: tuple[CentralRecord, ...], limits: ArchiveLimits) -> Iterator[tuple[str, str]]:
    for record in found:
        yield from _wrong_record(record)
    expanded = sum(record.size for record in found)
    if expanded > limits.expanded:
        yield "archive_too_large", f"{expanded} bytes when expanded, at most {limits.expanded} are allowed"
    yield from _in_each_others_way(found)


def _wrong_record(record: CentralRecord) -> Iterator[tuple[str, str]]:
    shown = f"{record.name!r:.100}"
    problem = _path_problem(record.name)
    if problem is not None:
        yield "bad_path", f"the path {shown} {problem}"
    if stat.S_ISLNK(record.unix_mode):
        yield "symlink", f"{shown} is a symbolic link"
    if record.encrypted:
        yield "encrypted_entry", f"{shown} is encrypted"
    if record.method not in METHODS:
        yield "unsupported_compression", f"{shown} is compressed by method {record.method}, which is not known here"
    elif record.method == STORED and record.compressed != record.size and not record.encrypted:
        yield "size_mismatch", f"{shown} is stored, but declares {record.size} bytes and has {record.compressed}"


def _path_problem(name: str) -> str | None:
    if not name:
        return "is empty"
    if "\0" in name:
        return "contains NUL"
    if name[0] in "/\\":
        return "is absolute"
    parts = _parts(name)
    if any(part in {"", ".", ".."} for part in parts):
        return "has an empty, '.' or '..' component"
    if len(parts) > tree.MAX_DEPTH:
        return f"has more than {tree.MAX_DEPTH} components"
    if max(len(part.encode()) for part in parts) > _MAX_COMPONENT or len(name.encode()) > _MAX_PATH:
        return "is too long"
    return None


def _parts(name: str) -> list[str]:
    return _SEPARATORS.split(name.strip("/\\"))


def _member(record: CentralRecord) -> Member:
    return Member(path="/".join(_parts(record.name)), directory=record.name[-1] in "/\\", record=record)


def _in_each_others_way(found: tuple[CentralRecord, ...]) -> Iterator[tuple[str, str]]:
    members = [_member(record) for record in found if _path_problem(record.name) is None]
    seen: set[str] = set()
    for member in members:
        if member.path in seen:
            yield "duplicate_entry", f"{member.path!r:.100} is there more than once"
        seen.add(member.path)
    files = {member.path for member in members if not member.directory}
    for member in members:
        for parent in parents(member.path):
            if parent in files:
                yield "path_conflict", f"{parent!r:.100} is a file, and {member.path!r:.100} is below it"


def parents(path: str) -> Iterator[str]:
    """The directories above a path, the outermost first."""
    at = path.find("/")
    while at >= 0:
        yield path[:at]
        at = path.find("/", at + 1)
