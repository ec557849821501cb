"""What a job leaves for others: its artifacts, wherever the JobSpec says, once its trials have ended.

The run directory is the truth; this is a copy of what it holds, made whole or not at all, and made again at will.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from agentics import __version__
from agentics.content import digest_of, sha256_of
from agentics.errors import InvalidDocument, Refused
from agentics.model.document.parsing import parse
from agentics.model.evidence.trial_evidence import JobFacts, TrialEvidence
from agentics.model.job.result_files import JobMetadata, StoredFile
from agentics.policy.jobs.artifacts import (
    JOBSPEC,
    METADATA,
    FinishedJob,
    TaskEnd,
    details_path,
    events_path,
    metadata,
    results_file,
    results_path,
)
from agentics.policy.jobs.ingestion import Expected, ingest
from agentics.policy.verdict.decision import judge
from agentics.request.campaign import Campaign
from agentics.request.job import PlannedJob
from agentics.rundir.files.atomic import document_bytes, make_directory, write_bytes
from agentics.rundir.open_run import OpenRun
from agentics.rundir.projections.jobs import suite_score_of
from agentics.rundir.reader import RunView, read_evidence, read_run
from agentics.runner.tensorboard import event_file
from agentics.storage import Store, open_store, publish


@dataclass(frozen=True, kw_only=True)
class Published:
    """Where a job's artifacts are: the folder's URL, and the results file in it."""

    variant: str
    url: str
    results: str


def check_stores(campaign: Campaign, run_id: str) -> None:
    """Before anything is started: whether every job can leave its artifacts. Raises UsageError for a place that cannot
    be used, Refused (storage_conflict) where the artifacts of another job are."""
    for job in campaign.jobs:
        store = store_of(job, campaign)
        store.probe()
        _check_own(store.below(_folder(job, campaign, run_id)), job, run_id)


def keep_jobspecs(run: OpenRun, campaign: Campaign) -> None:
    """Each job as it was understood, pinned and with the paths of this machine: it can be submitted again."""
    for directory, job in _directories(campaign).items():
        place = run.layout.jobspec(directory)
        make_directory(place.parent)
        write_bytes(place, document_bytes(job.placed()))
        if job.checked.suite is not None:
            write_bytes(run.layout.suite(directory), document_bytes(job.checked.suite))


def publish_jobs(run: OpenRun, campaign: Campaign) -> tuple[Published, ...]:
    """The artifacts of every job all of whose trials have ended. Raises StorageError; what was left half-way has no
    results file, and the next time completes it."""
    view = read_run(run.root)
    return tuple(found for job in campaign.jobs if (found := _publish(run, view, job, campaign)) is not None)


def store_of(job: PlannedJob, campaign: Campaign) -> Store:
    """Raises UsageError for a place that cannot be or may not be."""
    return open_store(job.spec.artifacts.output_dir, campaign.config.storage, base=Path.cwd())


def _publish(run: OpenRun, view: RunView, job: PlannedJob, campaign: Campaign) -> Published | None:
    finished = _finished(view, job, campaign)
    if finished is None:
        return None
    model = job.spec.backend.model_name
    details = {
        details_path(model, finished.ended_at, ref): run.artifacts.path(end.facts.details_ref)
        for ref, end in finished.tasks.items()
        if end.facts.details_ref is not None
    }
    made = results_file(finished)
    results = document_bytes(made)
    last = results_path(model, finished.ended_at)
    files: dict[str, bytes | Path] = {**details, JOBSPEC: document_bytes(job.spec)}
    if job.spec.artifacts.tensorboard:
        files[events_path(model, finished.ended_at)] = event_file(made.results, finished.ended_at)
    stored = [_stored(path, data) for path, data in {**files, last: results}.items()]
    files[METADATA] = document_bytes(metadata(finished, stored))
    store = store_of(job, campaign).below(_folder(job, campaign, run.run_id))
    # Another run may have published there since the start.
    _check_own(store, job, run.run_id)
    publish(store, {**files, last: results}, last)
    # What cannot be read back as what it is was not published.
    expected = Expected(run_id=run.run_id, jobspec_digest=job.digest, plan_digest=job.plan_digest)
    ingest(store.get(last), expected, last)
    return Published(variant=job.variant, url=store.url, results=last)


def _folder(job: PlannedJob, campaign: Campaign, run_id: str) -> str:
    return f"{run_id}/{job.variant}" if len(campaign.jobs) > 1 else run_id


def _check_own(store: Store, job: PlannedJob, run_id: str) -> None:
    """Raises Refused where metadata.json or jobspec.json is not of this job in a run of this id."""
    if store.exists(METADATA):
        own = _is_of(store.get(METADATA), job, run_id)
        name = METADATA
    else:
        # A publication that stopped half-way left no metadata.
        own = not store.exists(JOBSPEC) or store.get(JOBSPEC) == document_bytes(job.spec)
        name = JOBSPEC
    if not own:
        msg = f"{store.url}: {name} is there already, and is not of this job"
        hint = "give the run another --run-id, or name another artifacts.output_dir"
        raise Refused(msg, code="storage_conflict", hint=hint)


def _is_of(data: bytes, job: PlannedJob, run_id: str) -> bool:
    try:
        found = parse(JobMetadata, data, METADATA)
    except InvalidDocument:
        return False
    wanted = (run_id, job.variant, job.digest, job.plan_digest)
    return (found.run_id, found.variant, found.jobspec_digest, found.plan_digest) == wanted


def _finished(view: RunView, job: PlannedJob, campaign: Campaign) -> FinishedJob | None:
    """None while a trial of it has not ended."""
    trials = {trial.ids.task_id: trial for trial in view.trials if trial.ids.variant_id == job.variant}
    ended = {ref: trials[ref] for ref in job.plans if ref in trials and trials[ref].result is not None}
    requested = [trial.ref for trial in campaign.models if trial.job is job]
    if not requested or any(ref not in ended for ref in requested):
        return None
    evidence = {ref: read_evidence(ended[ref]) for ref in requested}
    ends = {ref: _end(found) for ref, found in evidence.items() if found is not None}
    times = [trial.result.ext for ref, trial in ended.items() if ref in ends and trial.result is not None]
    return FinishedJob(
        agentics_version=__version__,
        run_id=view.manifest.run_id,
        variant=job.variant,
        spec=job.spec,
        jobspec_digest=job.digest,
        plan_digest=job.plan_digest,
        started_at=min(each.started_at for each in times),
        ended_at=max(each.ended_at for each in times),
        tasks=ends,
        image=next(
            (found.images["worker"].id for found in evidence.values() if found and "worker" in found.images), None
        ),
        model_revision=job.revision,
        max_samples=job.max_samples,
        templates=job.templates,
        suite=suite_score_of(job.checked.suite, ended.values()) if job.checked.suite else None,
        suite_digest=digest_of(job.checked.suite.model_dump(mode="json")) if job.checked.suite else None,
    )


def _end(evidence: TrialEvidence) -> TaskEnd:
    return TaskEnd(facts=evidence.job or JobFacts(), verdict=judge(evidence))


def _stored(path: str, data: bytes | Path) -> StoredFile:
    content = data.read_bytes() if isinstance(data, Path) else data
    return StoredFile(path=path, sha256=sha256_of(content), bytes=len(content))


def _directories(campaign: Campaign) -> dict[str, PlannedJob]:
    jobs = {job.variant: job for job in campaign.jobs}
    return {directory: jobs[name] for directory, name in campaign.directories.items() if name in jobs}
