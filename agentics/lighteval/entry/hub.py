"""What was taken from the Hugging Face Hub: by which commit, and why it could not be had.

Hugging Face's packages keep the commit of each branch that they asked for in `hub/<repository>/refs/<branch>` of their
cache. They go on with the cache where the hub does not answer.
"""

from __future__ import annotations

import errno
import os
import re
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from agentics.lighteval.entry import hubwatch
from agentics.lighteval.entry.emit import OrderError
from agentics.lighteval.entry.hiding import first

_MAIN = "main"
_COMMIT = re.compile(r"[0-9a-f]{40}")
_OFFLINE = "OfflineModeIsEnabled"
_REFUSED = frozenset({"GatedRepoError"})
_ABSENT = frozenset({"RepositoryNotFoundError", "RevisionNotFoundError", "DatasetNotFoundError", "HFValidationError"})
_UNREACHED = frozenset({"ConnectionError", "ConnectTimeout", "ReadTimeout", "ProxyError", "SSLError", "MaxRetryError"})
_UNAUTHORIZED, _FORBIDDEN, _TOO_MANY, _BROKEN = 401, 403, 429, 500
_FULL = frozenset({errno.ENOSPC, errno.EDQUOT})
_NO_ROOM = "Not enough disk space"
"""What `datasets` says before it writes anything."""
_TOKEN = "check the name and the revision; a private repository needs a variable HF_TOKEN in secret_refs"  # noqa: S105


def repository(name: str, revision: str | None) -> str:
    """Both, as one word for messages."""
    return f"{name}@{revision}" if revision else name


def model_commit(backend: Mapping[str, Any]) -> str | None:
    """The commit of the checkpoint that a backend has just loaded from the hub; None where it is from a folder, and
    where the cache does not say."""
    if backend["type"] not in ("accelerate", "vllm") or backend["model_path"]:
        return None
    return _commit("models", backend["model_name"], backend["revision"])


def data_commit(name: str, repo: str, revision: str | None, dataset: Any) -> str | None:  # noqa: ANN401 - a DatasetDict
    """The commit of a data set that has just been loaded; None where it is from a folder, and where nothing says.

    Where a revision cannot be had, for whatever reason, `datasets` takes the newest that its cache holds of the
    repository. Raises OrderError (hub_unreachable, hub_not_found) where that is another commit than the one asked for.
    """
    if Path(repo).is_dir():
        return None
    files = (Path(file["filename"]) for split in dataset.values() for file in split.cache_files)
    found = next((file.parent.name for file in files if _COMMIT.fullmatch(file.parent.name)), None)
    wanted = _commit("datasets", repo, revision)
    if found is None or found == wanted:
        return found
    about = f"{name}: {repository(repo, revision)}"
    if hubwatch.trouble() is not None:
        msg = first(f"{about}: {_where()} {hubwatch.trouble()}, and the cache has commit {found}", 1000)
        raise OrderError(msg, "internal", "hub_unreachable")
    msg = first(f"{about}: {_where()} has no such revision", 1000)
    raise OrderError(msg, "mapping", "hub_not_found", hint=_TOKEN)


def why_not(name: str, error: BaseException) -> OrderError | None:
    """The error of an order where the hub, its cache or the disk is the reason; None where it is another one, or a
    package was told to work offline."""
    causes = list(_causes(error))
    broken = _why_not_kept(name, [one for one in causes if isinstance(one, OSError)])
    if broken is not None:
        return broken
    kinds = {type(one).__name__ for one in causes}
    offline = _OFFLINE in kinds or _OFFLINE in str(error)
    if _is_offline() or (offline and hubwatch.trouble() is None):
        return None
    answers = [getattr(getattr(one, "response", None), "status_code", None) for one in causes]
    status = next((answer for answer in answers if isinstance(answer, int)), 0)
    if kinds & _REFUSED or (status in (_UNAUTHORIZED, _FORBIDDEN) and not kinds & _ABSENT):
        hint = "accept its terms on the hub, and name a variable HF_TOKEN with a token of yours in secret_refs"
        msg = first(f"{name}: {_where()} refuses it to this user", 1000)
        return OrderError(msg, "mapping", "hub_refused", hint=hint)
    unreached = offline or (not status and kinds & _UNREACHED)
    if status == _TOO_MANY or status >= _BROKEN or unreached:
        said = f"answered {status}" if status else hubwatch.trouble() or "could not be reached"
        msg = first(f"{name}: {_where()} {said}, and the cache lacks it: {error}", 1000)
        return OrderError(msg, "internal", "hub_unreachable")
    if kinds & _ABSENT:
        msg = first(f"{name}: {_where()} has no such repository or revision", 1000)
        return OrderError(msg, "mapping", "hub_not_found", hint=_TOKEN)
    return None


def _commit(kind: str, repo: str, revision: str | None) -> str | None:
    """The commit that a revision had when it was last asked for."""
    revision = revision or _MAIN
    refs = hubwatch.cache() / f"{kind}--{repo.replace('/', '--')}" / "refs"
    try:
        found = (refs / revision).read_text(encoding="utf-8").strip()
    except OSError:
        found = revision  # a commit is its own name, and has no file there
    return found if _COMMIT.fullmatch(found) else None


def _is_offline() -> bool:
    return os.environ.get("HF_HUB_OFFLINE") == "1"


def _where() -> str:
    return os.environ.get("HF_ENDPOINT", "https://huggingface.co")


def _why_not_kept(name: str, causes: list[OSError]) -> OrderError | None:
    for one in causes:
        if one.errno in _FULL or _NO_ROOM in str(one):
            hint = "make room on the disk of the worker, or of the folder of [lighteval] hub"
            return OrderError(first(f"{name}: {one}", 1000), "internal", "disk_full", hint=hint)
        if one.errno not in (None, errno.ENOENT) and _is_in_cache(one.filename):
            hint = "make the folder of [lighteval] hub writable"
            return OrderError(first(f"{name}: {one}", 1000), "internal", "hub_cache_unusable", hint=hint)
    return None


def _is_in_cache(path: object) -> bool:
    roots = [root for root in (os.environ.get("HF_HOME"), str(hubwatch.cache())) if root is not None]
    return str(path).startswith(tuple(each for root in roots for each in (root, os.path.realpath(root))))


def _causes(error: BaseException) -> Iterator[BaseException]:
    """The error, and what led to it."""
    seen: set[int] = set()
    found: BaseException | None = error
    while found is not None and id(found) not in seen:
        seen.add(id(found))
        yield found
        found = found.__cause__ or found.__context__
