"""When to stop asking a hub that does not answer.

`huggingface_hub` asks six times within 23 seconds, for each file. Here an order asks three times within three seconds,
and then goes on as without a network: with what the cache has.
"""

from __future__ import annotations

import threading
from pathlib import Path
from typing import Any

_TRIES = 3
_BROKEN = frozenset({500, 502, 503, 504})
"""The answers after which `huggingface_hub` asks again."""


class _Order:
    """What the hub did during one order. `tries`: requests in a row that may fail, in one thread."""

    def __init__(self, tries: int) -> None:
        self.tries = tries
        self.failed: dict[int, int] = {}
        self.trouble: str | None = None

    def note(self, trouble: str | None) -> None:
        """The end of a request: None where it was answered."""
        thread = threading.get_ident()
        self.failed[thread] = 0 if trouble is None else self.failed.get(thread, 0) + 1
        if self.failed[thread] >= self.tries:
            self.trouble = trouble


_order = _Order(_TRIES)


def begin() -> None:
    """Another order: the hub may be back. One that was away is asked once only."""
    global _order  # noqa: PLW0603 - of the process, as Hugging Face's sessions are
    _order = _Order(1 if _order.trouble else _TRIES)


def trouble() -> str | None:
    """What the hub did when this order stopped asking it; None while it is asked."""
    return _order.trouble


def cache() -> Path:
    """Where `huggingface_hub` keeps what it took: below HF_HOME, unless HF_HUB_CACHE says otherwise."""
    import huggingface_hub  # noqa: PLC0415 - the worker's

    return Path(huggingface_hub.constants.HF_HUB_CACHE)


def install() -> None:
    """Let all requests of `huggingface_hub` to the hub be watched, in this process. Other hosts are no hub: `datasets`
    asks a server of statistics, too, and goes on without it."""
    import huggingface_hub  # noqa: PLC0415 - the worker's
    import requests  # noqa: PLC0415 - as above
    from requests.adapters import HTTPAdapter  # noqa: PLC0415 - as above

    class Adapter(HTTPAdapter):
        def send(self, request: Any, *args: Any, **kwargs: Any) -> Any:  # noqa: ANN401 - requests' own
            self._check(request)
            try:
                answer = super().send(request, *args, **kwargs)
            except (requests.ConnectionError, requests.Timeout):
                _order.note("could not be reached")
                self._check(request)
                raise
            _order.note(f"answered {answer.status_code}" if answer.status_code in _BROKEN else None)
            self._check(request)
            return answer

        def _check(self, request: Any) -> None:  # noqa: ANN401
            if _order.trouble is not None:
                msg = f"Cannot reach {request.url}: the hub {_order.trouble}"
                raise huggingface_hub.errors.OfflineModeIsEnabled(msg)

    def session() -> Any:  # noqa: ANN401
        made = requests.Session()
        made.mount(huggingface_hub.constants.ENDPOINT, Adapter())
        return made

    huggingface_hub.configure_http_backend(session)
