"""From JobSpec files to what a run does with them: checked, identified and planned before anything is started."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from pydantic import JsonValue

from agentics.config import Config
from agentics.errors import ConfigError, UsageError
from agentics.lighteval import planning
from agentics.lighteval.check import check, surroundings
from agentics.lighteval.job import Job as CheckedJob
from agentics.lighteval.judge_templates import judge_templates
from agentics.lighteval.places import template_folders
from agentics.model.document import invalid
from agentics.model.jobspec import JobSpec
from agentics.model.plan import Plan
from agentics.model.template import JudgeTemplate
from agentics.policy.digests import digest_of
from agentics.runner.ownstages import with_own
from agentics.runner.slotted import Slotted
from agentics.runner.suites import suite_reader

_LOOPBACK = frozenset({"localhost", "127.0.0.1", "::1", "0.0.0.0"})  # noqa: S104 - named to be refused
_PATHS = ("path", "model_path")


@dataclass(frozen=True, kw_only=True)
class Job:
    """A JobSpec as one variant of a run. `plans` by task reference; `paths`: the host's folders by a plan's places."""

    checked: CheckedJob
    file: Path
    known: planning.Identified
    plans: Mapping[str, Plan]
    paths: Mapping[str, Path]
    in_container: bool

    @property
    def variant(self) -> str:
        return self.checked.variant

    @cached_property
    def spec(self) -> JobSpec:
        """With every plugin pinned to its content."""
        digests = {each.manifest.name: each.sha256 for each in self.checked.plugins}
        pinned = tuple(
            each.model_copy(update={"sha256": digests[each.name]}) for each in self.checked.spec.custom_plugins
        )
        return self.checked.spec.model_copy(update={"custom_plugins": pinned})

    @cached_property
    def digest(self) -> str:
        """Of what the job says; where its files are does not count."""
        return digest_of(_without_paths(self.spec.model_dump(mode="json")))

    @cached_property
    def plan_digest(self) -> str:
        return planning.plan_digest(self.plans)

    @cached_property
    def model_digest(self) -> str:
        """Of the model: what it is, and all that it is asked with."""
        asked = next(iter(self.plans.values())).stages[0].options["ask"]
        return digest_of({"backend": asked["backend"], "generation": asked["generation"]})

    @cached_property
    def task_digests(self) -> dict[str, str]:
        """Of each task: what the job says of it, and how it is scored."""
        return {ref: digest_of(self._task(each)) for ref, each in self.plans.items()}

    @cached_property
    def scoring(self) -> dict[str, JsonValue]:
        return planning.scoring(self.checked, self.known)

    @property
    def revision(self) -> str | None:
        """What identifies the model's weights."""
        return planning.revision(self.checked, self.known)

    @property
    def max_samples(self) -> int | None:
        """As asked, where `--limit` may say less than the spec."""
        most: int | None = next(iter(self.plans.values())).stages[0].options["ask"]["max_samples"]
        return most

    @property
    def templates(self) -> dict[str, JudgeTemplate]:
        """By judge."""
        return {each.name: self.known.templates[each.template_id] for each in self.checked.judges}

    def comparability(self, ref: str) -> str:
        """What trials of this task must share to be compared."""
        score = next(stage.options for stage in self.plans[ref].stages if stage.name == "score_answers")
        return digest_of(score["comparability"])

    def placed(self) -> JobSpec:
        """The spec with the paths of this machine: what can be submitted again from anywhere."""
        folder = self.checked.folder
        plugins = tuple(
            plugin.model_copy(update={"path": str(found.root)})
            for plugin, found in zip(self.spec.custom_plugins, self.checked.plugins, strict=True)
        )
        changes: dict[str, Any] = {"custom_plugins": plugins}
        if self.spec.backend.model_path is not None:
            place = os.path.abspath(folder / self.spec.backend.model_path)  # noqa: PTH100 - keeps links as they are
            changes["backend"] = self.spec.backend.model_copy(update={"model_path": place})
        return self.spec.model_copy(update=changes)

    def trial(self, ref: str, **shared: Any) -> JobTrial:  # noqa: ANN401 - fields of a slotted trial
        return JobTrial(ref=ref, variant=self.variant, plan=self.plans[ref], job=self, **shared)

    def _task(self, plan: Plan) -> dict[str, JsonValue]:
        options = {stage.name: stage.options for stage in plan.stages}
        asked = {
            key: value for key, value in options["ask_model"]["ask"].items() if key not in ("backend", "generation")
        }
        return {"ask": asked, "judge": options.get("judge_answers"), "score": options["score_answers"]}


@dataclass(frozen=True, kw_only=True)
class JobTrial(Slotted):
    """A model on a task."""

    job: Job


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


def mounts_of(trials: Iterable[JobTrial]) -> dict[tuple[bool, tuple[str, ...]], dict[str, Path]]:
    """The folders that workers need, by what else they need: network and secrets. Paths inside the worker are keys."""
    found: dict[tuple[bool, tuple[str, ...]], dict[str, Path]] = {}
    for trial in trials:
        worker = trial.plan.worker
        if worker is not None:
            own = found.setdefault((worker.network == "enabled", worker.secrets), {})
            own.update({mount.target: trial.job.paths[mount.place] for mount in worker.mounts})
    return found


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


def _without_paths(value: Any) -> Any:  # noqa: ANN401 - JSON
    match value:
        case dict():
            return {key: _without_paths(item) for key, item in value.items() if key not in _PATHS}
        case list():
            return [_without_paths(item) for item in value]
        case _:
            return value
