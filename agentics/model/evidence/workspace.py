"""A workspace by content: what it holds, and what became of it. Structural: paths and digests, and no file's text.

A path is relative, with slashes. One whose bytes are not UTF-8 is written as `./` and the path with those bytes as
`\\xNN` and every backslash doubled, which no other path looks like; `path_base64` has its bytes.
"""

from __future__ import annotations

from itertools import pairwise
from typing import Annotated, Literal, Self

from pydantic import Field, NonNegativeInt, model_validator

from agentics.model.document.record import Record
from agentics.model.run.directory import Digest
from agentics.model.run.outcome import UtcTimestamp

ChangeKind = Literal["file", "symlink", "directory", "fifo", "socket", "block_device", "char_device", "unknown"]
Permissions = Annotated[str, Field(pattern=r"^[0-7]{4}$")]
UnreadReason = Literal["unreadable", "too_much"]


class WorkspaceFile(Record):
    """One file, or something else that is not a plain directory. `digest` and `size_bytes` are those of a file's
    content or of a link's target, and of nothing where there is no content, or none was read: `unread` says why.
    A directory is here only when it could not be read. `target` shows other bytes than UTF-8 as `\\xNN`."""

    path: str
    digest: Digest
    size_bytes: NonNegativeInt
    mode: Permissions
    kind: ChangeKind = "file"
    target: str | None = None
    unread: UnreadReason | None = None
    path_base64: str | None = None


class WorkspaceSnapshot(Record):
    """All files of a workspace by path, in the order of their code points. `truncated`: there was more than is here."""

    schema_version: Literal["workspace_snapshot_v1"] = "workspace_snapshot_v1"
    captured_at: UtcTimestamp
    file_count: NonNegativeInt
    total_bytes: NonNegativeInt
    files: tuple[WorkspaceFile, ...]
    truncated: bool = False

    @model_validator(mode="after")
    def _is_consistent(self) -> Self:
        paths = [file.path for file in self.files]
        if any(first >= second for first, second in pairwise(paths)):
            msg = "files must be in the order of their paths, each path once"
            raise ValueError(msg)
        if (self.file_count, self.total_bytes) != (len(paths), sum(file.size_bytes for file in self.files)):
            msg = "file_count and total_bytes must be those of files"
            raise ValueError(msg)
        return self


class WorkspaceChange(Record):
    """What became of one path. `mode`, `kind` and `target` are as it is now, of a removed one as it was; `mode_before`
    and `kind_before` only where it is modified. `renamed_from`: a removed path of the same content."""

    path: str
    change: Literal["added", "removed", "modified"]
    digest_before: Digest | None = None
    digest_after: Digest | None = None
    mode: Permissions
    kind: ChangeKind
    target: str | None = None
    mode_before: Permissions | None = None
    kind_before: ChangeKind | None = None
    renamed_from: str | None = None
    path_base64: str | None = None


class DiffSummary(Record):
    added_files: NonNegativeInt
    removed_files: NonNegativeInt
    modified_files: NonNegativeInt


class WorkspaceDiff(Record):
    """The lists are sorted paths; `entries` say more of each. `truncated`: a snapshot was, so a path may be missing, or
    be here without having changed."""

    schema_version: Literal["workspace_diff_v1"] = "workspace_diff_v1"
    captured_at: UtcTimestamp
    added: tuple[str, ...]
    removed: tuple[str, ...]
    modified: tuple[str, ...]
    summary: DiffSummary
    entries: tuple[WorkspaceChange, ...] = ()
    truncated: bool = False


class WorkspacePatch(Record):
    """As WorkspaceDiff. It says which content stands where afterwards, by digest; it holds none."""

    schema_version: Literal["workspace_patch_v1"] = "workspace_patch_v1"
    format: Literal["file_digest_delta"] = "file_digest_delta"
    generated_at: UtcTimestamp
    added: tuple[str, ...]
    removed: tuple[str, ...]
    modified: tuple[str, ...]
    entries: tuple[WorkspaceChange, ...] = ()
    truncated: bool = False


DOCUMENTS: dict[str, type[Record]] = {
    "workspace_snapshot": WorkspaceSnapshot,
    "workspace_diff": WorkspaceDiff,
    "workspace_patch": WorkspacePatch,
}
