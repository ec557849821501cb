"""Separated: each case in a fresh solution container, then the evaluator sees what they left, never a live solution."""

from __future__ import annotations

from agentics.model.bundle.challenge import Separated
from agentics.model.document.record import Trust
from agentics.model.plan.trial_plan import (
    ContainerPlan,
    ManifestSource,
    PlaceMount,
    RunCases,
    RunEvaluator,
    StageDefinition,
)
from agentics.policy.topologies import parts

TRUST: Trust = "isolated"
MANIFEST = "/solution-runs/agentics-runs.json"
RUN = (
    "mkdir -p /io/output /io/tmp; "
    'if [ -f /io/stdin.txt ]; then sh "$1" < /io/stdin.txt > /io/stdout.txt 2> /io/stderr.txt; '
    'else sh "$1" > /io/stdout.txt 2> /io/stderr.txt; fi'
)


def stages(request: parts.PlanRequest, execution: Separated) -> tuple[StageDefinition, ...]:
    """Raises ValueError when the challenge declares no cases for this mode."""
    official = request.mode == "official"
    setup = execution.official_evaluation_setup if official else execution.validation_setup
    locator = execution.official_runs if official else execution.validation_runs
    if setup is None and locator is None:
        msg = f"the challenge declares no {request.mode} cases"
        raise ValueError(msg)
    source = (
        ManifestSource(place="setup", file=setup.result_runs_file)
        if setup
        else ManifestSource(place="challenge", file=locator or "")
    )
    cases = RunCases(manifest=source, container=_case(request), limit=request.limit)
    evaluator = execution.separated_evaluator
    return (
        *parts.solution_phases(request),
        *parts.challenge_setup(request, setup, ("--runs-file", setup.result_runs_file) if setup else None),
        parts.definition("cases", cases),
        parts.definition(
            "evaluate",
            RunEvaluator(
                container=ContainerPlan(
                    role="separated-evaluator",
                    image="evaluator",
                    user="evaluator",
                    argv=(
                        *evaluator.command,
                        *("--challenge-dir", "/challenge", "--solution-runs-dir", "/solution-runs"),
                        *("--output-path", f"/output/{evaluator.result_file}"),
                        *("--mode", request.mode, "--runs-file", MANIFEST),
                    ),
                    cwd="/challenge",
                    env={"AGENTICS_PHASE": "separated-evaluator"},
                    mounts=parts.trusted_mounts(setup, PlaceMount(place="solution_runs", target="/solution-runs")),
                    limits=parts.limits(request.target.resource_profile.evaluator.run),
                )
            ),
        ),
        parts.read_result(evaluator.result_file),
    )


def _case(request: parts.PlanRequest) -> ContainerPlan:
    return parts.participant(
        request,
        argv=("sh", "-c", RUN, "agentics-run", f"/workspace/{request.manifest.commands.run}"),
        env={"AGENTICS_INPUT_DIR": "/io/input"},
        mounts=(PlaceMount(place="io_input", target="/io/input"),),
        stdio="none",
    )


def case_env(index: int, interface: str) -> dict[str, str]:
    """What tells one case from another: an alias that gives the case's real name away to nobody. Counts from 0."""
    return {"AGENTICS_RUN_NAME": alias(index), "AGENTICS_INTERFACE": interface}


def alias(index: int) -> str:
    return f"run-{index + 1:04d}"
