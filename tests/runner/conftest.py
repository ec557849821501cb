"""A user's folder, and an engine without containers."""

from tests.runner.joblab import jobs
from tests.runner.lab import lab
from tests.runner.networklab import desk

__all__ = ["desk", "jobs", "lab"]
from tests.runner.setuplab import made

__all__ = ["jobs", "lab", "made"]
