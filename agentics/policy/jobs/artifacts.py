"""A finished job as LightEval would have left it, and more truthfully: its paths, its results file, its metadata. Pure.

Timestamps are UTC, and what was not measured is not there.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime

from pydantic import JsonValue

from agentics.content import digest_of
from agentics.model.evidence.trial_evidence import JobFacts
from agentics.model.evidence.verdict import Verdict
from agentics.model.job.job_result import JobResult
from agentics.model.job.jobspec import JobSpec
from agentics.model.job.judge_template import JudgeTemplate
from agentics.model.job.portable_names import portable_name, portable_path
from agentics.model.job.result_files import JobMetadata, Origin, PluginMetadata, ResultsFile, StoredFile, TaskMetadata
from agentics.model.job.suite import SuiteScore
from agentics.policy.jobs.ingestion import INGESTER
from agentics.policy.jobs.job_result import FOUR_HASHES
from agentics.policy.outcome.samples import mean

JOBSPEC, METADATA = "jobspec.json", "metadata.json"


@dataclass(frozen=True, kw_only=True)
class TaskEnd:
    """A task's trial: what was observed, and the verdict on it."""

    facts: JobFacts
    verdict: Verdict


@dataclass(frozen=True, kw_only=True)
class FinishedJob:
    """One job of a run. `tasks` by reference; timestamps as in a run's outcome; `image`: the worker's, null for a
    process; `model_revision`: of a folder of weights; `templates`: by judge; `suite_digest`: of the suite's document.
    """

    agentics_version: str
    run_id: str
    variant: str
    spec: JobSpec
    jobspec_digest: str
    plan_digest: str
    started_at: str
    ended_at: str
    tasks: Mapping[str, TaskEnd]
    image: str | None = None
    model_revision: str | None = None
    max_samples: int | None = None
    templates: Mapping[str, JudgeTemplate] | None = None
    suite: SuiteScore | None = None
    suite_digest: str | None = None

    @property
    def results(self) -> dict[str, JobResult]:
        return {ref: end.facts.result for ref, end in self.tasks.items() if end.facts.result is not None}

    @property
    def seconds(self) -> float:
        return max(0.0, (_time(self.ended_at) - _time(self.started_at)).total_seconds())


def results_path(model: str, ended_at: str) -> str:
    """Relative to the folder of the run."""
    return f"results/{portable_path(model)}/results_{_stamp(ended_at)}.json"


def details_path(model: str, ended_at: str, ref: str) -> str:
    """Of one task, by its reference. Relative to the folder of the run."""
    stamp = _stamp(ended_at)
    return f"details/{portable_path(model)}/{stamp}/details_{portable_name(ref)}_{stamp}.parquet"


def events_path(model: str, ended_at: str) -> str:
    """Of the TensorBoard event file. Relative to the folder of the run."""
    return f"tensorboard/{portable_path(model)}/events.out.tfevents.{int(_time(ended_at).timestamp())}.agentics"


def results_file(job: FinishedJob) -> ResultsFile:
    found = job.results
    rows = {**_values(found), **averages(found)}
    unmeasured = {key: tuple(name for name, value in row.items() if value is None) for key, row in rows.items()}
    return ResultsFile(
        config_general=_general(job),
        results={key: {n: value for n, value in row.items() if value is not None} for key, row in rows.items()},
        versions={ref: _config(job.tasks[ref].facts).get("version") for ref in found},
        config_tasks={ref: _config(job.tasks[ref].facts) for ref in found},
        summary_tasks={ref: _summary(result) for ref, result in found.items()},
        summary_general={"hashes": _joint_hashes(found), **_UNKNOWN},
        agentics=Origin(
            ingester_version=INGESTER,
            agentics_version=job.agentics_version,
            run_id=job.run_id,
            variant=job.variant,
            jobspec_digest=job.jobspec_digest,
            plan_digest=job.plan_digest,
            tasks=found,
            missing={ref: end.verdict.reason or "error" for ref, end in job.tasks.items() if ref not in found},
            unmeasured={key: names for key, names in unmeasured.items() if names},
            suite=job.suite,
        ),
    )


def metadata(job: FinishedJob, files: Sequence[StoredFile] = ()) -> JobMetadata:
    environment = next((end.facts.environment for end in job.tasks.values() if end.facts.environment), None)
    return JobMetadata(
        ingester_version=INGESTER,
        agentics_version=job.agentics_version,
        run_id=job.run_id,
        variant=job.variant,
        jobspec_digest=job.jobspec_digest,
        plan_digest=job.plan_digest,
        started_at=job.started_at,
        ended_at=job.ended_at,
        duration_s=job.seconds,
        model=_model(job.spec),
        model_revision=_common_revision(job),
        suite=job.spec.benchmark_pack_id,
        suite_digest=job.suite_digest,
        scoring_mode=job.spec.scoring_mode,
        templates=dict(job.templates or {}),
        plugins=tuple(
            PluginMetadata(name=plugin.name, version=plugin.version, sha256=plugin.sha256)
            for plugin in job.spec.custom_plugins
        ),
        worker_image=job.image,
        versions=environment.versions if environment else {},
        machine=environment.machine if environment else {},
        max_samples=job.max_samples,
        num_fewshot_seeds=job.spec.num_fewshot_seeds,
        tasks={ref: _task(end) for ref, end in job.tasks.items()},
        files=tuple(files),
    )


def averages(found: Mapping[str, JobResult]) -> dict[str, dict[str, float | None]]:
    """As LightEval has them: of every group of subtasks under `<group>:_average|<fewshot>`, and under `all`. Only of
    metrics that each of the tasks has: an average over some of them would say something else. None where one of the
    tasks has no value."""
    groups: dict[str, list[JobResult]] = defaultdict(list)
    for result in found.values():
        group, colon, _ = result.task.rpartition(":")
        if colon:
            groups[f"{group}:_average|{result.fewshot}"].append(result)
    several = {name: members for name, members in groups.items() if len(members) > 1}
    everything = {"all": list(found.values())} if found else {}
    return {name: _average(members) for name, members in {**several, **everything}.items()}


def _average(members: Sequence[JobResult]) -> dict[str, float | None]:
    shared = [name for name in members[0].metrics if all(name in each.metrics for each in members)]
    found: dict[str, float | None] = {}
    for name in shared:
        values = [each.metrics[name].mean for each in members]
        known = [value for value in values if value is not None]
        found[name] = mean(known) if len(known) == len(values) else None
    return found


def _values(found: Mapping[str, JobResult]) -> dict[str, dict[str, float | None]]:
    rows: dict[str, dict[str, float | None]] = {}
    for ref, result in found.items():
        row = rows[ref] = {}
        for name, metric in result.metrics.items():
            row[name] = metric.mean
            if metric.stderr is not None:
                row[f"{name}_stderr"] = metric.stderr
    return rows


def _general(job: FinishedJob) -> dict[str, JsonValue]:
    return {
        "lighteval_sha": None,
        "num_fewshot_seeds": job.spec.num_fewshot_seeds,
        "max_samples": job.max_samples,
        "job_id": job.run_id,
        "start_time": job.started_at,
        "end_time": job.ended_at,
        "total_evaluation_time_secondes": str(job.seconds),
        "model_config": _model(job.spec),
        "model_name": job.spec.backend.model_name,
    }


def _model(spec: JobSpec) -> dict[str, JsonValue]:
    """Without any place on this machine; a key is never in a JobSpec."""
    backend = spec.backend.model_dump(mode="json", exclude={"model_path", "api_key_env"})
    return {**backend, "generation_parameters": spec.generation.model_dump(mode="json")}


_UNKNOWN: Mapping[str, JsonValue] = dict.fromkeys(("truncated", "non_truncated", "padded", "non_padded"))
"""LightEval writes 0 here and never counts."""


def _config(facts: JobFacts) -> dict[str, JsonValue]:
    ready, result = facts.ready, facts.result
    if ready is None or result is None:
        return {}
    return {**ready.config, "effective_num_docs": ready.documents, "num_fewshots": result.fewshot}


def _summary(result: JobResult) -> dict[str, JsonValue]:
    cut, counts = result.ends.truncated, result.answers
    known = {} if cut is None else {"truncated": cut, "non_truncated": counts.answered + counts.empty - cut}
    return {"hashes": dict(result.hashes), **_UNKNOWN, **known}


def _joint_hashes(found: Mapping[str, JobResult]) -> dict[str, JsonValue]:
    """Of all tasks; null where one of them has none."""
    joint: dict[str, JsonValue] = {}
    for name in FOUR_HASHES:
        each = {ref: result.hashes.get(name) for ref, result in found.items()}
        joint[name] = digest_of({**each}) if each and all(each.values()) else None
    return joint


def _common_revision(job: FinishedJob) -> str | None:
    """Of all tasks. A branch on the hub can move while the job runs, so that two of its tasks differ."""
    found = {result.provenance.model_revision for result in job.results.values()} or {job.model_revision}
    return found.pop() if len(found) == 1 else None


def _task(end: TaskEnd) -> TaskMetadata:
    ready, report, result = end.facts.ready, end.facts.report, end.facts.result
    said = TaskMetadata(
        status=end.verdict.status,
        reason=end.verdict.reason,
        fault=end.verdict.fault,
        config=ready.config if ready else None,
        config_sha256=ready.config_sha256 if ready else None,
        prompt_sha256=ready.prompt_sha256 if ready else None,
        data_sha256=ready.data_sha256 if ready else None,
        data_commit=ready.data_commit if ready else None,
        generation=ready.generation if ready else None,
        documents=ready.documents if ready else None,
        seeds=tuple(seed.seed for seed in report.seeds) if report else (),
    )
    if result is None:
        return said
    shared = TaskMetadata.model_fields.keys() & JobResult.model_fields.keys() - {"documents"}
    told = {name: getattr(result, name) for name in shared}
    return said.model_copy(update={**told, "model_revision": result.provenance.model_revision})


def _stamp(timestamp: str) -> str:
    """As LightEval writes it in names, but of UTC."""
    return _time(timestamp).strftime("%Y-%m-%dT%H-%M-%S.%f")


def _time(timestamp: str) -> datetime:
    return datetime.fromisoformat(timestamp)
