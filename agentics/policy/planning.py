"""Compiles a challenge and a solution into a plan. Pure: the same request gives the same plan on every machine."""

from __future__ import annotations

from typing import assert_never

from agentics.model.bundle.challenge import Coexecuted, Piped, Separated
from agentics.model.document.record import Trust
from agentics.model.plan.trial_plan import ImageNeed, Plan, StageDefinition
from agentics.policy.topologies import coexecuted, piped, separated
from agentics.policy.topologies.parts import PlanRequest


def plan(request: PlanRequest) -> Plan:
    """Raises ValueError, with a sentence for people, when the challenge offers nothing to evaluate in this mode, and
    UsageError (bindings_unsupported, integration_unsupported) when its topology cannot carry what the variant has."""
    stages, trust = _stages(request)
    target, profile = request.target, request.target.resource_profile
    hardware = profile.hardware_metadata
    return Plan(
        challenge_name=request.challenge.challenge_name,
        topology=request.challenge.execution.mode,
        target=target.name,
        mode=request.mode,
        trust=trust,
        accelerator=target.accelerator,
        gpu_count=(hardware.gpu_count or 0) if target.accelerator == "gpu" and hardware else 0,
        images={
            "solution": ImageNeed(declared=profile.solution_image.reference, platform=target.docker_platform),
            "evaluator": ImageNeed(declared=profile.evaluator_image.reference, platform=target.docker_platform),
        },
        stages=stages,
        bindings=dict(request.bindings),
        integration=request.integration,
    )


def _stages(request: PlanRequest) -> tuple[tuple[StageDefinition, ...], Trust]:
    match request.challenge.execution:
        case Separated() as execution:
            return separated.stages(request, execution), separated.TRUST
        case Piped() as execution:
            return piped.stages(request, execution), piped.TRUST
        case Coexecuted() as execution:
            return coexecuted.stages(request, execution), coexecuted.TRUST
        case never:
            assert_never(never)
