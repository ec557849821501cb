"""Coexecuted: the evaluator imports the solution, in one container. Weak by nature: the result carries that trust.

A supervisor of ours is the container's first process. It runs the evaluator under one user, offers to run participant
code under another, and ends every participant process before the result is read.
"""

from __future__ import annotations

from agentics.errors import UsageError
from agentics.model.bundle.challenge import Coexecuted
from agentics.model.document.record import Trust
from agentics.model.plan.trial_plan import ContainerPlan, PlaceMount, RunEvaluator, StageDefinition
from agentics.policy.topologies import parts

TRUST: Trust = "shared_container"


def stages(request: parts.PlanRequest, execution: Coexecuted) -> tuple[StageDefinition, ...]:
    """Raises UsageError for a variant that is not plain: there is no container of the solution's own to give it to."""
    _check_plain(request)
    setup = execution.official_evaluation_setup if request.mode == "official" else execution.validation_setup
    spec = execution.coexecuted_evaluator
    env = {"AGENTICS_EXECUTION_MODE": "coexecuted_benchmark"}
    evaluator = ContainerPlan(
        role="coexecuted-evaluator",
        image="evaluator",
        user="supervisor",
        argv=(
            *spec.command,
            *("--challenge-dir", "/challenge", "--workspace-dir", "/workspace"),
            *("--output-path", f"/output/{spec.result_file}"),
            *("--mode", request.mode, "--target", request.target.name),
            *(("--setup-dir", "/setup") if setup else ()),
        ),
        cwd="/challenge",
        env={
            "AGENTICS_PHASE": "coexecuted-evaluator",
            **env,
            "AGENTICS_MODE": request.mode,
            "AGENTICS_OUTPUT_DIR": "/output",
            "HOME": "/output",
            "TMPDIR": "/output/tmp",
            "PYTHONDONTWRITEBYTECODE": "1",
        },
        mounts=(
            *parts.trusted_mounts(setup, PlaceMount(place="workspace", target="/workspace")),
            PlaceMount(place="guest", target="/agentics"),
        ),
        limits=parts.limits(request.target.resource_profile.evaluator.run),
    )
    return (
        *parts.solution_phases(request),
        *parts.challenge_setup(request, setup, env=env),
        parts.definition("evaluate", RunEvaluator(container=evaluator)),
        parts.read_result(spec.result_file),
    )


def _check_plain(request: parts.PlanRequest) -> None:
    name = request.challenge.challenge_name
    hint = "coexecuted_benchmark runs the solution inside the evaluator's container"
    if request.bindings:
        msg = f"{name}: this challenge's topology cannot give a solution bindings"
        raise UsageError(msg, code="bindings_unsupported", hint=hint)
    if request.integration != "cli_basic":
        msg = f"{name}: this challenge's topology knows no integration level {request.integration!r}"
        raise UsageError(msg, code="integration_unsupported", hint=hint)
