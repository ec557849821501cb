"""From a job to its plans, one for each task. Pure: what is on this machine is given as digests.

Folders get paths inside the worker that follow from their content, so that jobs can share a worker, and a plan is the
same on every machine.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from pydantic import JsonValue

from agentics.content import digest_of
from agentics.lighteval.job import CheckedJob, JobJudge, JobTask
from agentics.model.document.record import Record
from agentics.model.job.jobspec import ENDPOINTS, BackendType
from agentics.model.job.judge_template import JudgeTemplate
from agentics.model.job.plugin import PluginManifest
from agentics.model.job.stage_options import AskModel, JudgeAnswers, KeepDetails, ScoreAnswers
from agentics.model.job.worker_protocol import (
    EvaluateOrder,
    WorkerBackend,
    WorkerGeneration,
    WorkerJudge,
    WorkerPlugin,
    WorkerTask,
)
from agentics.model.plan.trial_plan import (
    ANY_PLATFORM,
    HUB_PLACE,
    ImageNeed,
    Plan,
    StageDefinition,
    WorkerMount,
    WorkerPlan,
)

IMAGE = "agentics-lighteval:latest"
_CHUNKS: Mapping[BackendType, int] = {"accelerate": 64, "vllm": 1024}
_CHUNK = 16
_PARALLEL = 4
_SHORT = 19  # sha256: and twelve digits


@dataclass(frozen=True, kw_only=True)
class Identified:
    """What a job's folders hold: the model's digest, and that of each task's data by the task's reference."""

    model: str | None
    data: Mapping[str, str]
    templates: Mapping[str, JudgeTemplate]


def plan(job: CheckedJob, task: JobTask, known: Identified, limit: int | None = None) -> Plan:
    """The plan of one task. `limit`: at most so many documents, whatever the job says."""
    judges = _judges(job, known)
    ask = _stage("ask_model", AskModel(ask=_evaluate(job, task, known, limit)))
    score = _stage("score_answers", _score(job, task, known, limit))
    details = [_stage("keep_details", KeepDetails())] if job.spec.artifacts.save_details else []
    return Plan(
        challenge_name=task.id,
        topology="model_worker",
        target=job.spec.backend.type,
        mode="validation",
        trust="model_worker",
        accelerator=None,
        gpu_count=0,
        images={"worker": ImageNeed(declared=IMAGE, platform=ANY_PLATFORM)},
        stages=(ask, *([_stage("judge_answers", judges)] if judges else []), score, *details),
        worker=_worker(job, known),
    )


def places(job: CheckedJob, known: Identified) -> dict[str, str]:
    """The path inside the worker of every folder that the job needs, by the name of its place."""
    found = {f"plugin:{each.manifest.name}": f"/plugins/{_short(each.sha256)}" for each in job.plugins}
    if job.model_path is not None and known.model is not None:
        found["model"] = f"/models/{_short(known.model)}"
    if job.hub:
        found[HUB_PLACE] = f"/hub/{hub_cache(job)}"
    found.update({f"data:{ref}": f"/data/{_short(digest)}" for ref, digest in known.data.items()})
    return found


def hub_cache(job: CheckedJob) -> str:
    """The name of the cache for what the job takes from the hub.

    Code of others runs in the worker of a job with plugins or `trust_remote_code`, and may write into its cache. So
    such a job shares its cache only with jobs of the same plugins and the same model.
    """
    backend = job.spec.backend
    trusted = backend.model_name if backend.options.get("trust_remote_code") else None
    if not job.plugins and trusted is None:
        return "common"
    plugins: list[JsonValue] = [*sorted(each.sha256 for each in job.plugins)]
    return _short(digest_of({"plugins": plugins, "model": trusted}))


def plan_digest(plans: Mapping[str, Plan]) -> str:
    """What a job does, whatever it is called and wherever its files are."""
    return digest_of({ref: each.model_dump(mode="json") for ref, each in plans.items()})


def scoring(job: CheckedJob, known: Identified) -> dict[str, JsonValue]:
    """How answers become numbers: judges with all of their settings, where there are any."""
    judges = _judges(job, known)
    config: JsonValue = judges.model_dump(mode="json") if judges else None
    return {"mode": job.spec.scoring_mode, "config": config}


def _stage(name: str, options: Record) -> StageDefinition:
    return StageDefinition(name=name, options=options.model_dump(mode="json"))


def _evaluate(job: CheckedJob, task: JobTask, known: Identified, limit: int | None) -> EvaluateOrder:
    spec, where = job.spec, places(job, known)
    params = dict(task.params)
    if task.data is not None:
        params["hf_repo"] = where[f"data:{task.ref}"]
    return EvaluateOrder(
        order=1,
        backend=_backend(job, known),
        generation=WorkerGeneration.model_validate(spec.generation.model_dump()),
        task=WorkerTask(id=task.id, fewshot=task.fewshot, params=params, modules=task.known.modules),
        plugins=tuple(
            WorkerPlugin(
                name=each.manifest.name,
                version=each.manifest.version,
                sha256=each.sha256,
                type=each.manifest.type,
                path=where[f"plugin:{each.manifest.name}"],
                module=each.manifest.module,
                provides=_provides(each.manifest),
            )
            for each in job.plugins
        ),
        max_samples=_most(job, limit),
        fewshot_seeds=spec.num_fewshot_seeds,
        chunk=_CHUNKS.get(spec.backend.type, _CHUNK),
        score=spec.scoring_mode == "deterministic",
    )


def _provides(manifest: PluginManifest) -> dict[str, tuple[str, ...]]:
    tasks = {task.name: task.metrics for task in manifest.tasks}
    return {**tasks, **dict.fromkeys((*manifest.metrics, *manifest.classes), ())}


def _most(job: CheckedJob, limit: int | None) -> int | None:
    said = [number for number in (job.spec.max_samples, limit) if number is not None]
    return min(said) if said else None


def _backend(job: CheckedJob, known: Identified) -> WorkerBackend:
    backend = job.spec.backend
    return WorkerBackend(
        type=backend.type,
        model_name=backend.model_name,
        model_path=places(job, known).get("model"),
        model_revision=revision(job, known),
        revision=backend.revision,
        system_prompt=backend.system_prompt,
        provider=backend.provider,
        base_url=backend.base_url,
        api_key_env=backend.api_key_env,
        parallel_calls_count=backend.parallel_calls_count or _PARALLEL,
        model_plugin=backend.model.plugin if backend.model else None,
        model_class=backend.model.class_name if backend.model else None,
        options=dict(backend.options),
    )


def revision(job: CheckedJob, known: Identified) -> str | None:
    """What identifies the model: the content of its folder or plugin, the revision that the job names. None behind a
    server, which does not say."""
    backend = job.spec.backend
    if backend.type == "dummy":
        return "dummy"
    own = [each.sha256 for each in job.plugins if backend.model and each.manifest.name == backend.model.plugin]
    parts = [part for part in (known.model, *own, backend.revision) if part is not None]
    return "+".join(parts) or None


def _judges(job: CheckedJob, known: Identified) -> JudgeAnswers | None:
    config = job.spec.scoring_config
    if config is None or not job.judges:
        return None
    return JudgeAnswers(
        judges=tuple(_judge(each, known.templates[each.template_id]) for each in job.judges),
        weights={each.name: each.spec.weight for each in job.judges},
        templates={each.name: known.templates[each.template_id] for each in job.judges},
        aggregation=config.aggregation,
        report_disagreement=config.report_disagreement,
        min_judges=config.min_judges or len(job.judges),
    )


def _judge(judge: JobJudge, template: JudgeTemplate) -> WorkerJudge:
    spec = judge.spec
    return WorkerJudge(
        name=judge.name,
        model=spec.judge_model_name,
        base_url=spec.base_url,
        api_key_env=spec.api_key_env,
        max_tokens=spec.max_tokens,
        temperature=spec.temperature,
        seed=spec.seed,
        messages=tuple({"role": one.role, "content": one.content} for one in template.messages),
    )


def _score(job: CheckedJob, task: JobTask, known: Identified, limit: int | None) -> ScoreAnswers:
    spec = job.spec
    return ScoreAnswers(
        task=task.id,
        fewshot=task.fewshot,
        scoring_mode=spec.scoring_mode,
        endpoint=spec.backend.type in ENDPOINTS,
        primary_metric=_primary(job, task),
        model_revision=revision(job, known),
        allow_truncated_prompts=spec.allow_truncated_prompts,
        comparability={
            "suite": job.suite.id if job.suite else None,
            "task": {"id": task.id, "fewshot": task.fewshot, "params": dict(task.params)},
            "generation": spec.generation.model_dump(mode="json"),
            "scoring": scoring(job, known),
            "max_samples": _most(job, limit),
            "fewshot_seeds": spec.num_fewshot_seeds,
            "plugins": sorted(each.sha256 for each in job.plugins if each.manifest.type != "model"),
        },
    )


def _primary(job: CheckedJob, task: JobTask) -> str | None:
    """The suite's word first, then the plugin's."""
    suite = job.suite
    own = next((each.primary_metric for each in suite.tasks if each.ref == task.ref), None) if suite else None
    return own or (suite.primary_metric if suite else None) or task.known.primary_metric


def _worker(job: CheckedJob, known: Identified) -> WorkerPlan:
    online = job.spec.backend.type in ENDPOINTS or job.hub
    own = {job.spec.backend.api_key_env} if job.spec.backend.api_key_env else set()
    judges = sorted({each.spec.api_key_env for each in job.judges if each.spec.api_key_env})
    return WorkerPlan(
        network="enabled" if online else "disabled",
        secrets=tuple(sorted(own | set(job.spec.secret_refs))),
        mounts=tuple(WorkerMount(place=name, target=target) for name, target in places(job, known).items()),
        judges=WorkerPlan(network="enabled", secrets=tuple(judges), mounts=()) if job.judges else None,
    )


def _short(digest: str) -> str:
    return digest[7:_SHORT]
