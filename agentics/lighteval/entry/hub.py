"""What was taken from the Hugging Face Hub: by which commit, and why it could not be had.

Hugging Face's packages keep the commit of each branch that they asked for in `hub/<repository>/refs/<branch>` of their
cache. They go on with the cache where the hub does not answer.
"""

from __future__ import annotations

import os
import re
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from agentics.lighteval.entry.emit import OrderError
from agentics.lighteval.entry.hiding import first

_MAIN = "main"
_COMMIT = re.compile(r"[0-9a-f]{40}")
_OFFLINE = "OfflineModeIsEnabled"
_REFUSED = frozenset({"GatedRepoError"})
_ABSENT = frozenset({"RepositoryNotFoundError", "RevisionNotFoundError", "DatasetNotFoundError", "HFValidationError"})
_UNREACHED = frozenset({"ConnectionError", "ConnectTimeout", "ReadTimeout", "ProxyError", "SSLError", "MaxRetryError"})
_UNAUTHORIZED, _FORBIDDEN, _TOO_MANY, _BROKEN = 401, 403, 429, 500


def model_commit(backend: Mapping[str, Any]) -> str | None:
    """The commit of the checkpoint that a backend has just loaded from the hub; None where it is from a folder, and
    where the cache does not say."""
    home = os.environ.get("HF_HOME")
    if backend["type"] not in ("accelerate", "vllm") or backend["model_path"] or home is None:
        return None
    revision = str(backend["revision"] or _MAIN)
    refs = Path(home, "hub", f"models--{backend['model_name'].replace('/', '--')}", "refs")
    try:
        found = (refs / revision).read_text(encoding="utf-8").strip()
    except OSError:
        found = revision  # a commit is its own name, and has no file there
    return found if _COMMIT.fullmatch(found) else None


def why_not(name: str, error: BaseException) -> OrderError | None:
    """The error of an order where the hub is the reason; None where the worker has no network, or it is another one."""
    causes = list(_causes(error))
    kinds = {type(one).__name__ for one in causes}
    if os.environ.get("HF_HUB_OFFLINE") == "1" or _OFFLINE in kinds or _OFFLINE in str(error):
        return None
    answers = [getattr(getattr(one, "response", None), "status_code", None) for one in causes]
    status = next((answer for answer in answers if isinstance(answer, int)), 0)
    where = os.environ.get("HF_ENDPOINT", "https://huggingface.co")
    if kinds & _REFUSED or (status in (_UNAUTHORIZED, _FORBIDDEN) and not kinds & _ABSENT):
        hint = "accept its terms on the hub, and name a variable HF_TOKEN with a token of yours in secret_refs"
        msg = first(f"{name}: {where} refuses it to this user", 1000)
        return OrderError(msg, "mapping", "hub_refused", hint=hint)
    if status == _TOO_MANY or status >= _BROKEN or (not status and kinds & _UNREACHED):
        said = f"answered {status}" if status else "could not be reached"
        msg = first(f"{name}: {where} {said}, and the cache lacks it: {error}", 1000)
        return OrderError(msg, "internal", "hub_unreachable")
    if kinds & _ABSENT:
        hint = "check the name and the revision; a private repository needs a variable HF_TOKEN in secret_refs"
        msg = first(f"{name}: {where} has no such repository or revision", 1000)
        return OrderError(msg, "mapping", "hub_not_found", hint=hint)
    return None


def _causes(error: BaseException) -> Iterator[BaseException]:
    """The error, and what led to it."""
    seen: set[int] = set()
    found: BaseException | None = error
    while found is not None and id(found) not in seen:
        seen.add(id(found))
        yield found
        found = found.__cause__ or found.__context__
