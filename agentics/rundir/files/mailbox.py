"""How a controller and the living runner of a run speak: a request file, and a response file beside it.

Only the runner changes states; a controller asks, and waits for the answer. Both are files, so that whoever looks later
sees what was asked, by whom, and what came of it.
"""

from __future__ import annotations

import stat
import time
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

from agentics.errors import StorageError
from agentics.model.run.control import ControlRequest, ControlResponse
from agentics.rundir.files.atomic import make_directory, read_document, storing, utc_now, write_document
from agentics.rundir.files.layout import Layout

RUNNER_ENDED = "runner_ended"
"""The code of the answer to a request that was made of an earlier process of the run: ask again."""
_LOOK_S = 0.05
_MOST_BYTES = 64 << 10
_REQUEST, _RESPONSE = ".request.json", ".response.json"


def ask(
    layout: Layout, request: ControlRequest, *, patience_s: float, alive: Callable[[], bool]
) -> ControlResponse | None:
    """The runner's answer; None when the runner is not `alive` any more. Raises TimeoutError when it lives and does not
    answer in time."""
    make_directory(layout.requests)
    path = _path(layout, request.operation_id, _REQUEST)
    write_document(path, request)
    with storing(path):
        path.chmod(0o644)  # the runner may be another user than root; `runtime` is nobody else's
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
    raise TimeoutError


def pending(layout: Layout) -> tuple[ControlRequest, ...]:
    """Requests without an answer: kills first, then the oldest first. What is no request is left alone."""
    found = []
    for path in layout.requests.glob(f"*{_REQUEST}"):
        # Whatever lies there under such a name (a directory, a pipe, half a document) holds up no other request.
        with suppress(StorageError, OSError):
            request = _request(layout, path)
            if request is not None:
                found.append(request)
    return tuple(sorted(found, key=lambda request: (request.action != "kill", request.requested_at)))


def dismiss(layout: Layout) -> None:
    """Answer what was asked of an earlier process with RUNNER_ENDED. For a runner that begins.

    Raises StorageError when the answer cannot be written: a request of the past must not be carried out.
    """
    for request in pending(layout):
        message = "the process that was asked had ended"
        ended = {"operation_id": request.operation_id, "code": RUNNER_ENDED, "message": message}
        answer(layout, ControlResponse.model_validate({**ended, "answered_at": utc_now()}))


def answer(layout: Layout, response: ControlResponse) -> None:
    write_document(_path(layout, response.operation_id, _RESPONSE), response)


def _request(layout: Layout, path: Path) -> ControlRequest | None:
    """The request in this file, if there is one and it has no answer. Raises StorageError and OSError."""
    name = path.name.removesuffix(_REQUEST)
    found = path.lstat()
    if not stat.S_ISREG(found.st_mode) or found.st_size > _MOST_BYTES or _path(layout, name, _RESPONSE).exists():
        return None
    request = read_document(path, ControlRequest)
    return request if request is not None and request.operation_id == name else None


def _path(layout: Layout, operation_id: str, suffix: str) -> Path:
    return layout.requests / f"{operation_id}{suffix}"
