"""From JobSpec files to jobs: checked, identified and planned before anything is started."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from functools import partial
from pathlib import Path

from agentics.archive.documents import read_document
from agentics.archive.hostile import Manner, walk
from agentics.config import Config
from agentics.content import as_digest
from agentics.errors import AgenticsError, StorageError, UsageError
from agentics.lighteval import planning
from agentics.lighteval.check import Checked, check, surroundings
from agentics.lighteval.job import CheckedJob
from agentics.lighteval.judge_templates import judge_templates
from agentics.lighteval.places import hub_folder, template_folders
from agentics.model.document.parsing import invalid
from agentics.model.job.jobspec import JobSpec
from agentics.model.plan.trial_plan import HUB_PLACE
from agentics.request.job import PlannedJob
from agentics.request.operator_stages import with_own
from agentics.request.suite_reader import suite_reader
from agentics.storage import open_store


def compile_jobs(files: Sequence[Path], config: Config, *, limit: int | None = None) -> list[PlannedJob]:
    """Raises InvalidDocument with every finding of a file, UsageError for two jobs of one name."""
    jobs: dict[str, PlannedJob] = {}
    for file in files:
        job = compile_job(file, config, limit=limit)
        if job.variant in jobs:
            msg = f"{file}: another job is called {job.variant!r}"
            raise UsageError(msg, code="variant_collision", hint="give one of them a run_name of its own")
        jobs[job.variant] = job
    return list(jobs.values())


def check_file(file: Path, config: Config, *, starting: bool = False) -> Checked:
    """A check of a JobSpec file, with all that this machine says of it. `starting`: a missing secret is an error.

    Raises UsageError where there is no such file, InvalidDocument for a link or another special file.
    """
    try:
        data = read_document(file, JobSpec)
    except OSError as error:
        msg = f"{file}: {error.strerror}"
        raise UsageError(msg, hint="a JobSpec is a JSON file") from error
    templates = judge_templates(template_folders(config))
    around = surroundings(file.parent, config, reader=suite_reader(config), templates=templates)
    return check(data, str(file), replace(around, starting=starting, output=partial(_place_fault, config)))


def _place_fault(config: Config, url: str) -> AgenticsError | None:
    """Why artifacts cannot go there, as far as that can be said without trying."""
    try:
        open_store(url, config.storage, base=Path.cwd())
    except (UsageError, StorageError) as error:
        return error
    return None


def compile_job(file: Path, config: Config, *, limit: int | None = None) -> PlannedJob:
    """Raises InvalidDocument, and UsageError where there is no such file."""
    checked = check_file(file, config, starting=True)
    job = checked.job
    if job is None:
        raise invalid(checked.findings)
    templates = judge_templates(template_folders(config))
    folders = {task.ref: task.data for task in job.tasks if task.data is not None}
    known = planning.Identified(
        model=folder_digest(job.model_path) if job.model_path else None,
        data={ref: folder_digest(path) for ref, path in folders.items()},
        templates=templates,
    )
    return PlannedJob(
        checked=job,
        file=file,
        known=known,
        plans={task.ref: with_own(planning.plan(job, task, known, limit), config.stages) for task in job.tasks},
        paths=dict(_paths(job, folders, hub_folder(config))),
        in_container=not config.lighteval.is_local,
    )


def folder_digest(root: Path) -> str:
    """`sha256:` over names and contents of all files below, links followed: a checkpoint is often links to a store.

    Raises UsageError where a file cannot be read.
    """
    digest = hashlib.sha256()
    try:
        below = (root / node.path for node in walk(root.resolve(), Manner(whole=True)))
        for path in sorted(each for each in below if each.is_file()):
            with path.open("rb") as file:
                content = hashlib.file_digest(file, "sha256").hexdigest()
            digest.update(f"{path.relative_to(root).as_posix()}\0{content}\n".encode())
    except OSError as error:
        msg = f"{error.filename}: {error.strerror}"
        raise UsageError(msg, code="folder_unreadable") from error
    return as_digest(digest.hexdigest())


def _paths(job: CheckedJob, data: Mapping[str, Path], hub: Path | None) -> Iterator[tuple[str, Path]]:
    yield from ((f"plugin:{each.manifest.name}", each.root) for each in job.plugins)
    if job.model_path is not None:
        yield "model", job.model_path
    if job.hub and hub is not None:
        yield HUB_PLACE, hub.absolute() / planning.hub_cache(job)
    yield from ((f"data:{ref}", path) for ref, path in data.items())
