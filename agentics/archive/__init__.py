"""Hostile ZIPs in, clean ZIPs out, and directories that may change under the reader."""

from agentics.archive.solution import SolutionPackage, extract, read_solution

__all__ = ["SolutionPackage", "extract", "read_solution"]
