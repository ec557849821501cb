"""The Engine API calls that we use, each with a deadline, each failing as EngineError and as nothing else."""

from __future__ import annotations

import logging
import re
import socket
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from http.client import HTTPException
from types import TracebackType
from typing import Any, Self

import docker
import requests
import urllib3
from docker.errors import APIError, DockerException, ImageNotFound, NotFound
from docker.tls import TLSConfig

from agentics.errors import EngineError

# docker-py keeps a pool of this size for every URL it ever asks, so a large one is paid for with every call.
_CONNECTIONS = 8
_CONFLICT = 409
_BAD_REQUEST = 400
# The words of runc and crun for a program that is not there or cannot be executed. `exec` of an engine's own init is
# not the program's.
_NO_PROGRAM = re.compile(
    r"exec: \"(?!\S*(?:docker-init|catatonit|tini))|exec user process|executable|exec format error"
)
_STARTING = "start a container"
EngineJson = dict[str, Any]
# More calls at once than a pool holds are no news: each gets a connection, and the surplus ones are closed.
logging.getLogger("urllib3.connectionpool").setLevel(logging.ERROR)


class StartRefused(Exception):
    """The engine could not run the program that was asked for: not found, or not executable."""


class Api:
    """Thread-safe. Ids and dictionaries in and out, as the API has them; nothing is decided here."""

    def __init__(self, host: str, timeout_s: float, tls: TLSConfig | None = None) -> None:
        self.host = host
        self._timeout_s = timeout_s
        with _asking(f"reach the container engine at {host}"):
            self._client = docker.APIClient(
                base_url=host, version="auto", timeout=round(timeout_s), tls=tls or False, max_pool_size=_CONNECTIONS
            )
        # An engine is not reached through a web proxy, and looking for one costs more than the call.
        self._client.trust_env = False
        # docker-py's own wait() and attach() send and block in one step; these are the steps (absent from its stubs).
        self._raw: Any = self._client

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    @property
    def client(self) -> docker.APIClient:
        """For what concerns images only."""
        return self._client

    @property
    def version(self) -> str:
        return str(self._client.api_version)

    def close(self) -> None:
        self._client.close()

    def info(self) -> EngineJson:
        with _asking("ask the engine about itself"):
            return dict(self._client.info())

    def server_version(self) -> EngineJson:
        with _asking("ask the engine for its version"):
            return dict(self._client.version())

    def create(self, config: EngineJson, platform: str | None) -> str:
        """The id of a new container."""
        with _asking("create a container"):
            return str(self._client.create_container_from_config(config, platform=platform)["Id"])

    def expect_exit(self, container: str) -> Callable[[], int]:
        """Ask, before the start, to be told of the next exit. What comes back blocks until then: the exit code."""
        # Sent and answered before the start: otherwise a fast program could end unseen.
        url = self._raw._url("/containers/{0}/wait", container)  # noqa: SLF001
        with _asking("watch a container"):
            response = self._raw._post(  # noqa: SLF001
                url, params={"condition": "next-exit"}, stream=True, timeout=(self._timeout_s, None)
            )
            self._raw._raise_for_status(response)  # noqa: SLF001

        def block() -> int:
            with _asking("wait for a container"), response:
                return int(response.json()["StatusCode"])

        return block

    def start(self, container: str) -> None:
        """Raises StartRefused where the program, not the engine, is at fault."""
        with _asking(_STARTING):
            try:
                self._client.start(container)
            except APIError as error:
                if error.status_code == _BAD_REQUEST and is_about_the_program(str(error.explanation)):
                    raise StartRefused(str(error.explanation)) from error
                raise

    def kill(self, container: str) -> None:
        """It may just have ended by itself, or be gone."""
        with _asking("kill a container"):
            try:
                self._client.kill(container)
            except NotFound:
                return
            except APIError as error:
                if error.status_code != _CONFLICT:
                    raise

    def pause(self, container: str) -> bool:
        """Freeze it; whether it stands still now. It does not when it has ended, or is gone."""
        with _asking("pause a container"):
            try:
                self._client.pause(container)
            except APIError:
                # Engines refuse in different words, so what it is decides, and not how they said it.
                state = self._state_or_gone(container)
                if state.get("Running") and not state.get("Paused"):
                    raise
                return bool(state.get("Paused"))
            return True

    def unpause(self, container: str) -> None:
        """Fine if it is not frozen, or gone."""
        with _asking("unpause a container"):
            try:
                self._client.unpause(container)
            except APIError:
                if self._state_or_gone(container).get("Paused"):
                    raise

    def _state_or_gone(self, container: str) -> EngineJson:
        try:
            return dict(self._client.inspect_container(container)["State"])
        except NotFound:
            return {}

    def state(self, container: str) -> EngineJson:
        with _asking("inspect a container"):
            return dict(self._client.inspect_container(container)["State"])

    def remove(self, container: str) -> None:
        """Kill, and remove with its anonymous volumes; fine if somebody else does so already."""
        with _asking("remove a container"):
            try:
                self._client.remove_container(container, v=True, force=True)
            except NotFound:
                return
            except APIError as error:
                if error.status_code != _CONFLICT:
                    raise

    def containers(self, labels: Mapping[str, str | None]) -> list[EngineJson]:
        """All with these labels, running or not; a value of None means any."""
        wanted = [key if value is None else f"{key}={value}" for key, value in labels.items()]
        with _asking("list containers"):
            return list(self._client.containers(all=True, filters={"label": wanted}))

    def processor_ns(self, container: str) -> int:
        """Processor time so far, in nanoseconds."""
        with _asking("measure a container"):
            one = self._client.stats(container, stream=False, one_shot=True)
            return int(one["cpu_stats"]["cpu_usage"]["total_usage"])

    def image(self, reference: str) -> EngineJson | None:
        """None when it is not here."""
        with _asking(f"inspect image {reference}"):
            try:
                return dict(self._client.inspect_image(reference))
            except ImageNotFound:
                return None

    def pull(self, reference: str, platform: str | None) -> None:
        with _asking(f"pull image {reference}"):
            for said in self._client.pull(reference, stream=True, decode=True, platform=platform):
                if "error" in said:  # what fails after the first byte is told in the stream
                    msg = f"could not pull image {reference}: {said['error']}"
                    raise EngineError(msg, code="engine_refused")

    def attach(self, container: str, *, stdin: bool) -> socket.socket:
        """A raw two-way connection to the container's streams, in the API's frames."""
        params = {"stdout": 1, "stderr": 1, "stream": 1, "stdin": int(stdin)}
        url = self._raw._url("/containers/{0}/attach", container)  # noqa: SLF001
        headers = {"Connection": "Upgrade", "Upgrade": "tcp"}
        with _asking("attach to a container"):
            response = self._raw._post(url, headers=headers, params=params, stream=True)  # noqa: SLF001
            raw = self._raw._get_raw_response_socket(response)  # noqa: SLF001
            # attach_socket() hands out a read-only file object; the socket is behind it, and closing that one ends it.
            found = getattr(raw, "_sock", raw)
            kept = socket.socket(fileno=socket.dup(found.fileno()))
            response.close()
            kept.settimeout(None)
            return kept


def is_about_the_program(explanation: str) -> bool:
    """Whether an engine refuses to start a container because of its program.

    Docker answers 400 also for trouble of its own: it looks for the program's name, which for `sh` is in "shim", and
    for "no such file or directory" or "permission denied", which a cgroup or a pipe that is gone says, too.
    """
    return "mount" not in explanation and _NO_PROGRAM.search(explanation) is not None


@contextmanager
def _asking(what: str) -> Iterator[None]:
    """Everything that can go wrong on the way to an engine, as EngineError."""
    try:
        yield
    except NotFound as error:
        raise _error(what, error, code="engine_not_found", retryable=True) from error
    except APIError as error:
        server_side = error.status_code is None or error.status_code >= 500  # noqa: PLR2004 HTTP's own classes
        raise _error(what, error, code="engine_refused", retryable=server_side or what == _STARTING) from error
    except requests.Timeout as error:
        raise _error(what, error, code="engine_timeout", retryable=True) from error
    except (DockerException, requests.RequestException, urllib3.exceptions.HTTPError, HTTPException) as error:
        raise _error(what, error, code="engine_lost", retryable=True) from error
    except (OSError, ValueError, KeyError) as error:
        raise _error(what, error, code="engine_lost", retryable=True) from error


def _error(what: str, error: Exception, *, code: str, retryable: bool) -> EngineError:
    said = getattr(error, "explanation", None) or str(error)
    return EngineError(f"could not {what}: {said}", code=code, retryable=retryable)
