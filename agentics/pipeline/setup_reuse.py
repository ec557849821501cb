"""What an attempt needs to take the product of its challenge's setup from the store, or to keep it there."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass

from agentics.policy.bundle.setups import ChallengeDigests
from agentics.sandbox.setups import SetupStore


@dataclass(frozen=True, kw_only=True)
class SetupReuse:
    """`challenge`: what the setup finds at /challenge, computed when it is asked for. `network`: a digest of the
    operator's network settings, empty without any. `waiting`: entered while the attempt waits for another one."""

    store: SetupStore
    challenge: Callable[[], ChallengeDigests]
    network: str = ""
    waiting: Callable[[], AbstractContextManager[None]] = nullcontext
