"""Pipelines as data, for tools that write, read or check them and run nothing: importing this imports no runner."""

from __future__ import annotations

from agentics.model.plan.pipeline import (
    BackendRef,
    DatasetRef,
    Experiment,
    OutputSpec,
    Reliability,
    Statistics,
    experiment,
    problems,
    to_json,
)
from agentics.model.plan.trial_plan import StageDefinition

__all__ = [
    "BackendRef",
    "DatasetRef",
    "Experiment",
    "OutputSpec",
    "Reliability",
    "StageDefinition",
    "Statistics",
    "experiment",
    "problems",
    "to_json",
]
