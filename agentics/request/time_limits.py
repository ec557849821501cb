"""How long a plan may take: the time limits of its stages."""

from __future__ import annotations

from agentics.model.plan.trial_plan import Plan, StageDefinition


def stage_limit_s(stage: StageDefinition) -> int | None:
    """The stage's own limit in seconds (for cases, that of one case), or None where nothing of it can run long."""
    container = stage.options.get("container") or stage.options.get("evaluator")
    return container["limits"]["timeout_sec"] if container else None


def network_access(stage: StageDefinition) -> str | None:
    """What network the stage's containers ask for: disabled, loopback or enabled; None where it has none."""
    container = stage.options.get("container") or stage.options.get("solution")
    return container["limits"]["network_access"] if container else None


def timeout_s(plan: Plan) -> int:
    """The sum over the stages, at least 1."""
    return max(1, sum(stage_limit_s(stage) or 0 for stage in plan.stages))
