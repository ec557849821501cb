"""What a path or URL means, and whether artifacts may go there: decided from its text, before any driver is loaded."""

from __future__ import annotations

import os
import re
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import unquote, unquote_plus

from agentics.config import Storage
from agentics.errors import UsageError
from agentics.policy.publish.redact import Redactor

_CONTROL = re.compile(r"[\x00-\x1f\x7f]")
_SLIP = re.compile(r"[A-Za-z][A-Za-z0-9+.-]*:[/:]")
"""A scheme whose slashes are not two: else it would be a folder of that name."""
_QUERY = re.compile(r"[?#](?P<query>.*)", re.DOTALL)
_SECRET = re.compile(r"key|secret|token|passw|pwd|credential|sig(nature)?\b", re.IGNORECASE)
_USER = re.compile(r"(?<=://)[\w.$-]+@", re.ASCII)
_WITH_USER = frozenset({"abfs", "abfss", "sftp", "ssh"})
"""Here what stands before the `@` is a container or an account, which is no secret."""
_NO_HOST = frozenset({"file", "local", "memory"})


@dataclass(frozen=True, kw_only=True)
class Location:
    """A place that artifacts may go to. `url` shows no secret. `folder`: the folder of this machine that it is, if it
    is one. `schemes`: of the URL, outermost first where it is chained."""

    url: str
    folder: Path | None
    schemes: tuple[str, ...]


def locate(url: str, settings: Storage, base: Path) -> Location:
    """The place that a URL or a path means; a relative path is below `base`.

    Raises UsageError: credentials_in_url, storage_path_invalid, storage_scheme_not_allowed, storage_root_not_allowed.
    """
    _check_secrets(url)
    _check_text(url)
    parts = url.split("::") if "://" in url else [f"file://{_absolute(url, base)}"]
    schemes = tuple(part.partition("://")[0] for part in parts)
    _check_schemes(url, schemes, settings)
    for part in parts:
        _check_host(url, part)
    _check_roots(url, parts, settings)
    if schemes == ("file",):
        folder = Path(os.path.abspath(_folder(parts[0])))  # noqa: PTH100 - keeps links
        return Location(url=str(folder), folder=folder, schemes=schemes)
    return Location(url=url.rstrip("/") if not url.endswith("://") else url, folder=None, schemes=schemes)


def _check_secrets(url: str) -> None:
    """What our records would hide is not accepted, and neither is a query or fragment with a name like `key`."""
    if "://" not in url:
        return
    for part in url.split("::"):
        shown = _USER.sub("", part, count=1) if part.partition("://")[0] in _WITH_USER else part
        query = _QUERY.search(shown)
        if Redactor().text(shown) != shown or (query and _SECRET.search(unquote_plus(query["query"]))):
            msg = f"a {part.partition('://')[0]}:// URL holds credentials"
            raise UsageError(msg, code="credentials_in_url", hint="give them in the environment of the process")


def _check_text(url: str) -> None:
    hint = None
    if not url.strip() or _CONTROL.search(url) or not _is_unicode(url):
        what = "a place has a name, without control characters"
    elif ".." in re.split(r"[/\\]", unquote(url)):
        what = "a place has no '..' in it"
    elif "://" not in url and _SLIP.match(url):
        what, hint = "neither a URL nor a folder", f"SCHEME://…, or ./{url} where a folder is really called so"
    else:
        return
    msg = f"{url!r}: {what}"
    raise UsageError(msg, code="storage_path_invalid", hint=hint)


def _check_schemes(url: str, schemes: tuple[str, ...], settings: Storage) -> None:
    for scheme in schemes:
        if scheme not in settings.schemes:
            msg = f"{url}: artifacts may not go to {scheme}://"
            hint = f"allowed are {', '.join(settings.schemes)}; [storage] schemes in agentics.toml says so"
            raise UsageError(msg, code="storage_scheme_not_allowed", hint=hint)


def _check_host(url: str, part: str) -> None:
    scheme, located, rest = part.partition("://")
    if scheme == "file" and located and not rest.startswith("/"):
        msg, hint = f"{url}: a file:// URL has an absolute path", "file:///path, or a path without file://"
    elif scheme not in _NO_HOST and located and not rest.partition("/")[0]:
        msg, hint = f"{url}: names no bucket or host", f"{scheme}://BUCKET/PATH"
    else:
        return
    raise UsageError(msg, code="storage_path_invalid", hint=hint)


def _check_roots(url: str, parts: list[str], settings: Storage) -> None:
    """Of a chained URL everything that is a place has to lie below a root."""
    if not settings.roots:
        return
    roots = [_spelled(root) for root in settings.roots]
    for place in (_spelled(part) for part in parts if "://" in part):
        if not any(place == root or place.startswith(f"{root}/") for root in roots):
            msg = f"{url}: artifacts may not go there"
            hint = f"[storage] roots in agentics.toml allows {', '.join(settings.roots)}"
            raise UsageError(msg, code="storage_root_not_allowed", hint=hint)


def _spelled(place: str) -> str:
    """One spelling for each place: a folder's links are followed, or one of them would lead out of a root."""
    if "://" not in place or place.startswith("file://"):
        return str(Path(_folder(place)).resolve()).rstrip("/")
    return place.rstrip("/")


def _folder(place: str) -> str:
    return place.removeprefix("file://")


def _absolute(path: str, base: Path) -> Path:
    try:
        return base.absolute() / Path(path).expanduser()
    except RuntimeError as error:
        msg = f"{path!r}: {error}"
        raise UsageError(msg, code="storage_path_invalid") from error


def _is_unicode(text: str) -> bool:
    try:
        text.encode()
    except UnicodeEncodeError:
        return False
    return True
