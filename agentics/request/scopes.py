"""What the result of a trial depends on, and which slot it fills."""

from __future__ import annotations

from pydantic import JsonValue

from agentics.content import as_digest
from agentics.model.run.directory import Scope
from agentics.request.campaign import EvalRequest, SolutionPlan
from agentics.request.job import ModelPlan
from agentics.request.planned_trial import PlannedTrial
from agentics.request.trial_images import ReadyImages
from agentics.rundir.open_run import SlotKey
from agentics.stages import BUILT_IN


def trial_slot(trial: PlannedTrial) -> SlotKey:
    return (trial.variant, trial.ref, trial.slot.repl_idx)


def scope_of(trial: SolutionPlan | ModelPlan, request: EvalRequest, images: ReadyImages | None) -> Scope:
    """`images` None: they could not be had, and count for nothing."""
    if isinstance(trial, ModelPlan):
        return _scope_of_a_model(trial, images)
    task = trial.task
    return Scope(
        task=task.ref,
        bundle_digest=task.bundle_digest,
        overlay_digests=task.overlay_digests,
        solution_digest=as_digest(trial.package.sha256),
        target=task.target.name,
        mode=request.mode,
        limit=request.limit,
        images={side: image.use.id for side, image in (images or {}).items()},
        config=_config(trial, images),
    )


def _scope_of_a_model(trial: ModelPlan, images: ReadyImages | None) -> Scope:
    job, plan = trial.job, trial.plan
    return Scope(
        task=trial.ref,
        bundle_digest=job.task_digests[trial.ref],
        solution_digest=job.model_digest,
        target=plan.target,
        mode=plan.mode,
        limit=job.spec.max_samples,
        images={side: image.use.id for side, image in (images or {}).items()},
        config={"scoring": job.scoring, "comparability": job.comparability(trial.ref)},
    )


def _config(trial: SolutionPlan, images: ReadyImages | None) -> dict[str, JsonValue]:
    """What else can change the result. A plain variant's is as it was before there were bindings."""
    bound: dict[str, JsonValue] = {"bindings": dict(trial.bindings)} if trial.bindings else {}
    level: dict[str, JsonValue] = {"integration": trial.integration} if trial.integration != "cli_basic" else {}
    relaxed: dict[str, JsonValue] = {side: [*sorted(image.relaxed)] for side, image in (images or {}).items()}
    own: list[JsonValue] = [
        stage.model_dump(mode="json") for stage in trial.plan.stages if stage.name not in BUILT_IN.stages
    ]
    return {"relaxed": relaxed, **bound, **level, **({"stages": own} if own else {})}
