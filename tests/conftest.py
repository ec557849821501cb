"""What every test may use. Docker tests fail, never skip, where no engine answers."""

from __future__ import annotations

from pathlib import Path

import pytest

from agentics import config as configuration
from agentics.config import Config
from agentics.pipeline.progress import silent
from agentics.request.campaign import EvalRequest, compile_request
from agentics.usecases.evaluate import EndedRun, evaluate

BUNDLES = Path(__file__).parents[1] / "bundles"
SEEDS = 40
"""So many seeds of a race are tried; `--all-seeds` tries all that its test names."""

_TOGETHER = 20


def pytest_addoption(parser):
    parser.addoption("--all-seeds", action="store_true", help=f"try all seeds of races, not the first {SEEDS}")


def pytest_generate_tests(metafunc):
    """`@pytest.mark.seeds(n)`: the test runs once for every twenty of the numbers below n, and gets them as `seeds`."""
    marker = metafunc.definition.get_closest_marker("seeds")
    if marker is not None:
        count = marker.args[0] if metafunc.config.getoption("--all-seeds") else min(SEEDS, marker.args[0])
        blocks = [range(first, min(first + _TOGETHER, count)) for first in range(0, count, _TOGETHER)]
        metafunc.parametrize("seeds", blocks, ids=[f"{block.start}-{block.stop - 1}" for block in blocks])


@pytest.fixture(autouse=True)
def own_surroundings(monkeypatch, tmp_path_factory):
    """No test reads the configuration of whoever runs it, and none leaves run directories where it was started."""
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path_factory.getbasetemp() / "config"))
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path_factory.getbasetemp() / "state"))
    monkeypatch.delenv("AGENTICS_CONFIG", raising=False)


@pytest.fixture
def config(tmp_path_factory) -> Config:
    """The shipped defaults; scratch space, and what is kept of setups, are those of this session of tests."""
    config = configuration.load(BUNDLES)
    scratch = tmp_path_factory.getbasetemp() / "scratch"
    return config.model_copy(update={"sandbox": config.sandbox.model_copy(update={"scratch": scratch})})


@pytest.fixture
def evaluation(tmp_path, config):
    """Evaluate as `agentics eval` does, in this process; the run directory is below tmp_path."""

    def run(bundle: Path | str, solutions: dict[str, Path | str] | Path | str, **more) -> EndedRun:
        named = solutions if isinstance(solutions, dict) else {"solution": solutions}
        request = EvalRequest(
            bundles=tuple(Path(one) for one in (bundle if isinstance(bundle, list | tuple) else [bundle])),
            solutions=tuple((name, Path(path)) for name, path in named.items()),
            output_path=tmp_path / "outputs",
            **more,
        )
        return evaluate(compile_request(request, config), silent)

    return run
