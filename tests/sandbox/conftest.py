"""A real engine, a real image, and containers that are quick to write. Nothing here skips: no engine is a failure."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from agentics.sandbox.docker.engine import connect
from agentics.sandbox.engine import Container, Limits, Link
from agentics.sandbox.places import Scratch
from agentics.sandbox.settings import EngineSettings
from tests.sandbox.setup_store import open_store

__all__ = ["open_store"]

MIB = 1 << 20


@pytest.fixture(scope="session")
def scratch(tmp_path_factory):
    with Scratch(tmp_path_factory.mktemp("scratch")) as made:
        yield made


@pytest.fixture(scope="session")
def engine(scratch):
    with connect(scratch=scratch.plain()) as found:
        yield found


@pytest.fixture(scope="session")
def attached_engine(scratch):
    """The same engine, as if it shared no FIFO with us."""
    with connect(scratch=scratch.plain(), settings=EngineSettings(streams="attach")) as found:
        yield found


@pytest.fixture(scope="session", params=["fifo", "attach"])
def either_engine(request):
    return request.getfixturevalue("engine" if request.param == "fifo" else "attached_engine")


@pytest.fixture(scope="session")
def cpu_image(engine):
    return engine.image("agentics-base:latest", None).id


@pytest.fixture(scope="session")
def container(cpu_image):
    """A container of the shell script or the argument list given; keywords of Limits and of Container both."""

    def make(*argv: str, **more) -> Container:
        limits = {"timeout_s": 20.0, "memory_bytes": 256 * MIB, "cpu_millis": 1000, "disk_bytes": 64 * MIB}
        limits |= {name: more.pop(name) for name in list(more) if name in Limits.__dataclass_fields__}
        command = ("sh", "-c", argv[0]) if len(argv) == 1 else argv
        defaults = {"role": "run", "cwd": "/", "user": "65532:65532", "image": cpu_image}
        return Container(argv=command, limits=Limits(**limits), **{**defaults, **more})

    return make


@pytest.fixture(scope="session")
def run(engine, container):
    """Run a container to its end."""

    def through(*argv: str, **more):
        return engine.start(container(*argv, **more)).wait()

    return through


@pytest.fixture(scope="session")
def python(container):
    """A container that runs this Python text."""

    def make(text: str, **more) -> Container:
        return container("python3", "-c", text, **more)

    return make


@pytest.fixture(scope="session")
def linked(container):
    """Run two shell scripts (or argument lists) as a linked pair."""

    def through(engine, solution, evaluator, *, link: Link | None = None, **more):
        first, second = (
            container(*([one] if isinstance(one, str) else one), stdio="pipe", **more.pop(name, {}))
            for name, one in (("solution_limits", solution), ("evaluator_limits", evaluator))
        )
        return engine.run_linked(first, second, link or Link())

    return through


@pytest.fixture
def said_json():
    """What a container said, as JSON."""
    return lambda ended: json.loads(ended.log)


@pytest.fixture
def open_dir(tmp_path) -> Path:
    """A directory that a container's user may write to."""
    made = tmp_path / "open"
    made.mkdir()
    made.chmod(0o777)
    return made
