"""Built-in stages: each knows one thing and can be tested alone."""

from __future__ import annotations

from collections.abc import Mapping

from agentics.pipeline.stage import Stage
from agentics.stages import cases, challenge_setup, evaluate, prepare, read_result, session
from agentics.stages.phase import Phase

_STAGES: tuple[Stage, ...] = (
    prepare,
    Phase("solution_setup"),
    Phase("solution_build"),
    challenge_setup,
    cases,
    session,
    evaluate,
    read_result,
)
BUILT_IN: Mapping[str, Stage] = {stage.name: stage for stage in _STAGES}
