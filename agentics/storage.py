"""Where artifacts go: a folder, or any URL that fsspec has a driver for. It alone uses fsspec.

A name is there whole or not at all: files appear by renaming, objects by one put. Credentials come from the
environment, never from a URL.
"""

from __future__ import annotations

import os
import re
import secrets
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar
from urllib.parse import parse_qsl, urlsplit

import tenacity

from agentics.config import Storage
from agentics.errors import Refused, StorageError, UsageError

T = TypeVar("T")

_DRIVERS = {"s3": "s3fs", "gs": "gcsfs", "gcs": "gcsfs", "az": "adlfs", "abfs": "adlfs", "hf": "huggingface_hub"}
_SECRET = re.compile(r"(?i)key|secret|token|password|passwd|credential|sig(nature)?$")
_PART = re.compile(r'[^\x00-\x1f\x7f\\|:<>"?*]+')
_TEMPORARY = (ConnectionError, TimeoutError)
_TEMPORARY_NAMES = ("EndpointConnectionError", "ConnectTimeoutError", "ReadTimeoutError", "ConnectionClosedError")
_BUSY = re.compile(r"SlowDown|ServiceUnavailable|InternalError|RequestTimeout|Throttl|reduce your request rate")
_STAGING = ".agentics-"
_MOST_BYTES = 1 << 20
_DOCUMENTS = (".json", ".toml", ".yaml", ".yml")


@dataclass(frozen=True)
class Retries:
    """How often what fails for a moment is tried, and the first pause between, in seconds."""

    attempts: int = 4
    wait_s: float = 0.5


@dataclass(frozen=True, kw_only=True)
class Store:
    """A place by its `url`, which shows no secrets. Paths are relative, with `/`, and portable."""

    url: str
    fs: Any
    root: str
    local: bool
    retries: Retries = Retries()

    def below(self, folder: str) -> Store:
        """The place of that name in this one."""
        _checked(folder)
        return Store(
            url=f"{self.url}/{folder}",
            fs=self.fs,
            root=f"{self.root}/{folder}",
            local=self.local,
            retries=self.retries,
        )

    def probe(self) -> None:
        """Raises UsageError (storage_not_writable) where nothing can be written. Leaves nothing behind."""
        made: list[Path] = self._missing()
        name = f"{_STAGING}{secrets.token_hex(8)}"
        try:
            self.put(name, b"a probe\n")
            self.delete(name)
        except StorageError as error:
            hint = "name another artifacts.output_dir, or mend its permissions"
            raise UsageError(error.message, code="storage_not_writable", hint=hint) from error
        finally:
            for folder in reversed(made):
                with suppress(OSError):
                    folder.rmdir()

    def put(self, path: str, data: bytes | Path) -> None:
        """Write it, whole or not at all. Raises StorageError."""
        place = self._place(path)
        content = data.read_bytes() if isinstance(data, Path) else data
        self._try(f"write {path}", lambda: self._write(place, content))

    def get(self, path: str) -> bytes:
        """Raises StorageError, also where there is no such thing."""
        place = self._place(path)
        found: bytes = self._try(f"read {path}", lambda: self.fs.cat_file(place))
        return found

    def exists(self, path: str) -> bool:
        place = self._place(path)
        return bool(self._try(f"look for {path}", lambda: self._is_file(place)))

    def delete(self, path: str) -> None:
        place = self._place(path)
        self._try(f"remove {path}", lambda: self.fs.rm_file(place))

    def paths(self) -> tuple[str, ...]:
        """The paths of all files, sorted; half-written ones are none."""
        self.fs.invalidate_cache()
        prefix = f"{self.root.rstrip('/')}/"
        found = self._try("list it", lambda: self.fs.find(self.root) if self.fs.exists(self.root) else [])
        paths = (str(each).removeprefix(prefix) for each in found)
        return tuple(sorted(path for path in paths if not path.rpartition("/")[2].startswith(_STAGING)))

    def _place(self, path: str) -> str:
        return f"{self.root.rstrip('/')}/{_checked(path)}"

    def _is_file(self, place: str) -> bool:
        self.fs.invalidate_cache()
        return bool(self.fs.isfile(place))

    def _write(self, place: str, content: bytes) -> None:
        if not self.local:
            if self.fs.protocol in ("memory", ("memory",)):
                self.fs.makedirs(place.rpartition("/")[0], exist_ok=True)
            self.fs.pipe_file(place, content)
            return
        target = Path(place)
        target.parent.mkdir(parents=True, exist_ok=True)
        half = target.with_name(f"{_STAGING}{secrets.token_hex(8)}")
        try:
            with half.open("xb") as file:
                file.write(content)
                file.flush()
                os.fsync(file.fileno())
            half.replace(target)
        finally:
            half.unlink(missing_ok=True)

    def _missing(self) -> list[Path]:
        """The folders that a write would make, outermost first: a probe removes them again."""
        if not self.local:
            return []
        places = [Path(self.root), *Path(self.root).parents]
        return [place for place in reversed(places) if not place.exists()]

    def _try(self, what: str, act: Callable[[], T]) -> T:
        again = tenacity.Retrying(
            stop=tenacity.stop_after_attempt(self.retries.attempts),
            wait=tenacity.wait_exponential(multiplier=self.retries.wait_s, max=20),
            retry=tenacity.retry_if_exception(_is_temporary),
            reraise=True,
        )
        try:
            return again(act)
        except Exception as error:
            msg = f"{self.url}: could not {what}: {_said(error)}"
            raise StorageError(
                msg, code="storage_failed", hint="the same command goes on once that is mended"
            ) from error


def open_store(url: str, settings: Storage, *, base: Path, retries: Retries = Retries()) -> Store:
    """The place that a URL or a path means; a relative path is below `base`. Nothing is made or asked yet.

    Raises UsageError: storage_scheme_not_allowed, fsspec_driver_missing, credentials_in_url, storage_path_invalid,
    storage_root_not_allowed.
    """
    _check_secrets(url)
    schemes = [part.partition("://")[0] for part in url.split("::")] if "://" in url else ["file"]
    for scheme in schemes:
        if scheme not in settings.schemes:
            msg = f"{url}: artifacts may not go to {scheme}://"
            hint = f"allowed are {', '.join(settings.schemes)}; [storage] schemes in agentics.toml says so"
            raise UsageError(msg, code="storage_scheme_not_allowed", hint=hint)
    full = url if "://" in url else os.path.abspath(base / Path(url).expanduser())  # noqa: PTH100 - keeps links
    if not url.strip() or ".." in re.split(r"[/\\]", url):
        msg = f"{url!r}: a place has a name, and no '..' in it"
        raise UsageError(msg, code="storage_path_invalid")
    _check_roots(full, settings, base)
    fs, root = _driver(full, schemes[-1])
    local = schemes == ["file"]
    return Store(
        url=full.removeprefix("file://").rstrip("/"), fs=fs, root=root.rstrip("/"), local=local, retries=retries
    )


def publish(store: Store, files: Mapping[str, bytes | Path], last: str) -> tuple[str, ...]:
    """Write files, `last` at the end: its presence says that all are there. What was written.

    What is there already with the same content is left alone, so that a publication which stopped half-way is
    completed. Raises Refused (storage_conflict) when `last` is there with another content, and StorageError.
    """
    if store.exists(last) and store.get(last) != _content(files[last]):
        msg = f"{store.url}: {last} is there already, and is not what would be written"
        raise Refused(msg, code="storage_conflict", hint="name another artifacts.output_dir, or remove it")
    written = []
    for path in [*(path for path in files if path != last), last]:
        content = _content(files[path])
        if not store.exists(path) or store.get(path) != content:
            store.put(path, content)
            written.append(path)
    return tuple(written)


def read_folder(url: str, settings: Storage, *, base: Path) -> dict[str, bytes]:
    """Names and contents of the documents directly in a folder: JSON, TOML and YAML of at most 1 MiB each."""
    store = open_store(url, settings, base=base)
    names = [path for path in store.paths() if "/" not in path and path.endswith(_DOCUMENTS)]
    found = {name: store.get(name) for name in names}
    large = [name for name, data in found.items() if len(data) > _MOST_BYTES]
    if large:
        msg = f"{store.url}/{large[0]}: more than 1 MiB"
        raise UsageError(msg, code="document_too_large")
    return found


def _content(data: bytes | Path) -> bytes:
    return data.read_bytes() if isinstance(data, Path) else data


def _checked(path: str) -> str:
    parts = path.split("/")
    if any(_PART.fullmatch(part) is None or part in (".", "..") for part in parts):
        msg = f"{path!r} is no portable relative path"
        raise UsageError(msg, code="storage_path_invalid")
    return path


def _check_secrets(url: str) -> None:
    for part in url.split("::"):
        found = urlsplit(part) if "://" in part else None
        if found is None:
            continue
        named = [name for name, _ in parse_qsl(found.query, keep_blank_values=True) if _SECRET.search(name)]
        if "@" in found.netloc or named:
            where = f"?{named[0]}=" if named else "user:password@"
            msg = f"a {found.scheme}:// URL holds credentials ({where})"
            raise UsageError(msg, code="credentials_in_url", hint="give them in the environment of the process")


def _check_roots(full: str, settings: Storage, base: Path) -> None:
    if not settings.roots:
        return
    roots = [root if "://" in root else os.path.abspath(base / root) for root in settings.roots]  # noqa: PTH100
    if not any(full == root.rstrip("/") or full.startswith(f"{root.rstrip('/')}/") for root in roots):
        msg = f"{full}: artifacts may not go there"
        hint = f"[storage] roots in agentics.toml allows {', '.join(settings.roots)}"
        raise UsageError(msg, code="storage_root_not_allowed", hint=hint)


def _driver(full: str, scheme: str) -> tuple[Any, str]:
    from fsspec.core import url_to_fs  # noqa: PLC0415 - 0.05 s, and most commands store nothing

    try:
        fs, root = url_to_fs(full)
    except (ImportError, ValueError) as error:
        package = _DRIVERS.get(scheme)
        msg = f"{full}: no driver for {scheme}:// is installed"
        hint = f"pip install {package}" if package else "fsspec knows none: name a folder, or another URL"
        raise UsageError(msg, code="fsspec_driver_missing", hint=hint) from error
    return fs, str(root)


def _is_temporary(error: BaseException) -> bool:
    if isinstance(error, _TEMPORARY) or type(error).__name__ in _TEMPORARY_NAMES:
        return True
    return isinstance(error, OSError) and error.strerror is None and _BUSY.search(str(error)) is not None


def _said(error: Exception) -> str:
    text = getattr(error, "strerror", None) or str(error) or type(error).__name__
    return f"{type(error).__name__}: {text}"[:500]
