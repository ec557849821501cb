"""Asks a server for one completion, and fails loudly: a failure has a code, and only those of a moment are retried."""

from __future__ import annotations

import os
import random
import threading
import time
from collections.abc import Callable, Iterable, Mapping
from concurrent.futures import FIRST_EXCEPTION, ThreadPoolExecutor, wait
from dataclasses import dataclass, field
from typing import Any, Protocol

from agentics.lighteval.entry.hiding import first, hide

MOMENTARY = frozenset({408, 409, 425, 429, 500, 502, 503, 504, 529})
FATAL = frozenset({"unauthorized", "not_found", "secret_missing", "stopped"})
"""The next request will fail as this one did."""
DOWN = "server_down"
_CODES = {401: "unauthorized", 403: "unauthorized", 404: "not_found", 408: "timeout", 429: "rate_limited"}
_SERVER_ERROR = 500
_LONGEST_WAIT_S = 30.0
_LOOK_S = 0.05


class Stoppable(Protocol):
    def is_set(self) -> bool: ...


class Failure(Exception):
    """No answer. `retry_after` in seconds, where the server said so."""

    def __init__(self, code: str, message: str, *, status: int | None = None, retry_after: float | None = None) -> None:
        super().__init__(message)
        self.code, self.message, self.status, self.retry_after = code, message, status, retry_after

    @property
    def momentary(self) -> bool:
        return self.code in ("connection_failed", "timeout") or self.status in MOMENTARY


@dataclass(frozen=True, kw_only=True)
class Completion:
    """What a server said: a text for each sample, its reasoning apart, and the tokens it counted. `finish_reasons`: why
    each text ended, in the server's word; `refusals`: why there is no text, where the server gives a reason."""

    texts: list[str]
    reasonings: list[str | None]
    finish_reasons: list[str | None]
    refusals: list[str | None]
    usage: dict[str, int | None]


@dataclass(frozen=True, kw_only=True)
class Asked:
    """How one request ended: a completion, or an error as events have it. `latency_s`: of the last try."""

    completion: Completion | None
    error: dict[str, Any] | None
    latency_s: float


class Ask(Protocol):
    """Sends the messages and parameters once, with a key if there is one. Raises Failure, also after `timeout_s`."""

    def __call__(
        self, messages: list[dict[str, Any]], parameters: dict[str, Any], key: str | None, /, *, timeout_s: float
    ) -> Completion: ...


@dataclass(kw_only=True)
class Server:
    """A server, asked by many threads. `api_key_env` names the key, if any; `timeout_s`: of one try. `broken`: why it
    is asked no more."""

    ask: Ask
    api_key_env: str | None = None
    retries: int = 4
    pause_s: float = 0.5
    timeout_s: float = 60.0
    request_s: float = 300.0
    most_failures: int = 10
    broken: Failure | None = None
    _failures: int = 0
    _guard: threading.Lock = field(default_factory=threading.Lock)

    def begin(self, limits: Mapping[str, Any] | None) -> None:
        """Prepare for another order, with its limits. A server that refused a request is asked again; one that was down
        is not."""
        limits = limits or {}
        self.request_s = limits.get("request_s", self.request_s)
        self.most_failures = limits.get("consecutive_failures", self.most_failures)
        if self.broken is not None and self.broken.code != DOWN:
            self.broken = None

    def completion(self, messages: list[dict[str, Any]], parameters: dict[str, Any], stop: Stoppable | None) -> Asked:
        """Ask until there is an answer or no hope of one. Never raises for what a server can do."""
        last, tries = time.monotonic() + self.request_s, 0
        while True:
            began = time.monotonic()
            try:
                self._check(stop)
                found = self._ask(messages, parameters, min(self.timeout_s, last - began))
                self._count(None)
                return Asked(completion=found, error=None, latency_s=_since(began))
            except Failure as failure:
                wait_s = self._wait_s(failure, tries + 1)
                if failure.momentary and tries < self.retries and time.monotonic() + wait_s < last:
                    tries += 1
                    _pause(wait_s, stop)
                    continue
                self._count(failure)
                return Asked(completion=None, error=self._told(failure, tries), latency_s=_since(began))

    def _ask(self, messages: list[dict[str, Any]], parameters: dict[str, Any], timeout_s: float) -> Completion:
        found = self.ask(messages, parameters, self._key(), timeout_s=timeout_s)
        if len(found.texts) < parameters.get("n", 1):
            msg = "malformed_response"
            raise Failure(msg, f"{parameters['n']} samples asked, {len(found.texts)} given")
        return found

    def _count(self, failure: Failure | None) -> None:
        """How a request ended. A refusal of one request is an answer of a server that is there."""
        with self._guard:
            if failure is None or failure.code == "bad_request":
                self._failures = 0
            elif self.broken is not None or failure.code == "stopped":
                return
            elif failure.code in FATAL:
                self.broken = failure
            else:
                self._failures += 1
                if self._failures >= self.most_failures:
                    said = f"{self._failures} requests in a row failed, the last with {failure.code}: {failure.message}"
                    self.broken = Failure(DOWN, said)

    def _check(self, stop: Stoppable | None) -> None:
        if stop is not None and stop.is_set():
            msg = "stopped"
            raise Failure(msg, "told to stop before it was answered")
        if self.broken is not None:
            raise self.broken

    def _key(self) -> str | None:
        if self.api_key_env is None:
            return None
        key = os.environ.get(self.api_key_env)
        if not key:
            msg = "secret_missing"
            raise Failure(msg, f"the environment variable {self.api_key_env} is not set")
        return key

    def _wait_s(self, failure: Failure, tries: int) -> float:
        if failure.retry_after is not None:
            return min(_LONGEST_WAIT_S, failure.retry_after)
        grown: float = self.pause_s * 2 ** (tries - 1)
        return min(_LONGEST_WAIT_S, grown) * random.uniform(0.75, 1.25)  # noqa: S311 - so that not all come back at once

    def _told(self, failure: Failure, retries: int) -> dict[str, Any]:
        message = first(failure.message, 500)
        return {"code": failure.code, "message": message, "http_status": failure.status, "retries": retries}


def at_once(ask: Callable[[Any], object], items: Iterable[Any], parallel: int, stop: Stoppable) -> None:
    """Call `ask` for every item, so many at a time. Told to stop it waits for nobody. Raises what `ask` raises."""
    pool = ThreadPoolExecutor(max_workers=parallel)
    try:
        waiting = {pool.submit(ask, item) for item in items}
        while waiting and not stop.is_set():
            done, waiting = wait(waiting, timeout=_LOOK_S, return_when=FIRST_EXCEPTION)
            for each in done:
                each.result()
    finally:
        pool.shutdown(wait=False, cancel_futures=True)


def litellm_server(settings: Mapping[str, Any]) -> Server:
    """A server that litellm speaks to. `settings`: model, provider, base_url, api_key_env, timeout, retries, pause."""
    import litellm  # noqa: PLC0415 - the worker's, and two seconds

    litellm.cache = None
    litellm.suppress_debug_info = True
    litellm.drop_params = False
    name = f"{settings['provider']}/{settings['model']}" if settings.get("provider") else settings["model"]
    if settings.get("base_url") and not settings.get("provider"):
        name = f"openai/{settings['model']}"

    def ask(
        messages: list[dict[str, Any]], parameters: dict[str, Any], key: str | None, /, *, timeout_s: float
    ) -> Completion:
        try:
            said = litellm.completion(
                model=name,
                messages=messages,
                api_base=settings.get("base_url"),
                # Without one litellm would take whatever key the environment has for somebody else.
                api_key=key or ("none" if settings.get("base_url") else None),
                timeout=timeout_s,
                num_retries=0,
                max_retries=0,
                caching=False,
                **parameters,
            )
        except Exception as error:
            raise _failure(error) from error
        return _completion(said)

    return _server(ask, settings)


def providers_server(settings: Mapping[str, Any]) -> Server:
    """A server behind Hugging Face's inference providers."""
    from huggingface_hub import InferenceClient  # noqa: PLC0415 - the worker's

    def ask(
        messages: list[dict[str, Any]], parameters: dict[str, Any], key: str | None, /, *, timeout_s: float
    ) -> Completion:
        where = {"base_url": settings["base_url"]} if settings.get("base_url") else {"provider": settings["provider"]}
        client = InferenceClient(**where, api_key=key, timeout=timeout_s)
        model = None if settings.get("base_url") else settings["model"]
        try:
            said = client.chat_completion(messages=messages, model=model, **parameters)
        except Exception as error:
            raise _failure(error) from error
        return _completion(said)

    return _server(ask, settings)


def _server(ask: Ask, settings: Mapping[str, Any]) -> Server:
    return Server(
        ask=ask,
        api_key_env=settings.get("api_key_env"),
        retries=int(settings.get("retries", 4)),
        pause_s=float(settings.get("pause_s", 0.5)),
        timeout_s=float(settings.get("timeout", 60.0)),
    )


def _completion(said: Any) -> Completion:  # noqa: ANN401 - a library's response
    try:
        messages = [choice.message for choice in said.choices]
        texts = [hide(message.content or "") for message in messages]
    except (AttributeError, TypeError) as error:
        msg = "malformed_response"
        raise Failure(msg, f"the server's answer cannot be read: {error}") from error
    if not texts:
        msg = "malformed_response"
        raise Failure(msg, "the server's answer holds no choice")
    usage = getattr(said, "usage", None)
    counted = {name: getattr(usage, name, None) for name in ("prompt_tokens", "completion_tokens")}
    reasonings = [hide(str(getattr(message, "reasoning_content", None) or "")) or None for message in messages]
    return Completion(
        texts=texts,
        reasonings=reasonings,
        finish_reasons=[_word(getattr(choice, "finish_reason", None)) for choice in said.choices],
        refusals=[_refusal(message) for message in messages],
        usage=counted,
    )


def _refusal(message: Any) -> str | None:  # noqa: ANN401 - a library's
    # litellm keeps what is not its own beside the message's fields.
    more = getattr(message, "provider_specific_fields", None) or {}
    return _word(getattr(message, "refusal", None) or more.get("refusal"))


def _word(said: object) -> str | None:
    return hide(str(said)) if said else None


def _failure(error: Exception) -> Failure:
    kind, said = type(error).__name__, f"{type(error).__name__}: {error}"
    response = getattr(error, "response", None)
    status = getattr(error, "status_code", None) or getattr(response, "status_code", None)
    status = status if isinstance(status, int) else None
    if "Timeout" in kind:
        return Failure("timeout", said, status=status)
    # litellm gives a refused connection the status of a server's own error.
    if "Connection" in kind or "Connection error" in said or "Connect" in kind:
        return Failure("connection_failed", said)
    if kind in ("JSONDecodeError", "APIResponseValidationError") or _made_up(error):
        return Failure("malformed_response", said)
    code = _CODES.get(status or 0) or ("server_error" if status is None or status >= _SERVER_ERROR else "bad_request")
    return Failure(code, said, status=status, retry_after=_retry_after(response))


def _made_up(error: Exception) -> bool:
    """Whether the status is litellm's own: it says 500 of every answer that it cannot read."""
    if not type(error).__module__.startswith("litellm") or getattr(error, "status_code", None) != _SERVER_ERROR:
        return False
    chain, each = [], error.__cause__ or error.__context__
    while each is not None:
        chain.append(each)
        each = each.__cause__ or each.__context__
    return not any(hasattr(one, "response") for one in chain if not type(one).__module__.startswith("litellm"))


def _retry_after(response: Any) -> float | None:  # noqa: ANN401 - a library's response
    headers = getattr(response, "headers", None)
    said = headers.get("retry-after") if headers is not None else None
    try:
        return float(said) if said is not None else None
    except ValueError:
        return None


def _pause(seconds: float, stop: Stoppable | None) -> None:
    until = time.monotonic() + seconds
    while (left := until - time.monotonic()) > 0 and not (stop is not None and stop.is_set()):
        time.sleep(min(left, 0.05))


def _since(began: float) -> float:
    return round(time.monotonic() - began, 6)
