"""A user's folder with two tasks and two solutions, and an engine without containers."""

from __future__ import annotations

import pytest

from tests.runner.lab import lab as _lab
from tests.runner.lab import solution

lab = _lab


@pytest.fixture
def stocked(lab):
    """The lab with bundles `one` and `two` and solutions `mine` and `other`."""
    lab.bundle("one")
    lab.bundle("two")
    solution(lab.home, "other", **{"run.sh": "cat -\n"})
    return lab
