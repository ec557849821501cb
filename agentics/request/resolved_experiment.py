"""The request as it was understood, and back: what is written when a run begins is enough to go on with it."""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from pydantic import JsonValue

from agentics.content import as_digest
from agentics.errors import UsageError
from agentics.model.document.json_text import pointer
from agentics.model.run.design import AdapterCommand, Design, Pruning, RetryPolicy
from agentics.model.run.experiment import (
    Adapter,
    BenchmarkPart,
    BenchmarkPolicy,
    Dataset,
    DesignPart,
    ExperimentName,
    Ext,
    JobPart,
    NamedPath,
    Policies,
    Prune,
    RequestPart,
    ResolvedExperiment,
    RetryPart,
    RuntimePart,
    RuntimePolicy,
    TaskDigests,
    Variant,
)
from agentics.model.run.experiment_file import JOBSPEC, SOLUTION
from agentics.request.campaign import Campaign, EvalRequest, solution_name
from agentics.request.job import PlannedJob
from agentics.request.time_limits import timeout_s

_ABSENT = object()


def resolved(campaign: Campaign) -> dict[str, JsonValue]:
    """resolved_experiment.json: a baseline variant and its alternatives on a list of tasks."""
    found = resolve(campaign)
    document: dict[str, JsonValue] = found.model_dump(mode="json", exclude_none=True)
    # What a variant is given may be null, and stays so.
    for variant, shown in zip(found.variants, _variants(document), strict=True):
        shown["bindings"] = dict(variant.bindings)
    return document


def resolve(campaign: Campaign) -> ResolvedExperiment:
    """As a model. What it says can be read back by `request_from`."""
    request, design = campaign.request, campaign.request.design
    digests = {trial.variant: as_digest(trial.package.sha256) for trial in campaign.solutions}
    digests |= {job.variant: job.model_digest for job in campaign.jobs}
    variants = [
        Variant(variant_id=name, bindings={**request.bindings.get(name, {}), SOLUTION: _absolute(path)})
        for given, path in request.solutions
        for name in (solution_name(given, path),)
    ]
    variants += [Variant(variant_id=job.variant, bindings={JOBSPEC: _absolute(job.file)}) for job in campaign.jobs]
    order = [*campaign.directories.values()]
    variants.sort(key=lambda one: order.index(one.variant_id))
    tasks = tuple(_task_digests(campaign))
    name = str(request.experiment.get("name") or "eval")
    return ResolvedExperiment(
        version="0.5",
        experiment=ExperimentName.model_validate({"id": name, "name": name, **request.experiment}),
        dataset=Dataset(
            path=".",
            provider="bundles" if campaign.solutions else "lighteval",
            suite_id=name,
            schema_version="1",
            split_id=request.mode,
            limit=max(1, len({task.task for task in tasks})),
        ),
        design=_design_part(design),
        baseline=variants[0],
        variant_plan=tuple(variants[1:]),
        runtime=RuntimePart(policy=RuntimePolicy(timeout_ms=_timeout_ms(campaign))),
        ext=Ext(
            tasks=tasks,
            cases=request.limit,
            solutions=digests,
            request=_request_part(request, campaign.jobs),
        ),
        **_benchmark(request.adapter),
    )


def request_from(found: ResolvedExperiment, *, output_path: Path = Path("outputs")) -> EvalRequest:
    """The request that was resolved. Raises UsageError where the experiment does not hold one."""
    said = found.ext.request
    if said is None:
        msg = "the resolved experiment does not say what was asked for (/ext/request is missing)"
        raise UsageError(msg, code="not_resumable", hint="it was written by an older version: start a new run")
    return EvalRequest(
        bundles=tuple(map(Path, said.bundles)),
        solutions=tuple(
            (v.variant_id, Path(str(v.bindings[SOLUTION]))) for v in found.variants if SOLUTION in v.bindings
        ),
        jobspecs=tuple(Path(job.path) for job in said.jobspecs),
        overlays=tuple((overlay.name, Path(overlay.path)) for overlay in said.overlays),
        target=said.target,
        mode=said.mode,
        tasks=said.tasks,
        limit=said.limit,
        output_path=output_path,
        exit_policy=said.exit_policy,
        images=tuple((pattern, local) for pattern, local in said.images),
        jobs=said.jobs,
        fail_fast=said.fail_fast,
        design=design_of(found),
        baseline=found.baseline.variant_id,
        bindings=bindings_of(found),
        integration=dict(said.integration),
        adapter=adapter_of(found),
        trial_timeout_s=said.trial_timeout_s,
        experiment=found.experiment.model_dump(exclude_none=True),
    )


def design_of(found: ResolvedExperiment) -> Design:
    part, policies = found.design, found.design.policies
    return Design(
        scheduling=policies.scheduling,
        comparison=part.comparison,
        replications=part.replications,
        random_seed=part.random_seed,
        shuffle_tasks=part.shuffle_tasks,
        max_concurrency=part.max_concurrency,
        retry=RetryPolicy.model_validate(policies.retry.model_dump()),
        pruning=Pruning.model_validate(policies.pruning.model_dump()) if policies.pruning else None,
    )


def bindings_of(found: ResolvedExperiment) -> dict[str, dict[str, JsonValue]]:
    """What each variant is given, without the path of its solution; nothing for a variant that is given nothing."""
    own = (SOLUTION, JOBSPEC)
    given = {v.variant_id: {k: x for k, x in v.bindings.items() if k not in own} for v in found.variants}
    return {name: bindings for name, bindings in given.items() if bindings}


def adapter_of(found: ResolvedExperiment) -> AdapterCommand | None:
    if found.benchmark is None:
        return None
    adapter, policy = found.benchmark.adapter, found.benchmark.policy
    return AdapterCommand(
        command=adapter.command, timeout_s=adapter.timeout_s, required_evidence=policy.required_evidence_classes
    )


def differences(one: ResolvedExperiment, other: ResolvedExperiment) -> tuple[str, ...]:
    """The JSON pointers of the fields in which two experiments differ, in the order of the document."""
    return tuple(_differing(one.model_dump(mode="json"), other.model_dump(mode="json"), ()))


def _differing(one: Any, other: Any, path: tuple[str | int, ...]) -> Iterator[str]:  # noqa: ANN401 - JSON
    match one, other:
        case dict(), dict():
            for key in dict.fromkeys([*one, *other]):
                yield from _differing(one.get(key, _ABSENT), other.get(key, _ABSENT), (*path, key))
        case list(), list() if len(one) == len(other):
            for index, (left, right) in enumerate(zip(one, other, strict=True)):
                yield from _differing(left, right, (*path, index))
        case _:
            if type(one) is not type(other) or one != other:
                yield pointer(path)


def _variants(document: dict[str, Any]) -> list[dict[str, Any]]:
    return [document["baseline"], *document.get("variant_plan", [])]


def _design_part(design: Design) -> DesignPart:
    return DesignPart(
        sanitization_profile="hermetic",
        comparison=design.comparison,
        replications=design.replications,
        random_seed=design.random_seed,
        shuffle_tasks=design.shuffle_tasks,
        max_concurrency=design.max_concurrency,
        policies=Policies(
            scheduling=design.scheduling,
            comparison=design.comparison,
            retry=RetryPart(max_attempts=design.retry.max_attempts, retry_on=design.retry.retry_on),
            pruning=Prune(max_consecutive_failures=design.pruning.max_consecutive_failures) if design.pruning else None,
        ),
    )


def _benchmark(adapter: AdapterCommand | None) -> dict[str, BenchmarkPart]:
    """The key `benchmark`, where there is an adapter: without one it is absent, not null."""
    if adapter is None:
        return {}
    policy = BenchmarkPolicy.model_validate({"required_evidence_classes": list(adapter.required_evidence)})
    said = Adapter(command=adapter.command, timeout_s=adapter.timeout_s)
    return {"benchmark": BenchmarkPart(policy=policy, adapter=said)}


def _timeout_ms(campaign: Campaign) -> int:
    if campaign.request.trial_timeout_s is not None:
        return max(1, round(campaign.request.trial_timeout_s * 1000))
    return max(timeout_s(trial.plan) for trial in campaign.trials) * 1000


def _task_digests(campaign: Campaign) -> Iterator[TaskDigests]:
    """Of every task, in the tasks' order; of a model's task, what it is under each job."""
    seen: dict[tuple[str, str], TaskDigests] = {}
    for trial in campaign.solutions:
        task = trial.task
        seen[trial.ref, ""] = TaskDigests(
            task=trial.ref, bundle_digest=task.bundle_digest, overlay_digests=task.overlay_digests
        )
    for job in campaign.jobs:
        for ref, digest in job.task_digests.items():
            seen[ref, digest] = TaskDigests(task=ref, bundle_digest=digest)
    yield from seen.values()


def _request_part(request: EvalRequest, jobs: Sequence[PlannedJob]) -> RequestPart:
    return RequestPart(
        bundles=tuple(_absolute(path) for path in request.bundles),
        jobspecs=tuple(JobPart(variant=job.variant, path=_absolute(job.file), digest=job.digest) for job in jobs),
        overlays=tuple(NamedPath(name=name, path=_absolute(path)) for name, path in request.overlays),
        target=request.target,
        mode=request.mode,
        tasks=request.tasks,
        limit=request.limit,
        images=request.images,
        jobs=request.jobs,
        exit_policy=request.exit_policy,
        fail_fast=request.fail_fast,
        integration=dict(request.integration),
        trial_timeout_s=request.trial_timeout_s,
    )


def _absolute(path: Path) -> str:
    return os.path.abspath(path)  # noqa: PTH100 - keeps links as they are
