"""From JobSpec files to jobs: checked, identified and planned before anything is started."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from urllib.parse import urlsplit

from agentics.config import Config
from agentics.errors import ConfigError, UsageError
from agentics.lighteval import planning
from agentics.lighteval.check import check, surroundings
from agentics.lighteval.job import Job as CheckedJob
from agentics.lighteval.judge_templates import judge_templates
from agentics.lighteval.places import template_folders
from agentics.model.document import invalid
from agentics.runner.job import Job
from agentics.runner.ownstages import with_own
from agentics.runner.suites import suite_reader

_LOOPBACK = frozenset({"localhost", "127.0.0.1", "::1", "0.0.0.0"})  # noqa: S104 - named to be refused


def compile_jobs(files: Sequence[Path], config: Config, *, limit: int | None = None) -> list[Job]:
    """Raises InvalidDocument with every finding of a file, UsageError for two jobs of one name."""
    jobs: dict[str, Job] = {}
    for file in files:
        job = compile_job(file, config, limit=limit)
        if job.variant in jobs:
            msg = f"{file}: another job is called {job.variant!r}"
            raise UsageError(msg, code="variant_collision", hint="give one of them a run_name of its own")
        jobs[job.variant] = job
    return list(jobs.values())


def compile_job(file: Path, config: Config, *, limit: int | None = None) -> Job:
    """Raises InvalidDocument, and ConfigError where there is no such file."""
    try:
        data = file.read_bytes()
    except OSError as error:
        msg = f"{file}: {error.strerror}"
        raise ConfigError(msg, hint="a JobSpec is a JSON file") from error
    templates = judge_templates(template_folders(config))
    reader = suite_reader(config)
    around = replace(surroundings(file.parent, config, reader=reader, templates=templates), starting=True)
    checked = check(data, str(file), around)
    job = checked.job
    if job is None:
        raise invalid(checked.findings)
    if not config.lighteval.is_local:
        _check_for_containers(job, file)
    folders = {task.ref: task.data for task in job.tasks if task.data is not None}
    known = planning.Identified(
        model=folder_digest(job.model_path) if job.model_path else None,
        data={ref: folder_digest(path) for ref, path in folders.items()},
        templates=templates,
    )
    return Job(
        checked=job,
        file=file,
        known=known,
        plans={task.ref: with_own(planning.plan(job, task, known, limit), config.stages) for task in job.tasks},
        paths=dict(_paths(job, folders)),
        in_container=not config.lighteval.is_local,
    )


def _check_for_containers(job: CheckedJob, file: Path) -> None:
    """What a process on this machine can reach and a container cannot. Raises UsageError."""
    places = {"/backend/base_url": job.spec.backend.base_url}
    places.update({f"judge {each.name}": each.spec.base_url for each in job.judges})
    for where, url in places.items():
        if url is not None and urlsplit(url).hostname in _LOOPBACK:
            msg = f"{file}: {where}: inside the worker's container {url} is the container itself"
            hint = (
                "let the server listen on the container network and name that address, such as "
                "http://172.17.0.1:8000/v1; or use a worker on this machine: [lighteval] worker in agentics.toml"
            )
            raise UsageError(msg, code="loopback_in_container", hint=hint)
    root = job.model_path
    outside = root and next((path for path in root.rglob("*") if not path.resolve().is_relative_to(root)), None)
    if outside:
        msg = f"{file}: /backend/model_path: {outside} is a link to {outside.resolve()}, which a container does not see"
        hint = "download the model as files: `hf download MODEL --local-dir DIR`"
        raise UsageError(msg, code="model_links_outside", hint=hint)


def folder_digest(root: Path) -> str:
    """`sha256:` over names and contents of all files below, links followed: a checkpoint is often links to a store.

    Raises UsageError where a file cannot be read.
    """
    digest = hashlib.sha256()
    try:
        for path in sorted(each for each in root.rglob("*") if each.is_file()):
            with path.open("rb") as file:
                content = hashlib.file_digest(file, "sha256").hexdigest()
            digest.update(f"{path.relative_to(root).as_posix()}\0{content}\n".encode())
    except OSError as error:
        msg = f"{error.filename}: {error.strerror}"
        raise UsageError(msg, code="folder_unreadable") from error
    return f"sha256:{digest.hexdigest()}"


def _paths(job: CheckedJob, data: Mapping[str, Path]) -> Iterator[tuple[str, Path]]:
    yield from ((f"plugin:{each.manifest.name}", each.root) for each in job.plugins)
    if job.model_path is not None:
        yield "model", job.model_path
    yield from ((f"data:{ref}", path) for ref, path in data.items())
