"""A user's folder, and an engine without containers."""

from tests.runner.lab import lab

__all__ = ["lab"]
