"""What is kept of the files that a case left: all of them, or as many as the operator's bounds allow."""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from agentics.archive.hostile import walk
from agentics.config import EvidenceBounds
from agentics.content import as_digest
from agentics.model.evidence.trial_evidence import CaseListing, KeptPart, OutputFile
from agentics.pipeline.attempt_tools import EvidenceStore
from agentics.sandbox.collect import Collected, CollectedFile
from agentics.sandbox.regular import read_part
from agentics.stages.evaluator_view import STDIN, STREAMS
from agentics.stages.restore import keep_file

TAIL_BYTES = 64 << 10


@dataclass(frozen=True, kw_only=True)
class KeptFiles:
    """Fields of a CaseRecord."""

    files: tuple[OutputFile, ...] = ()
    folders: tuple[str, ...] = ()
    tails: tuple[KeptPart, ...] = ()
    listing: CaseListing | None = None


@dataclass
class _Budget:
    entries: int
    name_bytes: int
    size_bytes: int

    def take(self, path: str, size: int) -> bool:
        """Whether an entry fits; then it is counted."""
        names = len(os.fsencode(path))
        if self.entries < 1 or names > self.name_bytes or size > self.size_bytes:
            return False
        self.entries -= 1
        self.name_bytes -= names
        self.size_bytes -= size
        return True


def keep_case_files(keep: EvidenceStore, seen: Path, collected: Collected, bounds: EvidenceBounds) -> KeptFiles:
    """Keep by content what was collected to `seen`, its stdin left out: its streams first, then what fits in the order
    of the paths, then empty directories. Of a stream that does not fit the end is kept."""
    left = tuple(file for file in collected.files if file.path != STDIN)
    empty = empty_folders(seen)
    budget = _Budget(bounds.case_entries, bounds.case_name_bytes, bounds.case_bytes)
    order = sorted(left, key=lambda file: file.path not in STREAMS)
    chosen = {file.path for file in order if budget.take(file.path, file.size)}
    folders = tuple(path for path in empty if budget.take(path, 0))
    cut = len(chosen) + len(folders) < len(left) + len(empty)
    return KeptFiles(
        files=tuple(keep_file(keep, seen, file) for file in left if file.path in chosen),
        folders=folders,
        tails=tuple(tails(keep, seen, [name for name in STREAMS if name not in chosen])) if cut else (),
        listing=_listing(left, empty) if cut else None,
    )


def tails(keep: EvidenceStore, root: Path, streams: Sequence[str]) -> Iterator[KeptPart]:
    """The ends of streams that are not kept whole: people look at them."""
    for stream in streams:
        if (found := read_part(root, stream, TAIL_BYTES, end=True)) is not None:
            size, tail = found
            yield KeptPart(path=stream, size_bytes=size, ref=keep.put_bytes(tail) if tail else None)


def empty_folders(seen: Path) -> tuple[str, ...]:
    """What no path of a file tells of: an evaluator may look whether a directory was made."""
    folders: set[str] = set()
    for node in walk(seen):
        folders.discard(node.path.rpartition("/")[0])
        if node.is_directory:
            folders.add(node.path)
    return tuple(sorted(folders))


def _listing(files: Sequence[CollectedFile], folders: Sequence[str]) -> CaseListing:
    digest = hashlib.sha256()
    for file in files:
        _add(digest, file.path, file.size, file.sha256, file.executable)
    for folder in folders:
        _add(digest, folder)
    paths = (*(file.path for file in files), *folders)
    return CaseListing(
        files=len(files),
        folders=len(folders),
        size_bytes=sum(file.size for file in files),
        name_bytes=sum(len(os.fsencode(path)) for path in paths),
        digest=as_digest(digest.hexdigest()),
    )


def _add(digest: hashlib._Hash, *facts: object) -> None:
    digest.update(json.dumps(facts, separators=(",", ":"), ensure_ascii=False).encode() + b"\n")
