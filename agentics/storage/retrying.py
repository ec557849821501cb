"""Which failures of a driver pass by themselves, how often they are waited for, and what is said of the others."""

from __future__ import annotations

import os
from collections.abc import Callable
from dataclasses import dataclass
from typing import TypeVar

import tenacity

from agentics.policy.publish.redact import Redactor, secrets_in

T = TypeVar("T")

_LONGEST_WAIT_S = 20
_MOST_SAID = 500
_TOO_MANY, _SERVER, _NOT_IMPLEMENTED = 429, 500, 501
_KINDS = frozenset(
    {"ConnectionError", "HTTPClientError", "ClientConnectionError", "ServiceRequestError", "ServiceResponseError"}
)
"""Drivers raise what the client libraries of botocore, aiohttp, requests and Azure do, none of which we import."""
_CODES = frozenset(
    {"SlowDown", "ServiceUnavailable", "InternalError", "RequestTimeout", "Throttling", "OperationAborted"}
)


@dataclass(frozen=True)
class Retries:
    """How often what fails for a moment is tried, and the first pause between, in seconds; it doubles."""

    attempts: int = 4
    wait_s: float = 0.5


PATIENT = Retries()


def trying(act: Callable[[], T], retries: Retries) -> T:
    """What `act` returns; its last exception where it failed as often as that, or for good."""
    again = tenacity.Retrying(
        stop=tenacity.stop_after_attempt(retries.attempts),
        wait=tenacity.wait_exponential(multiplier=retries.wait_s, max=_LONGEST_WAIT_S),
        retry=tenacity.retry_if_exception(is_temporary),
        reraise=True,
    )
    return again(act)


def is_temporary(error: BaseException) -> bool:
    """No connection, a server that is busy or broken. A refusal, a missing bucket, a full disk: not."""
    if isinstance(error, ConnectionError | TimeoutError):
        return True
    # s3fs turns an answer into an OSError; the answer is its cause.
    for one in (error, error.__cause__):
        status, code = _answer(one)
        if code in _CODES or status == _TOO_MANY or (status >= _SERVER and status != _NOT_IMPLEMENTED):
            return True
        if one is not None and _KINDS.intersection(kind.__name__ for kind in type(one).__mro__):
            return True
    return False


def said(error: BaseException) -> str:
    """What failed, in one line without secrets: a server's message may repeat what it was sent."""
    text = getattr(error, "strerror", None) or str(error)
    shown = Redactor(secrets_in((), os.environ)).text(f"{type(error).__name__}: {text}" if text else "")
    return (shown or type(error).__name__)[:_MOST_SAID]


def _answer(error: BaseException | None) -> tuple[int, str]:
    """The HTTP status and the error code of a server's answer; 0 and nothing where there was none."""
    response = getattr(error, "response", None)
    if isinstance(response, dict):
        status = response.get("ResponseMetadata", {}).get("HTTPStatusCode", 0)
        return int(status), str(response.get("Error", {}).get("Code", ""))
    found = [getattr(error, name, None) for name in ("status", "status_code", "code")]
    return next((value for value in found if isinstance(value, int)), 0), ""
