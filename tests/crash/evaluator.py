"""A process that evaluates again and again, each time in a child that may be killed at one of its changes.

It reads a JSON object from each line of stdin, and answers with one: `argv` of the command; `last`: the change at which
the child is killed, or null; `told`: a file that gets a line for each change; `fake`: whether an engine without
containers answers. The answer: `status`, that of the child (negative: the signal that ended it).
"""

from __future__ import annotations

import json
import os
import sys
from contextlib import contextmanager
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[2]))

from agentics.cli.serving import end_as
from agentics.runner import run_resources
from agentics.sandbox.docker import engine as _too  # noqa: F401
from agentics.usecases import control_run
from agentics.usecases import evaluate as _imported  # noqa: F401 - before the fork, so that each child starts at once
from tests.crash.moments import Moments
from tests.fake_engine import FakeEngine, writes
from tests.runner.lab import evaluator


def serve() -> None:
    for line in sys.stdin:
        wanted = json.loads(line)
        child = os.fork()
        if child == 0:
            _evaluate(wanted)
        _, status = os.waitpid(child, 0)
        print(json.dumps({"status": os.waitstatus_to_exitcode(status)}), flush=True)


def _evaluate(wanted: dict) -> None:
    """Does not return."""
    talk = os.open("talk.log", os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o644)
    nothing = os.open(os.devnull, os.O_RDONLY)
    os.dup2(nothing, 0)
    os.dup2(talk, 1)
    os.dup2(talk, 2)
    if wanted["fake"]:
        _without_containers()
    Moments(wanted["last"], Path(wanted["told"]) if wanted["told"] else None).install()
    end_as(wanted["argv"])


def _without_containers() -> None:
    engine = FakeEngine()
    engine.behaviours["separated-evaluator"] = evaluator()
    # Nothing that was stored before: the record of the case must not be found without it.
    engine.behaviours["run"] = writes({"/io/stdout.txt": os.urandom(64)})

    @contextmanager
    def open_engine(*_):
        yield engine

    run_resources.open_engine = open_engine
    control_run.open_engine = open_engine


if __name__ == "__main__":
    serve()
