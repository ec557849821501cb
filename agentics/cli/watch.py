"""`agentics run watch`: follow the events of a run from anywhere, whenever it began. A watcher never writes."""

from __future__ import annotations

import time
from collections.abc import Iterator
from typing import Annotated

import typer

from agentics.cli.arguments import RunDir
from agentics.cli.console import err, one_line, print_line
from agentics.errors import AgenticsError, UsageError
from agentics.model.run.event import RunnerEvent
from agentics.rundir.files import lock
from agentics.rundir.files.event_log import EventTail
from agentics.rundir.files.layout import Layout
from agentics.rundir.files.safe_files import real

EPILOG = """
Ends when the run has finished, or when nobody works on it any more.

Exit codes: 0 ended · 1 --timeout is over · 2 there is no such run.

Examples:

  agentics run watch outputs/nightly

  agentics run watch outputs/nightly --json --from 12 --no-follow
"""
_BETWEEN_LOOKS_S = 0.1


def add(app: typer.Typer) -> None:
    app.command("watch", epilog=EPILOG)(watch)


def watch(
    run: RunDir,
    first: Annotated[int, typer.Option("--from", min=1, metavar="SEQ", help="The first event to show.")] = 1,
    follow: Annotated[bool, typer.Option(help="Wait for what is still to come.")] = True,
    wait: Annotated[bool, typer.Option("--wait", help="Wait also for the run directory.")] = False,
    timeout: Annotated[float | None, typer.Option(min=0, metavar="S", help="Give up after so many seconds.")] = None,
    json: Annotated[bool, typer.Option("--json", help="Each event as a line of JSON, as in --json-stream.")] = False,
) -> None:
    """Show the events of a run as they happen: one line each."""
    layout = Layout(real(run))
    looks = _looks(timeout)
    while not _exists(layout):
        if not wait:
            msg = f"{run}: no run directory"
            raise UsageError(msg, code="no_such_run", hint="--wait waits until there is one")
        next(looks)
    tail = EventTail(layout.events, first - 1)
    last: RunnerEvent | None = None
    while True:
        # Asked before the events are read: whatever a runner told, it told while it held the run.
        held = lock.is_held(layout.lock)
        for last in tail.read():
            if not print_line(last.model_dump_json() if json else told(last)):
                return
        if not follow or not held:
            break
        next(looks)
    if follow and last is not None and last.event != "run_finished":
        err.print("whoever worked on this run is gone, and did not say how it ended")


def told(event: RunnerEvent) -> str:
    """An event as a line for people."""
    fields = event.model_dump(mode="json", exclude={"schema_version", "seq", "ts", "run_id", "run_dir", "event"})
    facts = " ".join(f"{key}={value}" for key, value in fields.items() if value is not None)
    return one_line(f"{event.seq:>4} {event.ts} {event.event} {facts}", 2000)


def _exists(layout: Layout) -> bool:
    return layout.manifest.exists() or lock.is_held(layout.lock)


def _looks(timeout: float | None) -> Iterator[None]:
    """Waits a moment each time. Raises AgenticsError (watch_timeout) when the time is over."""
    until = None if timeout is None else time.monotonic() + timeout
    while until is None or time.monotonic() < until:
        time.sleep(_BETWEEN_LOOKS_S)
        yield
    msg = f"the run has not ended within {timeout:g} s"
    raise AgenticsError(msg, code="watch_timeout", hint="what was shown holds; --from goes on where this stopped")
