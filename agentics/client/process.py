"""One command as a process: its lines as they come, the end of its stderr, and the response in its last line."""

from __future__ import annotations

import json
import subprocess
import threading
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import IO, Any, TypeVar

from pydantic import BaseModel, ValidationError

from agentics.client.failure import Cause, ClientError, Exited
from agentics.model.run.event import EVENT, RunnerEvent

R = TypeVar("R", bound=BaseModel)

_STDERR_BYTES = 1 << 20
_CHUNK = 1 << 16
_LAST_WORDS_S = 5.0
_EVENT_VERSION = "runner_event_v1"


class ClientProcess:
    """Started when made, and let go by `close`. Its stderr is read all the time, so it never waits for us there."""

    def __init__(self, command: Sequence[str], cwd: Path | None, environment: Mapping[str, str]) -> None:
        """Raises ClientError (spawn_failed)."""
        self.command = tuple(command)
        pipes: dict[str, Any] = {"stdin": subprocess.DEVNULL, "stdout": subprocess.PIPE, "stderr": subprocess.PIPE}
        try:
            self.popen = subprocess.Popen(self.command, cwd=cwd, env=dict(environment), **pipes)
        except OSError as error:
            message = f"{self.command[0]}: cannot be started: {error.strerror or error}"
            hint = "install agentics, or name its program: Client(binary=...) or AGENTICS_BIN"
            cause = Cause(code="spawn_failed", message=message, hint=hint)
            raise ClientError(cause, Exited(command=self.command)) from error
        self._stderr = bytearray()
        # A daemon: a run that was left to itself outlives whoever asked for it.
        self._reader = threading.Thread(target=self._read_stderr, name="stderr", daemon=True)
        self._reader.start()

    @property
    def stdout(self) -> IO[bytes]:
        if self.popen.stdout is None:
            msg = "stdout is a pipe of ours"
            raise AssertionError(msg)
        return self.popen.stdout

    def lines(self) -> Iterator[bytes]:
        """Every line of stdout that is not empty, until its end."""
        for line in self.stdout:
            if text := line.strip():
                yield text

    def event(self, line: bytes) -> RunnerEvent | None:
        """The event in the line, None where it is something else. Raises ClientError (invalid_payload)."""
        document = _json(line)
        if not isinstance(document, dict) or document.get("schema_version") != _EVENT_VERSION:
            return None
        try:
            event: RunnerEvent = EVENT.validate_python(document)
        except ValidationError as error:
            message = f"not an event that this version knows: {error}"
            raise ClientError(Cause(code="invalid_payload", message=message), Exited(command=self.command)) from error
        return event

    def response(self, line: bytes, model: type[R]) -> R:
        """Waits for the end; the response in the last line. Raises ClientError as its docstring says."""
        code = self.popen.wait()
        # Whoever the command left behind may hold its stderr open for ever.
        self._reader.join(_LAST_WORDS_S)
        exited = Exited(command=self.command, exit_code=code, stderr=self._stderr.decode(errors="replace"))
        return parse(line, exited, model)

    def close(self, *, kill: bool) -> None:
        """Read no further. What still runs goes on; with `kill` it is told to stop in good order, and waited for."""
        self.stdout.close()
        if kill and self.popen.poll() is None:
            self.popen.terminate()
            self.popen.wait()

    def _read_stderr(self) -> None:
        pipe = self.popen.stderr
        if pipe is None:
            return
        with pipe:
            while chunk := pipe.read1(_CHUNK):  # type: ignore[attr-defined]  # a BufferedReader
                self._stderr += chunk
                del self._stderr[:-_STDERR_BYTES]
        self.popen.wait()


def parse(line: bytes, exited: Exited, model: type[R]) -> R:
    """The envelope in the last line of a command's stdout, as a value or as the error that it tells of."""
    document = _json(line)
    if not isinstance(document, dict) or not isinstance(document.get("ok"), bool):
        raise ClientError(_no_envelope(line, document, exited), exited)
    error = document.get("error")
    if not document["ok"] and isinstance(error, dict) and isinstance(error.get("code"), str):
        details, hint = error.get("details"), error.get("hint")
        cause = Cause(
            code=error["code"],
            message=str(error.get("message") or error["code"]),
            hint=hint if isinstance(hint, str) else None,
            details=details if isinstance(details, dict) else {},
        )
        raise ClientError(cause, exited)
    try:
        return model.model_validate(document)
    except ValidationError as invalid:
        raise ClientError(Cause(code="invalid_payload", message=f"not the envelope: {invalid}"), exited) from invalid


def _no_envelope(line: bytes, document: Any, exited: Exited) -> Cause:  # noqa: ANN401 - anything
    if exited.exit_code:
        return Cause(code="runner_exit_nonzero", message=f"it ended with {exited.exit_code}, and without an envelope")
    if not line:
        return Cause(code="empty_payload", message="it said nothing on stdout")
    if document is None:
        return Cause(code="invalid_json", message="the last line on stdout is not JSON")
    return Cause(code="invalid_payload", message="the last line on stdout is not an envelope")


def _json(line: bytes) -> Any:  # noqa: ANN401 - anything that JSON can say
    """None for what is no JSON."""
    try:
        return json.loads(line)
    except (ValueError, RecursionError):
        return None
