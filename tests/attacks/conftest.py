"""The attack suite on the real engine: its quick half, run once."""

from __future__ import annotations

import pytest

from agentics import config as configuration
from agentics.attacks.catalogue import cases
from agentics.attacks.suite import attack


@pytest.fixture(scope="session")
def own_config(tmp_path_factory):
    """The shipped defaults; the suite makes its own scratch space below this one."""
    base = tmp_path_factory.getbasetemp()
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("XDG_CONFIG_HOME", str(base / "config"))
        patch.delenv("AGENTICS_CONFIG", raising=False)
        config = configuration.load(base)
    return config.model_copy(update={"sandbox": config.sandbox.model_copy(update={"scratch": base / "scratch"})})


@pytest.fixture(scope="session")
def report(own_config):
    return attack(own_config, lambda step: None, cases(full=False))
