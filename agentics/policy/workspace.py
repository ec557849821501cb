"""What became of a workspace between two snapshots of it."""

from __future__ import annotations

from collections import defaultdict, deque
from collections.abc import Mapping

from agentics.model.evidence.workspace import (
    DiffSummary,
    WorkspaceChange,
    WorkspaceDiff,
    WorkspaceFile,
    WorkspacePatch,
    WorkspaceSnapshot,
)


def diff(before: WorkspaceSnapshot, after: WorkspaceSnapshot, *, captured_at: str) -> WorkspaceDiff:
    """A path is modified when its content, mode, kind or target is another. A rename is a removal and an addition."""
    entries = _changes(before, after)
    added, removed, modified = _lists(entries)
    return WorkspaceDiff(
        captured_at=captured_at,
        added=added,
        removed=removed,
        modified=modified,
        summary=DiffSummary(added_files=len(added), removed_files=len(removed), modified_files=len(modified)),
        entries=entries,
        truncated=before.truncated or after.truncated,
    )


def patch(before: WorkspaceSnapshot, after: WorkspaceSnapshot, *, generated_at: str) -> WorkspacePatch:
    """The same changes, as what has to be done to get from one to the other."""
    entries = _changes(before, after)
    added, removed, modified = _lists(entries)
    return WorkspacePatch(
        generated_at=generated_at,
        added=added,
        removed=removed,
        modified=modified,
        entries=entries,
        truncated=before.truncated or after.truncated,
    )


def _changes(before: WorkspaceSnapshot, after: WorkspaceSnapshot) -> tuple[WorkspaceChange, ...]:
    old = {file.path: file for file in before.files}
    new = {file.path: file for file in after.files}
    sources = _renames(old, new)
    changes = [_change(old.get(path), new.get(path), sources.get(path)) for path in sorted(old.keys() | new.keys())]
    return tuple(change for change in changes if change is not None)


def _change(old: WorkspaceFile | None, new: WorkspaceFile | None, source: str | None) -> WorkspaceChange | None:
    now = new or old
    if now is None or old == new:
        return None
    return WorkspaceChange(
        path=now.path,
        change="added" if old is None else "removed" if new is None else "modified",
        digest_before=old.digest if old else None,
        digest_after=new.digest if new else None,
        mode=now.mode,
        kind=now.kind,
        target=now.target,
        mode_before=old.mode if old and new else None,
        kind_before=old.kind if old and new else None,
        renamed_from=source,
        path_base64=now.path_base64,
    )


def _renames(old: Mapping[str, WorkspaceFile], new: Mapping[str, WorkspaceFile]) -> dict[str, str]:
    """From where each added path came. Of equal contents the first goes to the first, and each goes only once."""
    gone: dict[tuple[str, str], deque[str]] = defaultdict(deque)
    for path in sorted(old.keys() - new.keys()):
        if _tells(old[path]):
            gone[old[path].kind, old[path].digest].append(path)
    sources = {}
    for path in sorted(new.keys() - old.keys()):
        candidates = gone.get((new[path].kind, new[path].digest)) if _tells(new[path]) else None
        if candidates:
            sources[path] = candidates.popleft()
    return sources


def _tells(file: WorkspaceFile) -> bool:
    """Whether its digest says which file it is: all that is empty, or was not read, has the same."""
    return file.size_bytes > 0 and file.unread is None


def _lists(entries: tuple[WorkspaceChange, ...]) -> tuple[tuple[str, ...], tuple[str, ...], tuple[str, ...]]:
    added, removed, modified = (
        tuple(one.path for one in entries if one.change == change) for change in ("added", "removed", "modified")
    )
    return added, removed, modified
