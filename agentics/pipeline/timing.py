"""The time limit of a stage. A stage that does not stop is left to itself, and whatever it still says is dropped."""

from __future__ import annotations

import threading
import time
from collections.abc import Mapping
from concurrent.futures import Future, wait
from dataclasses import replace
from typing import Any

from agentics.errors import AgenticsError, UsageError
from agentics.model.evidence.stage_record import TraceEvent
from agentics.pipeline.contract.description import needs
from agentics.pipeline.contract.stage import Cancellation, Context, Interrupted, Registered, StageFailure

LOOK_S = 0.1


class StageTimeout(AgenticsError):
    """The stage's time is over."""

    code = "stage_timeout"


def within(
    timeout_s: float | None, found: Registered, context: Context, options: Mapping[str, Any]
) -> Context | StageFailure:
    """Run a stage, for so long at most. Raises StageTimeout, Interrupted, and whatever the stage raises.

    A thread cannot be ended from outside. So a stage with a limit is asked to stop through `context.cancellation`, and
    is not waited for; and a stage that starts containers cannot have one, as nobody would answer for those.
    """
    if timeout_s is None:
        return found.stage.run(context, options)
    if "docker" in needs(found.description):
        msg = f"{found.name} starts containers, which have limits of their own: it takes no timeout_s"
        raise UsageError(msg, code="timeout_unsupported")
    over = threading.Event()
    said: Future[Context | StageFailure] = Future()
    thread = threading.Thread(
        target=_run, args=(found, _limited(context, over), options, said), name=f"stage-{found.name}", daemon=True
    )
    thread.start()
    try:
        outcome = _wait(said, context, timeout_s)
    finally:
        over.set()
    checked_later: Context | StageFailure = _unlimited(outcome, context)
    return checked_later


def _run(found: Registered, context: Context, options: Mapping[str, Any], said: Future[Context | StageFailure]) -> None:
    try:
        said.set_result(found.stage.run(context, options))
    except BaseException as error:  # noqa: BLE001 - raised again where the stage is waited for
        said.set_exception(error)


def _wait(said: Future[Context | StageFailure], context: Context, timeout_s: float) -> Context | StageFailure:
    end = time.monotonic() + timeout_s
    while True:
        left = end - time.monotonic()
        wait([said], timeout=max(0.0, min(left, LOOK_S)))
        if said.done():
            return said.result()
        if context.cancellation.is_set():
            raise Interrupted
        if left <= 0:
            msg = f"not done after {timeout_s:g} s"
            raise StageTimeout(msg)


def _limited(context: Context, over: threading.Event) -> Context:
    """For the stage's thread: it can see that its time is over, and traces nothing from then on."""
    cancellation = Cancellation((*context.cancellation.events, over))
    if context.trace is None:
        return replace(context, cancellation=cancellation)
    sink = context.trace.sink

    def in_time(event: TraceEvent) -> None:
        if not over.is_set():
            sink(event)

    return replace(context, cancellation=cancellation, trace=replace(context.trace, sink=in_time))


def _unlimited(outcome: object, before: Context) -> Any:  # noqa: ANN401 - what a stage returned: it is checked later
    """With the sink that outlives the stage, so that the loop can go on tracing."""
    if isinstance(outcome, StageFailure):
        return replace(outcome, context=_unlimited(outcome.context, before))
    if isinstance(outcome, Context) and outcome.trace is not None and before.trace is not None:
        return replace(outcome, trace=replace(outcome.trace, sink=before.trace.sink))
    return outcome
