"""Piped: one session; evaluator and solution run side by side and talk over pipes that we carry and limit."""

from __future__ import annotations

from agentics.model.bundle.challenge import Piped
from agentics.model.document.record import Trust
from agentics.model.plan.trial_plan import (
    ContainerPlan,
    ManifestSource,
    PlaceMount,
    RunSession,
    StageDefinition,
)
from agentics.policy.topologies import parts

TRUST: Trust = "isolated"
ALIAS = "session-0001"
"""What the solution's side calls the session. Its name in the manifest tells the evaluator alone which one it is."""
RUN = 'mkdir -p /io/output /io/tmp; exec sh "$1"'
DIRECTION_BYTES = 256 << 20
TRANSCRIPT_BYTES = 1 << 20
GRACE_S = 2.0


def stages(request: parts.PlanRequest, execution: Piped) -> tuple[StageDefinition, ...]:
    """Raises ValueError when the challenge declares no session for this mode."""
    official = request.mode == "official"
    setup = execution.official_evaluation_setup if official else execution.validation_setup
    locator = execution.official_session if official else execution.validation_session
    if setup is None and locator is None:
        msg = f"the challenge declares no {request.mode} session"
        raise ValueError(msg)
    source = (
        ManifestSource(place="setup", file=setup.result_session_file)
        if setup
        else ManifestSource(place="challenge", file=locator or "")
    )
    session = RunSession(
        manifest=source,
        solution=_participant(request),
        evaluator=_evaluator(request, execution),
        limit_bytes=DIRECTION_BYTES,
        transcript_bytes=TRANSCRIPT_BYTES,
        grace_s=GRACE_S,
    )
    return (
        *parts.solution_phases(request),
        *parts.challenge_setup(request, setup, ("--session-file", setup.result_session_file) if setup else None),
        parts.definition("session", session),
        parts.read_result(execution.interactive_evaluator.result_file),
    )


def _participant(request: parts.PlanRequest) -> ContainerPlan:
    return parts.participant(
        request,
        argv=("sh", "-c", RUN, "agentics-piped-run", f"/workspace/{request.manifest.commands.run}"),
        env={"AGENTICS_INTERFACE": "piped_stdio"},
        stdio="pipe",
    )


def _evaluator(request: parts.PlanRequest, execution: Piped) -> ContainerPlan:
    spec = execution.interactive_evaluator
    official = request.mode == "official"
    setup = execution.official_evaluation_setup if official else execution.validation_setup
    return ContainerPlan(
        role="interactive-evaluator",
        image="evaluator",
        user="evaluator",
        argv=(
            *spec.command,
            *("--challenge-dir", "/challenge", "--session-file", "/session/session.json"),
            *("--session-input-dir", "/session/input", "--output-path", f"/output/{spec.result_file}"),
            *("--mode", request.mode, "--target", request.target.name),
        ),
        cwd="/challenge",
        env={"AGENTICS_PHASE": "interactive-evaluator", "AGENTICS_MODE": request.mode},
        mounts=parts.trusted_mounts(setup, PlaceMount(place="session", target="/session")),
        limits=parts.limits(request.target.resource_profile.evaluator.run),
        stdio="pipe",
    )
