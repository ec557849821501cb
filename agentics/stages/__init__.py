"""Built-in stages: each knows one thing and can be tested alone."""

from __future__ import annotations

from functools import cache

from agentics.pipeline.contract.registry import Registry, installed_stages
from agentics.stages import (
    ask_model,
    cases,
    challenge_setup,
    evaluate,
    judge_answers,
    keep_details,
    prepare,
    read_result,
    score_answers,
    session,
)
from agentics.stages.generic import data_checks, guardrails, paired_tests, report, validate
from agentics.stages.phase import Phase

BUILT_IN = Registry.of(
    prepare,
    Phase("solution_setup"),
    Phase("solution_build"),
    challenge_setup,
    cases,
    session,
    evaluate,
    read_result,
    ask_model,
    judge_answers,
    score_answers,
    keep_details,
    validate,
    data_checks,
    guardrails,
    paired_tests,
    report,
)


@cache
def registry() -> Registry:
    """The built-in stages, and those that installed packages add, which are imported when they are asked for."""
    return Registry(BUILT_IN.stages, installed_stages)
