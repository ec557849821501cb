"""Evaluate challenge solutions in containers, and get a result that can be trusted."""

__version__ = "0.1.0"
