"""What an adapter left in its directory: made what the rest of a run is, regular files and directories within bounds.

Everything else is removed, by descriptor and without following a link: nobody could read a FIFO to its end, and a name
that is not UTF-8 fits no record. The programs that wrote here have ended.
"""

from __future__ import annotations

import os
import stat
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

from agentics.archive.hostile import opened, permit, remove_at, reopen
from agentics.archive.tree import bad_name, below, shown_name
from agentics.model.document.finding import Finding
from agentics.rundir.files.atomic import STAGING_PREFIX, storing

FILES, DIRECTORIES, DEPTH, BYTES = 8192, 1024, 32, 1 << 30
"""The most that is kept. `BYTES` are apparent sizes, so a sparse file counts in full."""
MAX_FINDINGS = 200


@dataclass
class _Look:
    """One walk. `top` is the descriptor of the directory, `first` the names there that are counted before others."""

    top: int
    first: tuple[str, ...]
    label: str
    files: int = 0
    directories: int = 0
    bytes: int = 0
    removed: list[Finding] = field(default_factory=list)


def tidy(directory: Path, *, label: str, first: tuple[str, ...] = ()) -> tuple[Finding, ...]:
    """Remove what is no part of a run; a finding for each, whose path begins with `label`, the first 200 of them.

    Raises StorageError where something cannot be removed.
    """
    with storing(directory):
        if not stat.S_ISDIR(directory.lstat().st_mode):
            directory.unlink()
            return (Finding(code="special_file", message="removed: no directory", file=label),)
        reopen(directory)
        with opened(directory) as top:
            look = _Look(top, first, label)
            _walk(look, top, "", 0)
    return tuple(look.removed)


def _walk(look: _Look, at: int, prefix: str, depth: int) -> None:
    for name in sorted(os.listdir(at), key=lambda name: (prefix + name not in look.first, os.fsencode(name))):
        path = f"{prefix}{name}"
        found = os.stat(name, dir_fd=at, follow_symlinks=False)
        problem = _problem(look, path, found, depth)
        if problem is not None:
            remove_at(at, name)
            _note(look, path, *problem)
        elif stat.S_ISDIR(found.st_mode):
            permit(at, name, found, stat.S_IRWXU)
            with below(at, name) as inner:
                _walk(look, inner, f"{path}/", depth + 1)
        else:
            permit(at, name, found, stat.S_IRUSR | stat.S_IWUSR)


def _problem(look: _Look, path: str, found: os.stat_result, depth: int) -> tuple[str, str] | None:
    """A code and words, where an entry is none that a run can keep; else it is counted."""
    if (why := bad_name(path)) is not None:
        return "bad_name", f"a name {why}"
    if stat.S_ISDIR(found.st_mode):
        return _no_directory(look, depth)
    if not stat.S_ISREG(found.st_mode):
        is_link = stat.S_ISLNK(found.st_mode)
        return ("link", "a symbolic link") if is_link else ("special_file", "neither a file nor a directory")
    if look.files >= FILES:
        return "too_many_files", f"more than {FILES} files"
    if look.bytes + found.st_size > BYTES:
        return "too_many_bytes", f"more than {BYTES >> 20} MiB in all"
    look.files += 1
    look.bytes += found.st_size
    return None


def _no_directory(look: _Look, depth: int) -> tuple[str, str] | None:
    if depth >= DEPTH:
        return "too_deep", f"deeper than {DEPTH} directories"
    if look.directories >= DIRECTORIES:
        return "too_many_dirs", f"more than {DIRECTORIES} directories"
    look.directories += 1
    return None


def _note(look: _Look, path: str, code: str, why: str) -> None:
    if len(look.removed) < MAX_FINDINGS:
        where = f"{look.label}/{shown_name(path)}"
        look.removed.append(Finding(code=code, message=f"removed: {why}", file=where))


def entries(root: Path) -> Iterator[tuple[str, bool]]:
    """Every path below `root` that is no directory, and whether a run may hold it: a regular file with a name in UTF-8.

    Half-written files of a writer that died or is at work are left out: they are nobody's yet. Links are not followed;
    a directory that cannot be read has nothing in it.
    """
    pending = [""]
    while pending:
        prefix = pending.pop()
        try:
            with os.scandir(root / prefix) as found:
                here = [entry for entry in found if not entry.name.startswith(STAGING_PREFIX)]
        except OSError:
            continue
        for entry in here:
            path = f"{prefix}{entry.name}"
            if entry.is_dir(follow_symlinks=False):
                pending.append(f"{path}/")
            else:
                yield path, entry.is_file(follow_symlinks=False) and _is_text(path)


def _is_text(path: str) -> bool:
    try:
        path.encode()
    except UnicodeEncodeError:
        return False
    return True
