"""runtime/eval.log: what a run told while it went on, a line for each thing, for people who look later."""

from __future__ import annotations

import json
import threading
from pathlib import Path

from agentics.pipeline.progress import Observer, Progress
from agentics.rundir.files.atomic import storing, utc_now


def logged(observer: Observer, path: Path) -> Observer:
    """The observer, and a log of all it is told. Raises StorageError when the log cannot be written."""
    guard = threading.Lock()

    def tell(event: Progress) -> None:
        who = {"trial": event.trial_id, "task": event.task, "variant": event.variant}
        facts = {key: value for key, value in {**who, **event.facts}.items() if value is not None}
        line = f"{utc_now()} {event.kind} {json.dumps(facts, ensure_ascii=True, default=str)}\n"
        with guard, storing(path), path.open("a", encoding="ascii") as file:
            file.write(line)
        observer(event)

    return tell
