"""The client: runs are started, followed, controlled and read from Python, through the command and the run directory.

Knows the command line, its envelopes and its events; imports nothing of what carries a run out.
"""

from agentics.client.calls import Client
from agentics.client.failure import ClientError
from agentics.client.responses import (
    ForkResponse,
    KillResponse,
    PauseResponse,
    ReplayResponse,
    Response,
    ResumeResponse,
    RunResponse,
)
from agentics.model.run.event import RunnerEvent

__all__ = [
    "Client",
    "ClientError",
    "ForkResponse",
    "KillResponse",
    "PauseResponse",
    "ReplayResponse",
    "Response",
    "ResumeResponse",
    "RunResponse",
    "RunnerEvent",
]
