"""How a controller and the living runner of a run speak: a request file, and a response file beside it.

Only the runner changes states; a controller asks, and waits for the answer. Both are files, so that whoever looks later
sees what was asked, by whom, and what came of it.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

from agentics.errors import StorageError
from agentics.model.control import ControlRequest, ControlResponse
from agentics.rundir.atomic import make_directory, read_document, write_document
from agentics.rundir.layout import Layout

_LOOK_S = 0.05
_REQUEST, _RESPONSE = ".request.json", ".response.json"


def ask(
    layout: Layout, request: ControlRequest, *, patience_s: float, alive: Callable[[], bool]
) -> ControlResponse | None:
    """The runner's answer; None when it did not come in time, or when the runner is not `alive` any more."""
    make_directory(layout.requests)
    write_document(_path(layout, request.operation_id, _REQUEST), request)
    deadline = time.monotonic() + patience_s
    while time.monotonic() < deadline:
        # In this order: a runner may answer and end between two looks.
        living = alive()
        answer = read_document(_path(layout, request.operation_id, _RESPONSE), ControlResponse)
        if answer is not None:
            return answer
        if not living:
            return None
        time.sleep(_LOOK_S)
    return None


def pending(layout: Layout) -> tuple[ControlRequest, ...]:
    """Requests without an answer, oldest first. What is no request is left alone."""
    found = []
    for path in layout.requests.glob(f"*{_REQUEST}"):
        name = path.name.removesuffix(_REQUEST)
        if not _path(layout, name, _RESPONSE).exists():
            with suppress(StorageError):
                request = read_document(path, ControlRequest)
                if request is not None and request.operation_id == name:
                    found.append(request)
    return tuple(sorted(found, key=lambda request: request.requested_at))


def answer(layout: Layout, response: ControlResponse) -> None:
    write_document(_path(layout, response.operation_id, _RESPONSE), response)


def _path(layout: Layout, operation_id: str, suffix: str) -> Path:
    return layout.requests / f"{operation_id}{suffix}"
