"""What the topologies share: the phases of a solution, the challenge's setup, and limits. Exact to the byte of the
bundle contract: argument vectors, environment and mounts are what real evaluators were written against."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal

from pydantic import JsonValue

from agentics.model.bundle.challenge import Challenge, Setup, StageSpec, Target
from agentics.model.bundle.solution import SolutionManifest
from agentics.model.document.record import Mode, Record
from agentics.model.document.size_caps import RESULT
from agentics.model.plan.trial_plan import (
    ChallengeSetup,
    ContainerPlan,
    ContainerStage,
    PlaceMount,
    PrepareWorkspace,
    ReadResult,
    StageDefinition,
    StageLimits,
)
from agentics.model.run.design import Integration

CONTROL = "/agentics-control"
STATE = "/agentics-state"
COOPERATION_ENV = {
    "AGENTICS_CONTROL_PATH": f"{CONTROL}/control.json",
    "AGENTICS_BINDINGS_PATH": f"{CONTROL}/bindings.json",
    "AGENTICS_EVENTS_PATH": f"{STATE}/events.jsonl",
    "AGENTICS_CHECKPOINTS_DIR": f"{STATE}/checkpoints",
}
COOPERATION_MOUNTS = (
    PlaceMount(place="control", target=CONTROL),
    PlaceMount(place="state", target=STATE, writable=True),
)
CHECKPOINT_ENV = {"AGENTICS_CHECKPOINT_DIR": f"{CONTROL}/checkpoint"}


@dataclass(frozen=True, kw_only=True)
class PlanRequest:
    """What is to be planned: one solution on one target of one challenge. `limit`: the first N cases only; `bindings`
    and `integration` are the variant's."""

    challenge: Challenge
    target: Target
    manifest: SolutionManifest
    mode: Mode
    limit: int | None = None
    bindings: Mapping[str, JsonValue] = field(default_factory=dict)
    integration: Integration = "cli_basic"

    @property
    def is_plain(self) -> bool:
        """Nothing beyond the bundle contract: the containers are exactly what that says."""
        return not self.bindings and self.integration == "cli_basic"


def definition(name: str, options: Record) -> StageDefinition:
    return StageDefinition(name=name, options=options.model_dump(mode="json"))


def limits(stage: StageSpec) -> StageLimits:
    return StageLimits(
        timeout_sec=stage.timeout_sec,
        memory_limit_mb=stage.memory_limit_mb,
        cpu_limit_millis=stage.cpu_limit_millis,
        disk_limit_mb=stage.disk_limit_mb,
        network_access=stage.network_access,
    )


def solution_phases(request: PlanRequest) -> tuple[StageDefinition, ...]:
    """Unpack, then the solution's own setup and build where it declares them: one workspace, a container each."""
    profile, commands = request.target.resource_profile, request.manifest.commands
    disk = max(profile.solution.setup.disk_limit_mb, profile.solution.build.disk_limit_mb)
    stages = [definition("prepare", PrepareWorkspace(disk_limit_mb=disk))]
    if commands.setup is not None:
        stages.append(_phase("solution_setup", "setup", commands.setup, limits(profile.solution.setup)))
    if commands.build is not None:
        stages.append(_phase("solution_build", "build", commands.build, limits(profile.solution.build)))
    return tuple(stages)


def _phase(stage: str, phase: str, script: str, within: StageLimits) -> StageDefinition:
    container = ContainerPlan(
        role="setup" if phase == "setup" else "build",
        image="solution",
        user="solution",
        argv=("sh", f"/workspace/{script}"),
        cwd="/workspace",
        env={"AGENTICS_PHASE": phase},
        mounts=(PlaceMount(place="workspace", target="/workspace", writable=True),),
        limits=within,
    )
    return definition(stage, ContainerStage(container=container))


def participant(
    request: PlanRequest,
    *,
    argv: tuple[str, ...],
    env: dict[str, str],
    mounts: tuple[PlaceMount, ...] = (),
    stdio: Literal["none", "pipe"],
) -> ContainerPlan:
    """The solution's run: its workspace read-only, and one writable place for what it is given and leaves. A variant
    that is not plain also reads what it is told, and has a place for its state."""
    within = request.target.resource_profile.solution.run
    if within is None:
        msg = f"{request.challenge.execution.mode} needs solution.run"
        raise ValueError(msg)
    return ContainerPlan(
        role="run",
        image="solution",
        user="solution",
        argv=argv,
        cwd="/workspace",
        env={
            "AGENTICS_PHASE": "run",
            **env,
            "AGENTICS_OUTPUT_DIR": "/io/output",
            "HOME": "/io",
            "TMPDIR": "/io/tmp",
            "PYTHONDONTWRITEBYTECODE": "1",
            **({} if request.is_plain else COOPERATION_ENV),
        },
        mounts=(
            PlaceMount(place="workspace", target="/workspace"),
            PlaceMount(place="io", target="/io", writable=True),
            *mounts,
            *(() if request.is_plain else COOPERATION_MOUNTS),
        ),
        limits=limits(within),
        stdio=stdio,
    )


def challenge_setup(
    request: PlanRequest,
    setup: Setup | None,
    manifest: tuple[str, str] | None = None,
    env: dict[str, str] | None = None,
) -> tuple[StageDefinition, ...]:
    """The challenge's setup for this side, if it has one. `manifest`: the flag and the file it must leave."""
    if setup is None:
        return ()
    flag = (manifest[0], f"/setup/{manifest[1]}") if manifest else ()
    container = ContainerPlan(
        role="challenge-setup",
        image="evaluator",
        user="evaluator",
        argv=(
            *setup.command,
            *("--challenge-dir", "/challenge", "--setup-dir", "/setup"),
            *("--mode", request.mode, "--target", request.target.name),
            *flag,
        ),
        cwd="/challenge",
        env={"AGENTICS_PHASE": "setup", "AGENTICS_MODE": request.mode, **(env or {})},
        mounts=(
            PlaceMount(place="challenge", target="/challenge"),
            PlaceMount(place="setup", target="/setup", writable=True),
        ),
        limits=limits(request.target.resource_profile.evaluator.setup),
    )
    options = ChallengeSetup(container=container, manifest_file=manifest[1] if manifest else None)
    return (definition("challenge_setup", options),)


def trusted_mounts(setup: Setup | None, *places: PlaceMount) -> tuple[PlaceMount, ...]:
    """What every evaluator sees: the challenge, facts on the submission, its output, and /setup if one ran."""
    return (
        PlaceMount(place="challenge", target="/challenge"),
        *places,
        PlaceMount(place="metadata", target="/metadata"),
        PlaceMount(place="output", target="/output", writable=True),
        *((PlaceMount(place="setup", target="/setup"),) if setup else ()),
    )


def read_result(result_file: str) -> StageDefinition:
    return definition("read_result", ReadResult(file=result_file, max_bytes=RESULT.bytes))
