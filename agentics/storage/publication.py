"""Many files as one thing: the last of them says that all are there."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from agentics.config import Storage
from agentics.errors import Refused, UsageError
from agentics.storage.store import Store, checked, open_store

_MOST_BYTES = 1 << 20
_DOCUMENTS = (".json", ".toml", ".yaml", ".yml")


def publish(store: Store, files: Mapping[str, bytes | Path], last: str) -> tuple[str, ...]:
    """Write files, `last` at the end: its presence says that all are there. What was written.

    What is there already with the same content is left alone, so that a publication which stopped half-way is
    completed. Raises Refused (storage_conflict) when `last` is there with another content, and StorageError.
    The place is this publication's own: what a killed writer left in it is removed.
    """
    for path in files:
        checked(path)
    if store.exists(last) and not _has(store, last, _content(files[last])):
        msg = f"{store.url}: {last} is there already, and is not what would be written"
        raise Refused(msg, code="storage_conflict", hint="name another artifacts.output_dir, or remove it")
    store.sweep()
    written = []
    for path in [*(path for path in files if path != last), last]:
        content = _content(files[path])
        if not _has(store, path, content):
            store.put(path, content)
            written.append(path)
    return tuple(written)


def read_folder(url: str, settings: Storage, *, base: Path) -> dict[str, bytes]:
    """Names and contents of the documents directly in a folder: JSON, TOML and YAML of at most 1 MiB each.

    Raises UsageError (also document_too_large) and StorageError.
    """
    store = open_store(url, settings, base=base)
    names = [path for path in store.paths() if "/" not in path and path.endswith(_DOCUMENTS)]
    for name in names:
        if (store.size(name) or 0) > _MOST_BYTES:
            msg = f"{store.url}/{name}: more than 1 MiB"
            raise UsageError(msg, code="document_too_large")
    return {name: store.get(name) for name in names}


def _has(store: Store, path: str, content: bytes) -> bool:
    return store.size(path) == len(content) and store.get(path) == content


def _content(data: bytes | Path) -> bytes:
    return data.read_bytes() if isinstance(data, Path) else data
