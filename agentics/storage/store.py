"""A place, opened: files are put into it, read back and listed, each by a relative path that is portable."""

from __future__ import annotations

import os
import re
import secrets
from collections.abc import Callable, Iterator
from contextlib import suppress
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, TypeVar

from agentics.config import Storage
from agentics.errors import StorageError, UsageError
from agentics.storage.location import Location, locate
from agentics.storage.retrying import PATIENT, Retries, said, trying

T = TypeVar("T")

_DRIVERS = {
    "s3": "'agentics[s3]'",
    "s3a": "'agentics[s3]'",
    "gs": "gcsfs",
    "gcs": "gcsfs",
    "az": "adlfs",
    "abfs": "adlfs",
    "abfss": "adlfs",
    "hf": "huggingface_hub",
    "sftp": "paramiko",
    "ssh": "paramiko",
    "smb": "smbprotocol",
    "webdav": "webdav4",
}
_FLAT = frozenset({"memory", "s3", "s3a", "gs", "gcs", "az", "abfs", "abfss", "hf"})
"""Without folders: to make one here would be needless, or even make a bucket."""
_PART = re.compile(r'[^\x00-\x1f\x7f\\<>"?*\ud800-\udfff]+')
_STAGING = ".agentics-"


@dataclass(frozen=True, kw_only=True)
class Store:
    """A place by its `url`, which shows no secrets. Paths are relative, with `/`, and of safe names.

    `fs`: fsspec's file system, `root`: the place in it. `local`: it is a folder of this machine; `flat`: it has no
    folders, only names with slashes. All methods raise UsageError (storage_path_invalid) for a path that is none
    of these, and StorageError (storage_failed) for what failed as often as `retries` says, or for good.
    """

    url: str
    fs: Any
    root: str
    local: bool
    flat: bool
    retries: Retries = PATIENT

    def below(self, folder: str) -> Store:
        """The place of that name in this one."""
        slash = "" if self.url.endswith("/") else "/"
        return replace(self, url=f"{self.url}{slash}{checked(folder)}", root=f"{self.root}/{folder}")

    def probe(self) -> None:
        """Tries all that a publication needs. Raises UsageError (storage_not_writable). Leaves nothing behind."""
        name, content = f"{_STAGING}{secrets.token_hex(8)}", b"a probe\n"
        place = f"{self.root}/{name}"
        made: list[str] = []
        try:
            made.extend(self._try("look at it", lambda: [*self._missing()]))
            # A server may refuse to say that a name is free; better it does so now than when there are results.
            self._try("look for a file", lambda: self._info(place))
            self._try("write a file", lambda: self._write(place, content))
            back = self._try("read a file", lambda: self.fs.cat_file(place))
            self._try("remove a file", lambda: self.fs.rm_file(place))
        except StorageError as error:
            hint = "name another artifacts.output_dir, or mend its permissions"
            raise UsageError(error.message, code="storage_not_writable", hint=hint) from error
        finally:
            for folder in made:
                with suppress(OSError, NotImplementedError):
                    self.fs.rmdir(folder)
        if back != content:
            msg = f"{self.url}: what was written is not what is read"
            raise UsageError(msg, code="storage_not_writable")

    def put(self, path: str, data: bytes | Path) -> None:
        """Write it, whole or not at all."""
        place = self._place(path)
        self._try(f"write {path}", lambda: self._write(place, data.read_bytes() if isinstance(data, Path) else data))

    def get(self, path: str) -> bytes:
        """StorageError also where there is no such thing."""
        place = self._place(path)
        found: bytes = self._try(f"read {path}", lambda: self.fs.cat_file(place))
        return found

    def size(self, path: str) -> int | None:
        """In bytes; None where there is no such file. A store that cannot say so is no empty one: StorageError."""
        place = self._place(path)
        found = self._try(f"look for {path}", lambda: self._info(place))
        return int(found["size"]) if found is not None and found["type"] != "directory" else None

    def exists(self, path: str) -> bool:
        return self.size(path) is not None

    def delete(self, path: str) -> None:
        place = self._place(path)
        self._try(f"remove {path}", lambda: self.fs.rm_file(place))

    def paths(self) -> tuple[str, ...]:
        """The paths of all files, sorted; half-written ones are none."""
        found = self._try("list it", lambda: [*self._walk()])
        return tuple(sorted(path for path in found if not path.rpartition("/")[2].startswith(_STAGING)))

    def sweep(self) -> None:
        """Remove what a killed writer left half-written. Only for the one that writes here."""
        if self.local:
            for path in self._try("list it", lambda: [*self._walk()]):
                if path.rpartition("/")[2].startswith(_STAGING):
                    with suppress(FileNotFoundError):
                        Path(self.root, path).unlink()

    def _place(self, path: str) -> str:
        return f"{self.root}/{checked(path)}"

    def _info(self, place: str) -> dict[str, Any] | None:
        """None where there is nothing. fsspec's own `exists` and `isfile` also say so when nobody answered."""
        self.fs.invalidate_cache()
        try:
            found: dict[str, Any] = self.fs.info(place)
        except (FileNotFoundError, NotADirectoryError):
            return None
        return found

    def _walk(self) -> Iterator[str]:
        """All files, as relative paths. Unlike fsspec's `find`, it fails where a folder cannot be listed."""
        self.fs.invalidate_cache()
        folders = [self.root]
        while folders:
            folder = folders.pop()
            try:
                entries = self.fs.ls(folder or "/", detail=True)
            except (FileNotFoundError, NotADirectoryError):
                continue
            for entry in entries:
                name = str(entry["name"]).rstrip("/")
                if not name.startswith(f"{folder}/"):
                    continue  # some drivers list the folder in itself
                if entry["type"] == "directory":
                    folders.append(name)
                else:
                    yield name.removeprefix(f"{self.root}/")

    def _write(self, place: str, content: bytes) -> None:
        if self.local:
            _write_file(Path(place), content)
            return
        if not self.flat:
            self.fs.makedirs(place.rpartition("/")[0], exist_ok=True)
        self.fs.pipe_file(place, content)

    def _missing(self) -> Iterator[str]:
        """The folders that a write would make, innermost first: a probe removes them again."""
        place = "" if self.flat else self.root
        while place and self._info(place) is None:
            yield place
            place = place.rpartition("/")[0]

    def _try(self, what: str, act: Callable[[], T]) -> T:
        try:
            return trying(act, self.retries)
        except Exception as error:
            msg = f"{self.url}: could not {what}: {said(error)}"
            hint = "the same command goes on once that is mended"
            raise StorageError(msg, code="storage_failed", hint=hint) from error


def open_store(url: str, settings: Storage, *, base: Path, retries: Retries = PATIENT) -> Store:
    """The place that a URL or a path means; a relative path is below `base`. Nothing is made there yet.

    Raises UsageError: storage_scheme_not_allowed, fsspec_driver_missing, credentials_in_url, storage_path_invalid,
    storage_root_not_allowed. Raises StorageError where the driver does not come up.
    """
    found = locate(url, settings, base)
    fs, root = _driver(found)
    return Store(
        url=found.url,
        fs=fs,
        root=root.rstrip("/"),
        local=found.folder is not None,
        flat=not _FLAT.isdisjoint(found.schemes),
        retries=retries,
    )


def checked(path: str) -> str:
    """The path, if it is relative, leads nowhere else, and every kind of store can hold it. Raises UsageError."""
    parts = path.split("/")
    if any(_PART.fullmatch(part) is None or part in (".", "..") or part.startswith(_STAGING) for part in parts):
        msg = f"{path!r} is no relative path of safe names"
        raise UsageError(msg, code="storage_path_invalid")
    return path


def _driver(found: Location) -> tuple[Any, str]:
    """fsspec's file system, and the place in it."""
    from fsspec import filesystem, get_filesystem_class  # noqa: PLC0415 - 0.05 s, and most commands store nothing
    from fsspec.core import url_to_fs  # noqa: PLC0415 - as above

    for scheme in found.schemes:
        try:
            get_filesystem_class(scheme)
        except (ImportError, ValueError) as error:
            package = _DRIVERS.get(scheme)
            msg = f"{found.url}: no driver for {scheme}:// is installed"
            hint = f"pip install {package}" if package else "fsspec knows none: name a folder, or another URL"
            raise UsageError(msg, code="fsspec_driver_missing", hint=hint) from error
    if found.folder is not None:
        return filesystem("file"), str(found.folder)
    try:
        fs, root = url_to_fs(found.url)
    except Exception as error:
        msg = f"{found.url}: its driver does not come up: {said(error)}"
        raise StorageError(msg, code="storage_failed", hint="see what that driver needs in the environment") from error
    return fs, str(root)


def _write_file(target: Path, content: bytes) -> None:
    """Readers see the old file or the new one, also after a crash."""
    missing = [place for place in (target.parent, *target.parent.parents) if not place.exists()]
    for folder in reversed(missing):
        folder.mkdir(exist_ok=True)
        _sync(folder.parent)
    half = target.with_name(f"{_STAGING}{secrets.token_hex(8)}")
    try:
        with half.open("xb") as file:
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
        half.replace(target)
    finally:
        half.unlink(missing_ok=True)
    _sync(target.parent)


def _sync(folder: Path) -> None:
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
